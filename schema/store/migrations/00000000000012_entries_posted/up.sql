-- expand
-- A statement of the account reads the entries of some days, under its agency's lock.
CREATE INDEX CONCURRENTLY entries_posted ON xm.entries (agency, posted_at, id);
