-- expand
-- What an answer gives beside its receipt comes in parts, each the payload of a container of its own, receipt included. They are
-- kept for fourteen days; after that the letter sent again is answered with its receipt alone, which is in xm.letters for good.
CREATE TABLE xm.answer_parts (
    agency    integer     NOT NULL,
    letter_id uuid        NOT NULL,
    attempt   smallint    NOT NULL CHECK (attempt >= 1),
    part      smallint    NOT NULL CHECK (part >= 1),
    payload   bytea       NOT NULL,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (agency, letter_id, attempt, part)
);
CREATE INDEX answer_parts_made ON xm.answer_parts (made_at);

-- The second attempt at a letter, and further ones. The first is the row of xm.letters itself, whose `attempt` is the highest.
CREATE TABLE xm.attempts (
    agency     integer     NOT NULL,
    letter_id  uuid        NOT NULL,
    attempt    smallint    NOT NULL CHECK (attempt >= 2),
    -- 'accepted', or the code of the refusal.
    verdict    text        NOT NULL,
    receipt    bytea       NOT NULL,
    -- Who had it tried, and the approval where one was needed.
    decider    text        NOT NULL,
    approval   bigint,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (agency, letter_id, attempt)
);

-- Which answer to the letter a row is: part 0 is the receipt alone. The row stays the only one of its letter, since programs of
-- the version before queue by that key: of an answer in parts it stands for one after the other, and a new attempt takes the place
-- of an answer not sent yet. Such a row has a transport of its own (`mail-parts`): a program of the version before claims `mail`,
-- and would send the receipt alone and delete the row. `certificate` is the one to seal for; absent for that which signed the letter answered.
ALTER TABLE xm.outbox
    ADD COLUMN attempt     smallint NOT NULL DEFAULT 1,
    ADD COLUMN part        smallint NOT NULL DEFAULT 0,
    ADD COLUMN certificate integer;
