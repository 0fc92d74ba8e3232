-- A sphere that was left or that we were removed from can be taken off the list.
ALTER TABLE sphere ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;

-- How far the person is with a film or a song, on this device alone.
CREATE TABLE playback (
  item_id TEXT NOT NULL REFERENCES item (item_id) ON DELETE CASCADE,
  file INTEGER NOT NULL,
  position_ms INTEGER NOT NULL,
  PRIMARY KEY (item_id, file)
) STRICT, WITHOUT ROWID;
