-- expand
-- What was accepted and needs an explanation: one line per letter, table and check of severity `flag`.

CREATE TABLE xm.flags (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency       integer     NOT NULL,
    letter_id    uuid        NOT NULL,
    table_id     integer     NOT NULL,
    -- The check's own code, and whether it could not be judged: an operand is NULL, or a referenced row is missing.
    check_code   text        NOT NULL,
    unjudged     boolean     NOT NULL,
    -- The first hundred rows: [{"row": 1, "arithmetic": "a 7 (7) <= b 6 (6)"}]; and how many there are in all.
    rows         jsonb       NOT NULL,
    rows_total   integer     NOT NULL CHECK (rows_total >= 1),
    flagged_at   timestamptz NOT NULL,
    -- Who explained it and when; until then it is shown to the operators.
    explanation  text,
    explained_by text,
    explained_at timestamptz,
    CHECK ((explained_at IS NULL) = (explained_by IS NULL))
);
CREATE INDEX flags_unexplained ON xm.flags (flagged_at) WHERE explained_at IS NULL;
CREATE INDEX flags_letter ON xm.flags (agency, letter_id);

-- How many lines of xm.flags the letter has.
ALTER TABLE xm.journal ADD COLUMN flag_count integer NOT NULL DEFAULT 0;
