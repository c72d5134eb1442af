CREATE OR REPLACE FUNCTION xm.forget_first_range(partition regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM brin_desummarize_range(x.indexrelid::regclass, 0)
       FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid
      WHERE i.inhparent = 'xm.journal_number'::regclass AND x.indrelid = partition;
END $$;
DROP INDEX xm.journal_outcome, xm.journal_letter, xm.journal_received;
ALTER TABLE xm.quarantine DROP COLUMN faulty_table;
DROP TABLE xm.selection_items, xm.selections;
