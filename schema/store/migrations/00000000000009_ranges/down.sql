CREATE OR REPLACE FUNCTION xm.ensure_partitions(months_ahead integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month date;
    part  text;
    kind  text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('xm.ensure_partitions'));
    FOR i IN 0..months_ahead LOOP
        month := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i))::date;
        FOREACH kind IN ARRAY ARRAY['journal', 'originals'] LOOP
            part := format('%s_%s', kind, to_char(month, 'YYYY_MM'));
            IF to_regclass('xm.' || part) IS NULL THEN
                EXECUTE format('CREATE TABLE xm.%I PARTITION OF xm.%I FOR VALUES FROM (%L) TO (%L)',
                    part, kind, month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00');
            END IF;
        END LOOP;
    END LOOP;
END $$;
DROP FUNCTION xm.forget_first_range(regclass);
