-- The same rows once more, beside tables of the same shape, constraints and indexes: what PostgreSQL alone needs for them.
-- `reference.letters` and `reference.letters_per_batch` are set before.
CREATE SCHEMA reference;
CREATE UNLOGGED TABLE reference.batches AS
    SELECT agency, letter_id,
           (row_number() OVER (ORDER BY received_at, agency) - 1) / current_setting('reference.letters_per_batch')::bigint AS batch
      FROM xm.letters WHERE verdict = 'accepted' ORDER BY received_at, agency LIMIT current_setting('reference.letters')::bigint;
CREATE UNIQUE INDEX ON reference.batches (agency, letter_id);

-- What `settle.sql` fills, in this order: tables that these letters have rows for.
CREATE TABLE reference.filled (place bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL);
CREATE PROCEDURE reference.take(name text, shape text, rows text) LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE format('CREATE UNLOGGED TABLE reference.%I AS %s ORDER BY batch', name || '_source', rows);
    GET DIAGNOSTICS found = ROW_COUNT;
    IF found > 0 THEN
        EXECUTE format('CREATE INDEX ON reference.%I (batch)', name || '_source');
        EXECUTE format('CREATE TABLE reference.%I (LIKE %s INCLUDING ALL)', name, shape);
        INSERT INTO reference.filled (name) VALUES (name);
    END IF;
END $$;
CREATE PROCEDURE reference.take_records(name text, shape text) LANGUAGE sql AS $$
    CALL reference.take(name, shape, format('SELECT s.*, batch FROM %s s JOIN reference.batches b ON s.xm_agency = b.agency AND s.xm_letter = b.letter_id', shape));
$$;
CREATE PROCEDURE reference.take_books(name text, shape text) LANGUAGE sql AS $$
    CALL reference.take(name, shape, format('SELECT s.*, batch FROM %s s JOIN reference.batches b ON s.agency = b.agency AND s.letter_id = b.letter_id', shape));
$$;
CALL reference.take_records('results', 'election."ResultatBureau"');
CALL reference.take_records('voices', 'election."VoixCandidat"');
CALL reference.take_records('births', 'ecr."ActeNaissance"');
CALL reference.take_books('entries', 'xm.entries');
CALL reference.take_books('letters', 'xm.letters');
CALL reference.take_books('journal', 'xm.journal');
CALL reference.take('originals', 'xm.originals', 'SELECT o.*, batch FROM reference.journal_source j JOIN xm.originals o ON o.journal_id = j.id');
CALL reference.take('outbox', 'xm.outbox', 'SELECT agency, letter_id, ''mail'' AS transport, batch FROM reference.letters_source');
CREATE TABLE reference.accounts (LIKE xm.accounts INCLUDING ALL);
INSERT INTO reference.accounts OVERRIDING SYSTEM VALUE SELECT * FROM xm.accounts;
CREATE TABLE reference.installations (LIKE xm.installations INCLUDING ALL);
INSERT INTO reference.installations SELECT * FROM xm.installations;
