-- expand
-- What the centre writes first is sent again until its office says that it has seen it.

-- The number up to which the installation has verified every notice, as its letters say.
ALTER TABLE xm.installations ADD COLUMN notice_seen bigint NOT NULL DEFAULT 0;

ALTER TABLE xm.notices
    -- Its JSON, until it is seen.
    ADD COLUMN payload  bytea,
    -- How often it was sent, and when it is to be sent again; absent while it waits to be sent, and once it is seen or given up.
    ADD COLUMN sends    smallint NOT NULL DEFAULT 0,
    ADD COLUMN again_at timestamptz;
-- Definitions of tables and certificates of the centre are told from now on, to those who were here before: they have them.
ALTER TABLE xm.server ADD COLUMN told_since timestamptz NOT NULL DEFAULT now();

CREATE INDEX notices_again ON xm.notices (again_at) WHERE again_at IS NOT NULL;
CREATE INDEX notices_unseen ON xm.notices (agency, installation, number) WHERE payload IS NOT NULL;
