DROP TABLE xm.epochs;
DROP TABLE xm.read_usage;
DROP VIEW xm.parts_kept;
DROP TABLE xm.reading_parts;
DROP TABLE xm.readings;
ALTER TABLE xm.tables DROP COLUMN notes;
DROP TRIGGER plans_touch ON xm.plans;
ALTER TABLE xm.plans DROP COLUMN read_bytes_per_day, DROP COLUMN read_acts_per_day;
ALTER TABLE xm.rights DROP COLUMN certify_gives, DROP COLUMN may_certify;
