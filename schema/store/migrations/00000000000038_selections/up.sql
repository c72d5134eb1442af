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

-- The journal is read newest first, a window of time after the other, and by outcome where the outcome is rare. A line costs the
-- settling transaction an entry of an index only if it is neither accepted nor a duplicate. Nobody who settles waits for these indexes:
-- they are made here for partitions that are small, and for those of later months with these. For larger ones OPERATIONS.md has the
-- statements (Updates).
CREATE INDEX journal_received ON ONLY xm.journal USING brin (received_at) WITH (autosummarize = on);
CREATE INDEX journal_letter ON ONLY xm.journal USING brin (letter_id uuid_minmax_multi_ops) WITH (autosummarize = on);
CREATE INDEX journal_outcome ON ONLY xm.journal (outcome, received_at) WHERE outcome NOT IN ('accepted', 'duplicate');
DO $$
DECLARE
    part name;
BEGIN
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'xm.journal'::regclass AND pg_relation_size(c.oid) < 64 * 1024 * 1024
    LOOP
        EXECUTE format('CREATE INDEX %I ON xm.%I USING brin (received_at) WITH (autosummarize = on)', part || '_received', part);
        EXECUTE format('CREATE INDEX %I ON xm.%I USING brin (letter_id uuid_minmax_multi_ops) WITH (autosummarize = on)',
            part || '_letter', part);
        EXECUTE format('CREATE INDEX %I ON xm.%I (outcome, received_at) WHERE outcome NOT IN (''accepted'', ''duplicate'')',
            part || '_outcome', part);
        EXECUTE format('ALTER INDEX xm.journal_received ATTACH PARTITION xm.%I', part || '_received');
        EXECUTE format('ALTER INDEX xm.journal_letter ATTACH PARTITION xm.%I', part || '_letter');
        EXECUTE format('ALTER INDEX xm.journal_outcome ATTACH PARTITION xm.%I', part || '_outcome');
    END LOOP;
END $$;

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
