-- expand
-- An index of kind BRIN that is made on an empty table has a summary of the first 128 pages, which each of their first five
-- thousand lines changes, and logs. Without it a line costs nothing: the range gets its summary from VACUUM once it is full.
CREATE FUNCTION xm.forget_first_range(partition regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM brin_desummarize_range(x.indexrelid::regclass, 0)
       FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
      WHERE i.inhparent = 'xm.journal_number'::regclass AND x.indrelid = partition;
END $$;

SELECT xm.forget_first_range(inhrelid::regclass) FROM pg_inherits
 WHERE inhparent = 'xm.journal'::regclass AND pg_relation_size(inhrelid) < 128 * current_setting('block_size')::bigint;

-- As it was, but for the last line: programs of the version before call it too.
CREATE OR REPLACE FUNCTION xm.ensure_partitions(months_ahead integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month date;
    part  text;
    kind  text;
BEGIN
    -- Replicas that start together would each find a partition missing and each create it.
    PERFORM pg_advisory_xact_lock(hashtext('xm.ensure_partitions'));
    FOR i IN 0..months_ahead LOOP
        month := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i))::date;
        FOREACH kind IN ARRAY ARRAY['journal', 'originals'] LOOP
            part := format('%s_%s', kind, to_char(month, 'YYYY_MM'));
            IF to_regclass('xm.' || part) IS NULL THEN
                EXECUTE format('CREATE TABLE xm.%I PARTITION OF xm.%I FOR VALUES FROM (%L) TO (%L)',
                    part, kind, month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00');
                PERFORM xm.forget_first_range(format('xm.%I', part)::regclass);
            END IF;
        END LOOP;
    END LOOP;
END $$;
