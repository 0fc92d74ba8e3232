-- Where the bytes of an item are on this disk: apart from its row, which is written with every few pieces that come.
CREATE TABLE item_layout (
  item_id TEXT PRIMARY KEY REFERENCES item (item_id) ON DELETE CASCADE,
  layout BLOB NOT NULL -- sealed
) STRICT;
INSERT INTO item_layout (item_id, layout) SELECT item_id, layout FROM item WHERE layout IS NOT NULL;
ALTER TABLE item DROP COLUMN layout;
