-- expand
-- What container and mail say of their sender, for the person who looks: claimed, not proven. The program bounds them and
-- takes out control characters; a CHECK here would turn a mistake of ours into mail that nobody can settle.
ALTER TABLE xm.quarantine
    ADD COLUMN claimed_agency integer,
    ADD COLUMN signer         text,
    ADD COLUMN sender         text,
    ADD COLUMN subject        text;

-- A letter is looked for by its id, and a line of the journal by its number, while an office is on the telephone. Both grow
-- with time, so the smallest of all indexes finds them, and costs an insert nothing that can be measured.
CREATE INDEX letters_id ON xm.letters USING brin (letter_id uuid_minmax_multi_ops);
CREATE INDEX journal_number ON xm.journal USING brin (id);
