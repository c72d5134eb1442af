DROP TABLE xm.profile_changes;
ALTER TABLE xm.outbox DROP COLUMN email;
