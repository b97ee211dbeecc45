-- compta: expand
-- Nullable and unknown to V1's code: the release before runs on unharmed.
ALTER TABLE report_snapshot ADD COLUMN requested_by text;
