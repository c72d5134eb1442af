-- expand
-- A table that was dropped and given up: no letter, list or check knows it any more, its history stays.
ALTER TABLE xm.tables ADD COLUMN abandoned_at timestamptz;

-- Definitions say from here on of char(n) that blanks at its end are nothing, and of timestamptz(n) how fine it is. Those that
-- were adopted before are completed from the tables themselves; a program from before reads over what it does not know.
UPDATE xm.definitions d
   SET columns = completed.columns
  FROM (SELECT t.id, t.version,
               jsonb_agg(c.value || CASE
                   WHEN c.value ->> 'type' = 'text' AND a.atttypid = 'character'::regtype
                       THEN '{"padded": true}'::jsonb
                   WHEN c.value ->> 'type' = 'timestamptz' AND a.atttypid = 'timestamptz'::regtype AND a.atttypmod >= 0
                       THEN jsonb_build_object('fraction_digits', a.atttypmod)
                   ELSE '{}'::jsonb END ORDER BY c.ordinality) AS columns
          FROM xm.tables t
          JOIN xm.definitions f ON f.table_id = t.id AND f.version = t.version
         CROSS JOIN jsonb_array_elements(f.columns) WITH ORDINALITY AS c
          LEFT JOIN pg_namespace n ON n.nspname = t.schema_name
          LEFT JOIN pg_class r ON r.relnamespace = n.oid AND r.relname = t.relation_name
          LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = c.value ->> 'name' AND NOT a.attisdropped
         GROUP BY t.id, t.version) completed
 WHERE d.table_id = completed.id AND d.version = completed.version AND d.columns <> completed.columns;
