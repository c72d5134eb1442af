-- Settles in full batches, one durable commit each, with nothing else to do: no duplicate is looked for, no
-- value comes over a connection, no answer is given.
DO $$
DECLARE
    n bigint;
    name text;
    columns text;
BEGIN
    FOR n IN SELECT DISTINCT batch FROM reference.batches ORDER BY 1 LOOP
        FOR name IN SELECT f.name FROM reference.filled f ORDER BY place LOOP
            SELECT string_agg(quote_ident(attname), ', ') INTO columns FROM pg_attribute
             WHERE attrelid = format('reference.%I', name || '_source')::regclass AND attnum > 0 AND attname <> 'batch';
            EXECUTE format('INSERT INTO reference.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM reference.%I WHERE batch = $1',
                           name, columns, columns, name || '_source') USING n;
        END LOOP;
        UPDATE reference.accounts a SET balance = a.balance - s.amount
          FROM reference.entries_source s WHERE s.batch = n AND a.id = s.debit;
        UPDATE reference.installations i SET sequence_highest = greatest(i.sequence_highest, s.sequence)
          FROM reference.letters_source s WHERE s.batch = n AND i.agency = s.agency AND i.name = s.installation;
        COMMIT;
    END LOOP;
END $$;
