-- Whether the person has seen a line, by line: what comes late may stand above others that were read.
ALTER TABLE message ADD COLUMN read INTEGER NOT NULL DEFAULT 0;
UPDATE message SET read = 1 WHERE kind = 'notice' OR position <=
  (SELECT read_position FROM sphere WHERE sphere.id = message.sphere_id);
ALTER TABLE sphere DROP COLUMN read_position;
CREATE INDEX message_unread ON message (sphere_id, position) WHERE read = 0;

-- What a line answers or comments on.
ALTER TABLE message ADD COLUMN reply_to TEXT;
CREATE INDEX message_by_reply ON message (reply_to) WHERE reply_to IS NOT NULL;

-- How far devices of others have what a device of ours said.
CREATE TABLE reached (
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  author TEXT NOT NULL,
  device TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  PRIMARY KEY (sphere_id, author, device)
) STRICT, WITHOUT ROWID;
