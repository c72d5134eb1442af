DROP TRIGGER users_end_sessions ON xm.users;
DROP FUNCTION xm.end_sessions();
DROP TABLE xm.sessions;
ALTER TABLE xm.users DROP COLUMN locked_at, DROP COLUMN signed_in_at;
