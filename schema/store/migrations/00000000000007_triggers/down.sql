ALTER TABLE xm.tables DROP COLUMN triggers_seen;
