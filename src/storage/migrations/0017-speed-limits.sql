-- How fast this device sends and receives what is of one sphere, or one item, in bytes per second; 0 = no limit.
ALTER TABLE sphere ADD COLUMN limits TEXT NOT NULL DEFAULT '{"up":0,"down":0}';
ALTER TABLE item ADD COLUMN limits TEXT NOT NULL DEFAULT '{"up":0,"down":0}';
