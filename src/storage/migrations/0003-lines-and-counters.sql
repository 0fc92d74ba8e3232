-- Why a line of ours did not go out or does not count; null for all others.
ALTER TABLE message ADD COLUMN failure TEXT;
-- Lines stand by place, then Lamport time, then arrival: what is told again later shares the place of the line that follows it.
ALTER TABLE message ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
UPDATE message SET place = position;
DROP INDEX message_by_sphere;
CREATE INDEX message_by_place ON message (sphere_id, place, lamport, position);

-- The counter last heard of a device, so that a restart does not make old words new.
CREATE TABLE heard_counter (
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  device TEXT NOT NULL,
  counter INTEGER NOT NULL,
  PRIMARY KEY (sphere_id, device)
) STRICT, WITHOUT ROWID;

-- Nothing compared it.
ALTER TABLE identity DROP COLUMN boot_nonce;
