-- expand
-- The processes that serve this centre. Each tells every 5 s that it lives (`seen_at`, by this database's clock), and is dead to the others
-- after 15 s of silence.
CREATE TABLE xm.replicas (
    process       uuid        PRIMARY KEY,
    -- One run of the process, from its start to its end.
    life          uuid        NOT NULL,
    -- What the operator calls the process, or its host.
    name          text        NOT NULL,
    host          text        NOT NULL,
    -- Boot id of the host's kernel.
    boot          text        NOT NULL,
    data_folder   text        NOT NULL,
    version       text        NOT NULL,
    -- The leases that the process may take, as xm.leases names them.
    leases        text[]      NOT NULL,
    -- Digest of what all replicas should have configured alike.
    configuration text        NOT NULL,
    drains        boolean     NOT NULL DEFAULT false,
    started_at    timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now(),
    -- When it ended, or was found dead and what it had leased was freed.
    gone_at       timestamptz
);
-- The process that a lease falls to asks its holder for it.
ALTER TABLE xm.leases
    ADD COLUMN wanted_by uuid,
    ADD COLUMN wanted_at timestamptz;
-- What each migration is, so that a program of the former version knows which of those that it lacks it can work with.
CREATE TABLE xm.migrations (
    version text PRIMARY KEY,
    kind    text NOT NULL CHECK (kind IN ('expand', 'contract')),
    -- Oldest version of the program that works without what a contraction removes.
    since   text,
    CONSTRAINT migrations_since CHECK ((kind = 'contract') = (since IS NOT NULL))
);
