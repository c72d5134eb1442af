-- expand
-- What agencies read: rights apart from those to send, what a day allows, and what was read for a letter, in parts.
ALTER TABLE xm.rights
    ADD COLUMN may_certify   text NOT NULL DEFAULT 'none'
        CONSTRAINT rights_may_certify_check CHECK (may_certify IN ('none', 'own', 'all')),
    ADD COLUMN certify_gives text NOT NULL DEFAULT 'verdict'
        CONSTRAINT rights_certify_gives_check CHECK (certify_gives IN ('verdict', 'record'));

-- What an agency of the plan may be given in a day of the centre; absent where there is no bound.
ALTER TABLE xm.plans
    ADD COLUMN read_acts_per_day  bigint CONSTRAINT plans_read_acts_check CHECK (read_acts_per_day >= 0),
    ADD COLUMN read_bytes_per_day bigint CONSTRAINT plans_read_bytes_check CHECK (read_bytes_per_day >= 0);
CREATE TRIGGER plans_touch AFTER INSERT OR UPDATE OR DELETE ON xm.plans
    FOR EACH STATEMENT EXECUTE FUNCTION xm.touch_catalogue();

-- Where the marginal notes of a table's records are: {"table": name, "on": [columns of the same names in both]}.
ALTER TABLE xm.tables ADD COLUMN notes jsonb;

-- What was read for a letter. It is staged in transactions of its own and belongs to no verdict until `settled_at` is set, in the
-- transaction that charges the letter. What never is, is forgotten after a day; the rest after fourteen days.
CREATE TABLE xm.readings (
    id         uuid        PRIMARY KEY,
    agency     integer     NOT NULL,
    letter_id  uuid        NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now(),
    attempt    smallint    CHECK (attempt >= 1),
    settled_at timestamptz,
    CHECK ((attempt IS NULL) = (settled_at IS NULL))
);
CREATE UNIQUE INDEX readings_letter ON xm.readings (agency, letter_id, attempt) WHERE settled_at IS NOT NULL;
CREATE INDEX readings_made ON xm.readings (made_at);
CREATE TABLE xm.reading_parts (
    reading uuid     NOT NULL REFERENCES xm.readings ON DELETE CASCADE,
    part    smallint NOT NULL CHECK (part >= 1),
    payload bytea    NOT NULL,
    PRIMARY KEY (reading, part)
);
-- Packed already.
ALTER TABLE xm.reading_parts ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Every part of an answer that is kept, whichever way it was made. What was read follows its receipt, which is part 0; of other
-- answers each part has the receipt within it.
CREATE VIEW xm.parts_kept AS
SELECT agency, letter_id, attempt, part, payload, false AS follows_receipt FROM xm.answer_parts
UNION ALL
SELECT r.agency, r.letter_id, r.attempt, p.part, p.payload, true
  FROM xm.readings r JOIN xm.reading_parts p ON p.reading = r.id WHERE r.settled_at IS NOT NULL;

-- What agencies were given by day of the centre.
CREATE TABLE xm.read_usage (
    agency integer NOT NULL,
    day    date    NOT NULL,
    acts   bigint  NOT NULL CHECK (acts >= 0),
    bytes  bigint  NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (agency, day)
);

-- The lives of this database: one that is restored counts its transactions anew, so that positions of before mean nothing.
CREATE TABLE xm.epochs (
    epoch    integer     PRIMARY KEY CHECK (epoch >= 1),
    -- The cluster, and its timeline: what a restore changes.
    life     text        NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now()
);
