-- expand
-- The story of a letter finds its entries.
CREATE INDEX CONCURRENTLY quarantine_letter ON xm.quarantine (letter_id) WHERE letter_id IS NOT NULL;
