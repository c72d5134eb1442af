-- Control tables of the centre. One word per thing: the names are those of SPEC and FORMAT.md.
-- Hot tables (letters, entries, journal, originals, outbox) carry no foreign keys: the settling transaction holds the
-- agency's row locked, nothing ever deletes an agency, and a key check per row would cost as much as the row.
-- The schema itself is made before the first migration, whose bookkeeping lies in it too.

-- What every replica must agree on. One row.
CREATE TABLE xm.server (
    only_row            boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    name                text        NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    mode                text        NOT NULL CHECK (mode IN ('test', 'live')),
    currency            text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    currency_digits     smallint    NOT NULL CHECK (currency_digits BETWEEN 0 AND 4),
    zone                text        NOT NULL,
    -- Raised by trigger with every change of tables, rights or tariffs: settling refuses to judge by a stale copy.
    catalogue_revision  bigint      NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE xm.profiles (
    name        text        PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    description text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO xm.profiles (name, description) VALUES ('standard', 'What an ordinary office may do');

CREATE TABLE xm.agencies (
    matricule        integer     PRIMARY KEY CHECK (matricule BETWEEN 1 AND 999999),
    name             text        NOT NULL CHECK (name <> ''),
    town             text        NOT NULL DEFAULT '',
    telephone        text        NOT NULL DEFAULT '',
    email            text        NOT NULL,
    profile          text        NOT NULL DEFAULT 'standard' REFERENCES xm.profiles,
    status           smallint    NOT NULL DEFAULT 3 CHECK (status BETWEEN 0 AND 3),
    letter_bytes_max integer     NOT NULL DEFAULT 262144 CHECK (letter_bytes_max BETWEEN 4096 AND 16777216),
    -- Older PKCS#7 software: EnvelopedData AES-256-CBC, off by default.
    cbc_allowed      boolean     NOT NULL DEFAULT false,
    -- Raised by trigger with every change of the agency, its certificates, scopes or installations.
    revision         bigint      NOT NULL DEFAULT 1,
    created_at       timestamptz NOT NULL DEFAULT now()
);

-- The codes of a scope column that an agency may write. No row, no writing in that column's tables.
CREATE TABLE xm.scopes (
    agency      integer NOT NULL REFERENCES xm.agencies,
    column_name text    NOT NULL,
    code        text    NOT NULL,
    PRIMARY KEY (agency, column_name, code)
);

CREATE TABLE xm.installations (
    agency           integer     NOT NULL REFERENCES xm.agencies,
    name             text        NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,31}$'),
    sequence_highest bigint      NOT NULL DEFAULT 0,
    -- Letters at or below the floor have expired from xm.letters; unknown ones there are refused.
    sequence_floor   bigint      NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (agency, name)
);

-- A public key belongs to one agency for ever.
CREATE TABLE xm.agency_keys (
    spki_sha256 bytea   PRIMARY KEY CHECK (octet_length(spki_sha256) = 32),
    agency      integer NOT NULL REFERENCES xm.agencies
);

CREATE TABLE xm.certificates (
    id             integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency         integer     NOT NULL REFERENCES xm.agencies,
    spki_sha256    bytea       NOT NULL REFERENCES xm.agency_keys,
    key_id         bytea       NOT NULL,
    issuer         bytea       NOT NULL,
    serial         bytea       NOT NULL,
    der            bytea       NOT NULL,
    fingerprint    bytea       NOT NULL UNIQUE CHECK (octet_length(fingerprint) = 32),
    algorithm      text        NOT NULL,
    not_before     timestamptz NOT NULL,
    not_after      timestamptz NOT NULL,
    registered_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at     timestamptz,
    revoked_reason text
);
CREATE INDEX certificates_key_id ON xm.certificates (key_id);
CREATE INDEX certificates_issuer_serial ON xm.certificates (serial, issuer);
CREATE INDEX certificates_agency ON xm.certificates (agency);

-- Ledger. An entry names both sides, so it cannot be unbalanced; amounts are integer minor units.
CREATE TABLE xm.accounts (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text    NOT NULL CHECK (kind IN ('agency', 'income', 'recharge', 'adjustment')),
    agency       integer UNIQUE REFERENCES xm.agencies,
    -- Kept for agencies only: credits less debits. The centre's own accounts are sums over entries,
    -- because one balance row there would make every settling transaction wait for every other.
    balance      bigint  NOT NULL DEFAULT 0,
    credit_limit bigint  NOT NULL DEFAULT 0 CHECK (credit_limit >= 0),
    CHECK ((kind = 'agency') = (agency IS NOT NULL)),
    CHECK (kind = 'agency' OR balance = 0)
);
CREATE UNIQUE INDEX accounts_centre ON xm.accounts (kind) WHERE agency IS NULL;
INSERT INTO xm.accounts (kind) VALUES ('income'), ('recharge'), ('adjustment');

CREATE TABLE xm.entries (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debit         integer     NOT NULL,
    credit        integer     NOT NULL,
    amount        bigint      NOT NULL CHECK (amount > 0),
    kind          text        NOT NULL CHECK (kind IN ('letter', 'recharge', 'voucher', 'manual', 'reversal')),
    agency        integer     NOT NULL,
    letter_id     uuid,
    attempt       smallint,
    balance_after bigint      NOT NULL,
    -- Set where credit is refused: the database itself then guards the agency's credit limit.
    balance_floor bigint,
    note          text        NOT NULL DEFAULT '',
    posted_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (debit <> credit),
    CHECK (balance_floor IS NULL OR balance_after >= balance_floor),
    CHECK ((kind = 'letter') = (letter_id IS NOT NULL))
);
-- A letter is charged once, whatever else goes wrong.
CREATE UNIQUE INDEX entries_letter ON xm.entries (agency, letter_id, attempt) WHERE letter_id IS NOT NULL;
CREATE INDEX entries_agency ON xm.entries (agency, id);

CREATE TABLE xm.tables (
    id            integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application   text        NOT NULL CHECK (application ~ '^[a-z][a-z0-9_]{0,30}$'),
    name          text        NOT NULL,
    schema_name   text        NOT NULL,
    relation_name text        NOT NULL,
    scope_column  text,
    legal_key     text[]      NOT NULL CHECK (cardinality(legal_key) >= 1),
    corrections   text        NOT NULL DEFAULT 'after_approval' CHECK (corrections IN ('never', 'after_approval', 'by_agency')),
    checks        jsonb       NOT NULL DEFAULT '[]',
    version       integer     NOT NULL DEFAULT 1,
    adopted_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (schema_name, relation_name)
);
CREATE UNIQUE INDEX tables_name ON xm.tables (application, lower(name));

CREATE TABLE xm.definitions (
    table_id   integer     NOT NULL REFERENCES xm.tables,
    version    integer     NOT NULL,
    columns    jsonb       NOT NULL,
    adopted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (table_id, version)
);

CREATE TABLE xm.rights (
    table_id   integer NOT NULL REFERENCES xm.tables,
    profile    text    NOT NULL REFERENCES xm.profiles,
    may_export boolean NOT NULL DEFAULT true,
    may_read   text    NOT NULL DEFAULT 'none' CHECK (may_read IN ('none', 'own', 'all')),
    PRIMARY KEY (table_id, profile)
);

CREATE TABLE xm.tariffs (
    id             integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile        text        REFERENCES xm.profiles,
    service        text        NOT NULL,
    table_id       integer     REFERENCES xm.tables,
    per_act        bigint      NOT NULL CHECK (per_act BETWEEN 0 AND 1000000000),
    per_started_kb bigint      NOT NULL CHECK (per_started_kb BETWEEN 0 AND 1000000000),
    credit         text        NOT NULL CHECK (credit IN ('owe', 'refuse')),
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz CHECK (valid_to > valid_from),
    set_at         timestamptz NOT NULL DEFAULT now()
);

-- One narrow row per verdict, never partitioned: it is what makes a letter take effect once.
-- A letter without a key of its own (unreadable, or another's key) has the UUIDv8 made from its digest, and no sequence.
CREATE TABLE xm.letters (
    agency       integer     NOT NULL,
    letter_id    uuid        NOT NULL,
    installation text        NOT NULL,
    sequence     bigint      CHECK (sequence >= 1),
    digest       bytea       NOT NULL CHECK (octet_length(digest) = 32),
    attempt      smallint    NOT NULL DEFAULT 1,
    -- 'accepted', or the code of the refusal.
    verdict      text        NOT NULL,
    transport    text        NOT NULL,
    -- The certificate that signed the letter; its key opens the receipt.
    certificate  integer     NOT NULL,
    receipt      bytea       NOT NULL,
    received_at  timestamptz NOT NULL,
    answered_at  timestamptz,
    PRIMARY KEY (agency, letter_id),
    CONSTRAINT letters_sequence UNIQUE (agency, installation, sequence)
) WITH (fillfactor = 90);

CREATE SEQUENCE xm.journal_id;
CREATE TABLE xm.journal (
    id              bigint      NOT NULL DEFAULT nextval('xm.journal_id'),
    received_at     timestamptz NOT NULL,
    agency          integer,
    installation    text,
    letter_id       uuid,
    sequence        bigint,
    digest          bytea,
    service         text,
    -- 'accepted', 'duplicate', or the code of the refusal.
    outcome         text        NOT NULL,
    attempt         smallint,
    transport       text        NOT NULL,
    mailbox         text        NOT NULL,
    sender_domain   text        NOT NULL DEFAULT '',
    container_bytes integer     NOT NULL,
    row_count       integer     NOT NULL DEFAULT 0,
    cost            bigint      NOT NULL DEFAULT 0,
    skew_seconds    bigint,
    -- A moment before the commit, by the database's clock.
    posted_at       timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (received_at);
CREATE INDEX journal_agency ON xm.journal (agency, received_at);
CREATE TABLE xm.journal_default PARTITION OF xm.journal DEFAULT;

CREATE TABLE xm.originals (
    journal_id  bigint      NOT NULL,
    received_at timestamptz NOT NULL,
    container   bytea       NOT NULL
) PARTITION BY RANGE (received_at);
-- Base64 of what is encrypted does not get smaller, and PostgreSQL would find that out anew for each. Partitions inherit this.
ALTER TABLE xm.originals ALTER COLUMN container SET STORAGE EXTERNAL;
CREATE INDEX originals_journal ON xm.originals (journal_id);
CREATE TABLE xm.originals_default PARTITION OF xm.originals DEFAULT;

-- Containers not accepted. `held`: waits for a person's decision.
CREATE TABLE xm.quarantine (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at    timestamptz NOT NULL,
    reason         text        NOT NULL,
    held           boolean     NOT NULL,
    agency         integer,
    installation   text,
    letter_id      uuid,
    digest         bytea       NOT NULL CHECK (octet_length(digest) = 32),
    transport      text        NOT NULL,
    mailbox        text        NOT NULL,
    sender_domain  text        NOT NULL,
    original       bytea       NOT NULL,
    original_bytes bigint      NOT NULL,
    detail         text        NOT NULL DEFAULT '',
    -- The version already held, where a letter says otherwise about the same record.
    held_version   jsonb,
    state          text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'dropped', 'retried')),
    UNIQUE (digest, reason)
);
CREATE INDEX quarantine_open ON xm.quarantine (reason, received_at) WHERE state = 'open';

-- Bytes kept for senders that nobody vouches for, by reason; the sum has a configured ceiling.
CREATE TABLE xm.quarantine_usage (
    reason     text   PRIMARY KEY,
    bytes_kept bigint NOT NULL CHECK (bytes_kept >= 0)
);
-- What came when the ceiling was reached: counted, not kept.
CREATE TABLE xm.quarantine_counts (
    day           date   NOT NULL,
    reason        text   NOT NULL,
    sender_domain text   NOT NULL,
    last_digest   bytea  NOT NULL,
    containers    bigint NOT NULL,
    bytes         bigint NOT NULL,
    PRIMARY KEY (day, reason, sender_domain)
);

CREATE TABLE xm.outbox (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency        integer     NOT NULL,
    -- The letter that this answers; its receipt lies in xm.letters. Other letters carry their own payload.
    letter_id     uuid,
    payload       bytea,
    transport     text        NOT NULL,
    due_at        timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    -- The process that claimed it, by the name that it keeps across restarts.
    claimed_by    uuid,
    attempts      integer     NOT NULL DEFAULT 0,
    last_error    text,
    failed_at     timestamptz,
    queued_at     timestamptz NOT NULL DEFAULT now(),
    CHECK ((letter_id IS NULL) <> (payload IS NULL)),
    CONSTRAINT outbox_letter UNIQUE (agency, letter_id)
);
CREATE INDEX outbox_due ON xm.outbox (due_at) WHERE failed_at IS NULL;

CREATE TABLE xm.history (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_id     integer     NOT NULL REFERENCES xm.tables,
    numero       bigint      NOT NULL,
    agency       integer     NOT NULL,
    installation text        NOT NULL,
    letter_id    uuid        NOT NULL,
    replaced_by  uuid,
    content      jsonb       NOT NULL,
    kept_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX history_record ON xm.history (table_id, numero);

CREATE TABLE xm.leases (
    name       text        PRIMARY KEY,
    holder     uuid        NOT NULL,
    token      bigint      NOT NULL,
    held_until timestamptz NOT NULL
);

-- Mail handed on and not yet settled, so that an unclean death knows whom to suspect.
CREATE TABLE xm.in_hand (
    mailbox  text        NOT NULL,
    instance uuid        NOT NULL,
    batch    bigint      NOT NULL,
    uidls    text[]      NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mailbox, instance, batch)
);
CREATE TABLE xm.suspects (
    mailbox  text     NOT NULL,
    uidl     text     NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mailbox, uidl)
);

