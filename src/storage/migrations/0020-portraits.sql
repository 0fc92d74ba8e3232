-- What people look like, ourselves among them. `id`: SHA-1 of the picture as they gave it; `image`: WebP that was drawn from it here.
CREATE TABLE portrait (
  jid TEXT NOT NULL PRIMARY KEY,
  id TEXT NOT NULL,
  image BLOB NOT NULL -- sealed
) STRICT;
CREATE INDEX portrait_by_id ON portrait (id);

-- What we call ourselves towards the people on our list.
ALTER TABLE account ADD COLUMN nick BLOB; -- sealed
