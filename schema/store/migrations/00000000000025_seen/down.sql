ALTER TABLE xm.notices DROP COLUMN payload, DROP COLUMN sends, DROP COLUMN again_at;
ALTER TABLE xm.installations DROP COLUMN notice_seen;
ALTER TABLE xm.server DROP COLUMN told_since;