CREATE TABLE xm.users (
    name            text        PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._-]{1,31}$'),
    privilege       smallint    NOT NULL CHECK (privilege BETWEEN 1 AND 3),
    password_hash   text        NOT NULL,
    must_change     boolean     NOT NULL DEFAULT true,
    failures        smallint    NOT NULL DEFAULT 0,
    locked_until    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now()
);

-- What operators did. Each line carries the hash of the one before; no key to users, whom it outlives.
CREATE TABLE xm.audit (
    id            bigint      PRIMARY KEY,
    at            timestamptz NOT NULL,
    operator      text        NOT NULL,
    action        text        NOT NULL,
    subject       text        NOT NULL,
    detail        jsonb       NOT NULL,
    previous_hash bytea       NOT NULL,
    hash          bytea       NOT NULL
);

-- What was written stays written.
CREATE FUNCTION xm.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'xm.% is append-only: post a reversal instead of changing what was written', TG_TABLE_NAME;
END $$;
CREATE TRIGGER entries_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON xm.entries
    FOR EACH STATEMENT EXECUTE FUNCTION xm.refuse_change();
CREATE TRIGGER audit_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON xm.audit
    FOR EACH STATEMENT EXECUTE FUNCTION xm.refuse_change();

-- A change made by any tool, psql included, takes effect with the next letter on every replica.
CREATE FUNCTION xm.raise_agency_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER agencies_revision BEFORE UPDATE ON xm.agencies
    FOR EACH ROW EXECUTE FUNCTION xm.raise_agency_revision();

