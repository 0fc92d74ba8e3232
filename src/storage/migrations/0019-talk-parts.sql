-- Pieces of long lines of a talk. Without `piece` it only says that this one is dealt with: it came, or it left.
CREATE TABLE talk_part (
  line TEXT NOT NULL,
  number INTEGER NOT NULL,
  count INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  piece BLOB, -- sealed
  PRIMARY KEY (line, number)
) STRICT;
CREATE INDEX talk_part_by_time ON talk_part (at_ms);
