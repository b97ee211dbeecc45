-- compta: expand
-- Nullable and unknown to V1's code: the release before runs on unharmed.
ALTER TABLE journal_entry ADD COLUMN posted_by text;