CREATE FUNCTION xm.touch_agency() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE xm.agencies SET revision = revision + 1
     WHERE matricule = CASE TG_OP WHEN 'DELETE' THEN OLD.agency ELSE NEW.agency END;
    RETURN NULL;
END $$;
CREATE TRIGGER certificates_touch AFTER INSERT OR UPDATE OR DELETE ON xm.certificates
    FOR EACH ROW EXECUTE FUNCTION xm.touch_agency();
CREATE TRIGGER scopes_touch AFTER INSERT OR UPDATE OR DELETE ON xm.scopes
    FOR EACH ROW EXECUTE FUNCTION xm.touch_agency();
CREATE TRIGGER installations_touch AFTER INSERT OR DELETE ON xm.installations
    FOR EACH ROW EXECUTE FUNCTION xm.touch_agency();

CREATE FUNCTION xm.touch_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE xm.server SET catalogue_revision = catalogue_revision + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER tables_touch AFTER INSERT OR UPDATE OR DELETE ON xm.tables
    FOR EACH STATEMENT EXECUTE FUNCTION xm.touch_catalogue();
CREATE TRIGGER definitions_touch AFTER INSERT OR UPDATE OR DELETE ON xm.definitions
    FOR EACH STATEMENT EXECUTE FUNCTION xm.touch_catalogue();
