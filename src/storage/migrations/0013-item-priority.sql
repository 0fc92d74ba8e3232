-- Which items are fetched first: low, normal or high.
ALTER TABLE item ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal';
