-- expand
-- The triggers that the table had when it was adopted: [{"name": …, "definition": …, "function_md5": …}]. What is made or changed
-- after that is told of by `check`, since a trigger may change or keep out what letters bring. What is there now counts as seen.
ALTER TABLE xm.tables ADD COLUMN triggers_seen jsonb NOT NULL DEFAULT '[]';

UPDATE xm.tables t
   SET triggers_seen = found.triggers
  FROM (SELECT n.nspname, c.relname,
               jsonb_agg(jsonb_build_object('name', g.tgname, 'definition', pg_get_triggerdef(g.oid, true),
                                            'function_md5', md5(p.prosrc)) ORDER BY g.tgname::text COLLATE "C") AS triggers
          FROM pg_trigger g
          JOIN pg_class c ON c.oid = g.tgrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_proc p ON p.oid = g.tgfoid
         WHERE NOT g.tgisinternal AND g.tgenabled NOT IN ('D', 'R')
         GROUP BY 1, 2) found
 WHERE t.schema_name = found.nspname AND t.relation_name = found.relname;
