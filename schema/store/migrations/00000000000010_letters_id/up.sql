-- expand
-- A letter is found by its id through the primary key, agency by agency: an index more costs each letter that comes.
DROP INDEX CONCURRENTLY IF EXISTS xm.letters_id;
