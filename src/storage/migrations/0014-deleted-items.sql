-- When this device learned that an item was deleted for everybody; 0 = it was not.
ALTER TABLE item ADD COLUMN deleted_at_ms INTEGER NOT NULL DEFAULT 0;
