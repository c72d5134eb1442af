-- expand
-- Answers that leave by the transfer folder are found without a look at those that wait for a relay, however many these are while it
-- is away. An answer by mail costs nothing more.
CREATE INDEX CONCURRENTLY outbox_due_beside ON xm.outbox (due_at)
 WHERE failed_at IS NULL AND transport NOT IN ('mail', 'mail-parts');
