-- Which files of an item are wanted, as a list of their numbers; null = all of them.
ALTER TABLE item ADD COLUMN chosen TEXT;
