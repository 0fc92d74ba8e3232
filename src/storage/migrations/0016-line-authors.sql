-- Whose key stands behind a line: a person's whose certified device encrypted it. Of lines of before it is not known.
ALTER TABLE direct_message ADD COLUMN person TEXT;
