DROP INDEX CONCURRENTLY xm.outbox_due_beside;
