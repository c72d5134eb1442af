-- expand
-- The entries of a reason are listed by number, newest first.
CREATE INDEX CONCURRENTLY quarantine_reason ON xm.quarantine (reason, id);
