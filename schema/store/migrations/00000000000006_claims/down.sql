DROP INDEX xm.journal_number;
DROP INDEX xm.letters_id;
ALTER TABLE xm.quarantine DROP COLUMN claimed_agency, DROP COLUMN signer, DROP COLUMN sender, DROP COLUMN subject;
