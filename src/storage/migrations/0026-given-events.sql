-- What members gave of a sphere that its room had not: until the room's archive was asked for it, and what turned out to be kept
-- back by its server until the person has read of it. `state`: waiting, asked, withheld.
CREATE TABLE given_event (
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  event_id TEXT NOT NULL,
  by_jid TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  is_live INTEGER NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (sphere_id, event_id)
) STRICT, WITHOUT ROWID;
