-- When an item was taken off the list of this device; 0 = it is on it.
ALTER TABLE item ADD COLUMN removed_at_ms INTEGER NOT NULL DEFAULT 0;
