-- expand
-- The entries of an agency are listed by number, newest first.
CREATE INDEX CONCURRENTLY quarantine_agency ON xm.quarantine (agency, id) WHERE agency IS NOT NULL;
