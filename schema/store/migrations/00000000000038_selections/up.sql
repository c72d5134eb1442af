-- expand
-- Selections: entries of the quarantine that an operator has chosen together, frozen by their numbers. They are counted first, then
-- retried or dropped as one job, with an outcome for each. A job that was interrupted goes on with the items that have no outcome.
CREATE TABLE xm.selections (
    id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_by text        NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    -- What was asked for: reason, agency, table, sender's domain.
    filter  jsonb       NOT NULL
);
CREATE TABLE xm.selection_items (
    selection  bigint      NOT NULL REFERENCES xm.selections ON DELETE CASCADE,
    entry      bigint      NOT NULL,
    -- A code: what became of the entry; absent until it is tried.
    outcome    text,
    decided_by text,
    decided_at timestamptz,
    PRIMARY KEY (selection, entry),
    CONSTRAINT selection_items_decided CHECK ((outcome IS NULL) = (decided_at IS NULL) AND (outcome IS NULL) = (decided_by IS NULL))
);

-- The table of the first faulty row, so that entries with one cause are one group.
ALTER TABLE xm.quarantine ADD COLUMN faulty_table text;
-- Lists go through the entries by number, newest first.
CREATE INDEX quarantine_reason ON xm.quarantine (reason, id);
CREATE INDEX quarantine_agency ON xm.quarantine (agency, id) WHERE agency IS NOT NULL;
CREATE INDEX quarantine_letter ON xm.quarantine (letter_id) WHERE letter_id IS NOT NULL;

-- The journal is read newest first, a window of time after the other, and by outcome where the outcome is rare. A line costs the
-- settling transaction an entry of an index only if it is neither accepted nor a duplicate.
CREATE INDEX journal_received ON xm.journal USING brin (received_at) WITH (autosummarize = on);
CREATE INDEX journal_letter ON xm.journal USING brin (letter_id uuid_minmax_multi_ops) WITH (autosummarize = on);
CREATE INDEX journal_outcome ON xm.journal (outcome, received_at) WHERE outcome NOT IN ('accepted', 'duplicate');

-- As it was, for all indexes of kind BRIN: the first range of a new partition would be summarised anew by each of its first lines.
CREATE OR REPLACE FUNCTION xm.forget_first_range(partition regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM brin_desummarize_range(x.indexrelid::regclass, 0)
       FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
      WHERE i.inhparent IN ('xm.journal_number'::regclass, 'xm.journal_received'::regclass, 'xm.journal_letter'::regclass)
        AND x.indrelid = partition;
END $$;
SELECT xm.forget_first_range(inhrelid::regclass) FROM pg_inherits
 WHERE inhparent = 'xm.journal'::regclass AND pg_relation_size(inhrelid) < 128 * current_setting('block_size')::bigint;
