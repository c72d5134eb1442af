DROP INDEX xm.history_letter;
ALTER TABLE xm.history DROP COLUMN xm_numero, DROP COLUMN action, DROP COLUMN superseded, DROP COLUMN reason, DROP COLUMN reference,
    DROP COLUMN approved_by;
