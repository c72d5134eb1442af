ALTER TABLE xm.tables DROP COLUMN abandoned_at;
