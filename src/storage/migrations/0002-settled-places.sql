-- Where the person has read to, by place in the conversation: times are their authors' and may lie anywhere.
ALTER TABLE sphere ADD COLUMN read_position INTEGER NOT NULL DEFAULT 0;
UPDATE sphere SET read_position = coalesce(
  (SELECT max(position) FROM message WHERE message.sphere_id = sphere.id AND message.at_ms <= sphere.read_at_ms), 0
);
ALTER TABLE sphere DROP COLUMN read_at_ms;
-- What carries an older Lamport time was said before we joined and is no news.
ALTER TABLE sphere ADD COLUMN joined_lamport INTEGER NOT NULL DEFAULT 0;

-- Devices of others that were seen with all of an item.
CREATE TABLE holder (
  item_id TEXT NOT NULL REFERENCES item (item_id) ON DELETE CASCADE,
  device TEXT NOT NULL,
  PRIMARY KEY (item_id, device)
) STRICT, WITHOUT ROWID;

-- Answers to invitations whose author was sent log and keys.
CREATE TABLE welcome (
  event_id TEXT PRIMARY KEY REFERENCES event (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
