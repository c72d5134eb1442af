DROP INDEX CONCURRENTLY xm.entries_posted;
