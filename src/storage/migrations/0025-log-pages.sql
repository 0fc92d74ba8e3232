-- Events of a log as they were read before, many together: to open each one of a hundred thousand at a start takes seconds.
-- Made from the events, and made again when it is gone.
CREATE TABLE log_page (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  events BLOB NOT NULL -- sealed
) STRICT;
CREATE INDEX log_page_by_sphere ON log_page (sphere_id);
