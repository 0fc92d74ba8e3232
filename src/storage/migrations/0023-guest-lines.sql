-- The newest line of an ordinary program is found without going through all lines.
CREATE INDEX message_of_guest ON message (sphere_id, place, lamport, position) WHERE state = 'guest';
