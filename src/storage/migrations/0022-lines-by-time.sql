-- A line that is told again looks for the first one that was said after it.
CREATE INDEX message_by_lamport ON message (sphere_id, lamport, place, position);
