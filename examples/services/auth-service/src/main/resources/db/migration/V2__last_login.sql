-- compta: expand
-- Nullable and unknown to V1's code: the release before runs on unharmed.
ALTER TABLE users ADD COLUMN last_login_at timestamptz;
