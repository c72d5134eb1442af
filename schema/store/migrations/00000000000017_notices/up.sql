-- expand
-- How the letter of an installation's highest number came: what the centre writes first goes to it in the same way. Absent until one
-- has come. `cipher` is as in xm.letters; `dictionary` is that of its frame, 0 for none, absent for plain JSON.
ALTER TABLE xm.installations
    ADD COLUMN transport      text,
    ADD COLUMN cipher         text,
    ADD COLUMN dictionary     bigint,
    ADD COLUMN certificate    integer,
    ADD COLUMN notice_highest bigint NOT NULL DEFAULT 0;

-- Of letters that came before. Their form is not known, but whoever reads frames reads JSON too. One look into an index for each
-- installation, however many letters there are.
UPDATE xm.installations i SET transport = last.transport, cipher = last.cipher, certificate = last.certificate
  FROM (SELECT o.agency, o.name, l.transport, l.cipher, l.certificate
          FROM xm.installations o
         CROSS JOIN LATERAL (SELECT * FROM xm.letters l
                              WHERE l.agency = o.agency AND l.installation = o.name AND l.sequence = o.sequence_highest
                              LIMIT 1) l) last
 WHERE last.agency = i.agency AND last.name = i.name;

-- What the centre wrote first: one row for each installation, for ever, so that nothing is told twice. While it waits it has a row of
-- xm.outbox with its JSON, whose transport `notice` no program of the version before claims: the way, the form and the cipher are the
-- installation's when it leaves.
CREATE TABLE xm.notices (
    -- The id of the letter.
    id           uuid        PRIMARY KEY,
    agency       integer     NOT NULL,
    installation text        NOT NULL,
    number       bigint      NOT NULL CHECK (number >= 1),
    kind         text        NOT NULL,
    -- What it is about, in the words of its kind.
    about        text        NOT NULL,
    queued_at    timestamptz NOT NULL DEFAULT now(),
    -- Its row of xm.outbox until it is sent.
    outbox       bigint,
    sent_at      timestamptz,
    CONSTRAINT notices_number UNIQUE (agency, installation, number),
    CONSTRAINT notices_once UNIQUE (agency, installation, kind, about),
    FOREIGN KEY (agency, installation) REFERENCES xm.installations
);
CREATE UNIQUE INDEX notices_unsent ON xm.notices (outbox) WHERE outbox IS NOT NULL;
