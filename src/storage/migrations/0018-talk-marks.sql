-- What was said and done about a line since, and how far it has come.
ALTER TABLE direct_message ADD COLUMN markable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE direct_message ADD COLUMN change TEXT NOT NULL DEFAULT 'none';
ALTER TABLE direct_message ADD COLUMN changed_at_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE direct_message ADD COLUMN reply_to TEXT;
ALTER TABLE direct_message ADD COLUMN signs BLOB; -- sealed
CREATE INDEX direct_message_unseen ON direct_message (peer, position) WHERE mine = 1 AND state IN ('sent', 'delivered');
CREATE INDEX direct_message_by_stanza ON direct_message (peer, stanza_id);

-- `tells`: their program says what has come. `told_position`: up to where they heard that we read.
ALTER TABLE contact ADD COLUMN tells INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN told_position INTEGER NOT NULL DEFAULT 0;
UPDATE contact SET told_position = read_position;

-- What we did about a line and the other one has still to hear. `kind`: edit, retract, signs.
CREATE TABLE talk_word (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  peer TEXT NOT NULL REFERENCES contact (jid) ON DELETE CASCADE,
  line TEXT NOT NULL REFERENCES direct_message (id) ON DELETE CASCADE,
  kind TEXT NOT NULL
) STRICT;
CREATE INDEX talk_word_by_line ON talk_word (line);
CREATE INDEX talk_word_by_peer ON talk_word (peer);
