-- Whose number was compared: the person key, and the account it was shown under.
CREATE TABLE verified_person (
  person TEXT PRIMARY KEY,
  jid TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
