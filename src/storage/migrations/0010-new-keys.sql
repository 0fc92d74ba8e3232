-- The item that a share takes the place of, under a new key.
ALTER TABLE share_job ADD COLUMN replaces TEXT;
