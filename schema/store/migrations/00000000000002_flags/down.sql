DROP TABLE xm.flags;
ALTER TABLE xm.journal DROP COLUMN flag_count;
