DROP TABLE xm.migrations;
ALTER TABLE xm.leases DROP COLUMN wanted_by, DROP COLUMN wanted_at;
DROP TABLE xm.replicas;
