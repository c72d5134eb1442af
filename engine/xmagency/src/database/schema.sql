-- The office's database, version 1. `PRAGMA user_version` is the version. A later version is a further file, run behind this one.

-- What is set once, or counted: one text for each name.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who may do what. Who may open the database at all is in the vault.
CREATE TABLE users (
    name     TEXT PRIMARY KEY,
    role     TEXT NOT NULL CHECK (role IN ('clerk', 'officer')),
    added_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The office's keys, which never leave this database. `made` has no certificate of the centre yet; `former` opens answers to letters
-- that it signed.
CREATE TABLE keys (
    id              INTEGER PRIMARY KEY,
    key_pem         TEXT NOT NULL,
    certificate_pem TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('made', 'current', 'former')),
    made_at         TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX keys_one_of_a_kind ON keys (state) WHERE state <> 'former';

-- Certificates of the centre that its notices have announced, in DER.
CREATE TABLE centre_certificates (
    der BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Every letter, with the document that is sent again unchanged. A settled one stays: a centre that lost letters asks for them.
CREATE TABLE letters (
    sequence   INTEGER PRIMARY KEY,
    letter_id  TEXT NOT NULL UNIQUE,
    digest     TEXT NOT NULL UNIQUE,
    service    TEXT NOT NULL,
    document   BLOB NOT NULL,
    made_at    TEXT NOT NULL,
    made_by    TEXT NOT NULL,
    -- When it was given to a relay, a stick or the centre last, and how often.
    sent_at    TEXT,
    sends      INTEGER NOT NULL DEFAULT 0,
    -- Of the highest answer: epoch of the centre's database, attempt, verdict, the receipt in JSON and when it was verified.
    epoch      INTEGER,
    attempt    INTEGER,
    verdict    TEXT CHECK (verdict IN ('accepted', 'refused', 'held')),
    receipt    TEXT,
    receipt_at TEXT,
    CHECK ((verdict IS NULL) = (attempt IS NULL))
) STRICT;
CREATE INDEX letters_unanswered ON letters (sequence) WHERE verdict IS NULL;

-- What answers brought beside their receipts, by part.
CREATE TABLE parts (
    sequence INTEGER NOT NULL REFERENCES letters,
    part     INTEGER NOT NULL,
    body     TEXT,
    PRIMARY KEY (sequence, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
    number     INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,
    content    TEXT NOT NULL,
    written_at TEXT NOT NULL,
    arrived_at TEXT NOT NULL
) STRICT;

-- Tables as the centre has defined them; the highest version holds.
CREATE TABLE tables (
    application TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    definition  TEXT NOT NULL,
    PRIMARY KEY (application, name)
) STRICT, WITHOUT ROWID;

-- Records. AUTOINCREMENT: a number is never given twice, not even after its record was deleted.
CREATE TABLE records (
    numero       INTEGER PRIMARY KEY AUTOINCREMENT,
    application  TEXT NOT NULL,
    table_name   TEXT NOT NULL,
    status       INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
    -- The columns by name, in JSON, each in the form in which the centre keeps it.
    columns      TEXT NOT NULL,
    -- The legal key as a JSON array; none while a column of it is missing.
    legal_key    TEXT,
    -- The letter in which it was packed last; none once it was reopened, since it may say something else than the letter.
    sequence     INTEGER REFERENCES letters,
    -- Why the centre refused it, or what was written after a letter that it accepted after all, in JSON; none once the record was reopened and
    -- validated anew, or corrected.
    remark       TEXT,
    made_at      TEXT NOT NULL,
    made_by      TEXT NOT NULL,
    validated_at TEXT,
    validated_by TEXT,
    -- Of an imported record: who sent it to the centre. Such a record is never exported.
    origin       TEXT,
    CHECK (status NOT IN (3, 4) OR sequence IS NOT NULL),
    CHECK (origin IS NULL OR status IN (0, 2))
) STRICT;
CREATE UNIQUE INDEX records_by_legal_key ON records (application, table_name, legal_key)
    WHERE status > 0 AND legal_key IS NOT NULL;
CREATE UNIQUE INDEX records_by_origin ON records (application, table_name, origin) WHERE origin IS NOT NULL;
CREATE INDEX records_by_status ON records (status, application, table_name);
CREATE INDEX records_by_letter ON records (sequence) WHERE sequence IS NOT NULL;

-- Which row of which letter a record was. `columns` is what the letter says of it, in JSON, once the record was reopened and may say something
-- else; none while it says the same.
CREATE TABLE packed (
    sequence   INTEGER NOT NULL REFERENCES letters,
    table_name TEXT NOT NULL,
    row        INTEGER NOT NULL,
    numero     INTEGER NOT NULL REFERENCES records,
    columns    TEXT,
    PRIMARY KEY (sequence, table_name, row)
) STRICT, WITHOUT ROWID;

CREATE INDEX packed_by_record ON packed (numero);

-- What a letter of corrections changes here once it is accepted: the columns that change, in JSON; none where the record is cancelled.
CREATE TABLE corrections (
    sequence INTEGER NOT NULL REFERENCES letters,
    numero   INTEGER NOT NULL REFERENCES records,
    columns  TEXT,
    -- When the record here was changed by it, RFC 3339: a further receipt does not change it again.
    applied_at TEXT,
    PRIMARY KEY (sequence, numero)
) STRICT, WITHOUT ROWID;

-- Up to where the office has read a table of the centre.
CREATE TABLE positions (
    application TEXT NOT NULL,
    table_name  TEXT NOT NULL,
    position    TEXT NOT NULL,
    PRIMARY KEY (application, table_name)
) STRICT, WITHOUT ROWID;

-- Who did what to a record, and what it was before.
CREATE TABLE acts (
    id      INTEGER PRIMARY KEY,
    numero  INTEGER NOT NULL REFERENCES records,
    act     TEXT NOT NULL,
    at      TEXT NOT NULL,
    by      TEXT NOT NULL,
    reason  TEXT,
    columns TEXT
) STRICT;
CREATE INDEX acts_by_record ON acts (numero);

-- Mails of the mailbox that are not the office's: they are not fetched again.
CREATE TABLE passed_over (
    uidl TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Octets of mails, files and documents, by month.
CREATE TABLE traffic (
    month    TEXT NOT NULL,
    way      TEXT NOT NULL,
    sent     INTEGER NOT NULL DEFAULT 0,
    received INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (month, way)
) STRICT, WITHOUT ROWID;
