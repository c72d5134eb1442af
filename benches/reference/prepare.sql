-- The same rows once more, beside tables of the same shape, constraints and indexes: what PostgreSQL alone needs for them.
CREATE SCHEMA reference;
CREATE UNLOGGED TABLE reference.batches AS
    SELECT agency, letter_id, (row_number() OVER (ORDER BY received_at, agency) - 1) / 300 AS batch
      FROM xm.letters WHERE verdict = 'accepted' ORDER BY received_at, agency LIMIT 30000;
CREATE UNIQUE INDEX ON reference.batches (agency, letter_id);

CREATE PROCEDURE reference.take(source text, name text, condition text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE reference.%I (LIKE %s INCLUDING ALL)', name, source);
    EXECUTE format('CREATE UNLOGGED TABLE reference.%I AS SELECT s.*, b.batch FROM reference.batches b JOIN %s s ON %s ORDER BY batch',
                   name || '_source', source, condition);
    EXECUTE format('CREATE INDEX ON reference.%I (batch)', name || '_source');
END $$;
CALL reference.take('xm.letters', 'letters', 's.agency = b.agency AND s.letter_id = b.letter_id');
CALL reference.take('xm.entries', 'entries', 's.agency = b.agency AND s.letter_id = b.letter_id');
CALL reference.take('xm.journal', 'journal', 's.agency = b.agency AND s.letter_id = b.letter_id');
CALL reference.take('election."ResultatBureau"', 'results', 's.xm_agency = b.agency AND s.xm_letter = b.letter_id');
CALL reference.take('election."VoixCandidat"', 'voices', 's.xm_agency = b.agency AND s.xm_letter = b.letter_id');
CREATE TABLE reference.originals (LIKE xm.originals INCLUDING ALL);
CREATE UNLOGGED TABLE reference.originals_source AS
    SELECT o.*, j.batch FROM reference.journal_source j JOIN xm.originals o ON o.journal_id = j.id ORDER BY j.batch;
CREATE INDEX ON reference.originals_source (batch);
CREATE TABLE reference.outbox (LIKE xm.outbox INCLUDING ALL);
CREATE UNLOGGED TABLE reference.outbox_source AS SELECT agency, letter_id, 'mail' AS transport, batch FROM reference.letters_source;
CREATE INDEX ON reference.outbox_source (batch);
CREATE TABLE reference.accounts (LIKE xm.accounts INCLUDING ALL);
INSERT INTO reference.accounts OVERRIDING SYSTEM VALUE SELECT * FROM xm.accounts;
CREATE TABLE reference.installations (LIKE xm.installations INCLUDING ALL);
INSERT INTO reference.installations SELECT * FROM xm.installations;
