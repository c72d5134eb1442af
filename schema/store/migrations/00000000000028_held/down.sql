ALTER TABLE xm.tables DROP COLUMN areas, DROP COLUMN results;
DROP TABLE xm.held_rows;
DROP TABLE xm.held;