CREATE TRIGGER rights_touch AFTER INSERT OR UPDATE OR DELETE ON xm.rights
    FOR EACH STATEMENT EXECUTE FUNCTION xm.touch_catalogue();
CREATE TRIGGER tariffs_touch AFTER INSERT OR UPDATE OR DELETE ON xm.tariffs
    FOR EACH STATEMENT EXECUTE FUNCTION xm.touch_catalogue();

-- Creates the month's partitions of journal and originals around now; called at start and once a day.
CREATE FUNCTION xm.ensure_partitions(months_ahead integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month date;
    part  text;
    kind  text;
BEGIN
    -- Replicas that start together would each find a partition missing and each create it.
    PERFORM pg_advisory_xact_lock(hashtext('xm.ensure_partitions'));
    FOR i IN 0..months_ahead LOOP
        month := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i))::date;
        FOREACH kind IN ARRAY ARRAY['journal', 'originals'] LOOP
            part := format('%s_%s', kind, to_char(month, 'YYYY_MM'));
            IF to_regclass('xm.' || part) IS NULL THEN
                EXECUTE format('CREATE TABLE xm.%I PARTITION OF xm.%I FOR VALUES FROM (%L) TO (%L)',
                    part, kind, month || ' 00:00+00', (month + interval '1 month')::date || ' 00:00+00');
            END IF;
        END LOOP;
    END LOOP;
END $$;

-- The books must always agree with themselves; 0 when they do.
CREATE VIEW xm.ledger_difference AS
SELECT coalesce(sum(abs(a.balance - coalesce(e.total, 0))), 0)::bigint AS difference
  FROM xm.accounts a
  LEFT JOIN (
        SELECT account, sum(amount)::bigint AS total
          FROM (SELECT credit AS account, amount FROM xm.entries
                UNION ALL
                SELECT debit, -amount FROM xm.entries) s
         GROUP BY account) e ON e.account = a.id
 WHERE a.agency IS NOT NULL;
