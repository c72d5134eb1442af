-- expand
-- Whose keys serve this database, and a revocation that is the key's.

-- The keys of this centre. A program with the keys of another opens none of its letters, and would take them all out of the
-- mailbox as `not_for_this_centre`: it refuses to run.
CREATE TABLE xm.centre_keys (
    -- SHA-256 of the SubjectPublicKeyInfo: the key's own name, whatever certificate it stands in.
    spki_sha256 bytea       PRIMARY KEY CHECK (octet_length(spki_sha256) = 32),
    purpose     text        NOT NULL CHECK (purpose IN ('letters', 'authority')),
    state       text        NOT NULL CHECK (state IN ('next', 'current', 'retired')),
    algorithm   text        NOT NULL,
    -- SHA-256 of the certificate: what people compare.
    fingerprint bytea       NOT NULL UNIQUE CHECK (octet_length(fingerprint) = 32),
    certificate bytea       NOT NULL,
    not_before  timestamptz NOT NULL,
    not_after   timestamptz NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT now()
);

-- Addresses that the centre's programs have of their own, so that no agency gets one: answers would come back as letters.
-- Written again every day by each program that has it; what nobody has written for a month is free.
CREATE TABLE xm.centre_addresses (
    address text        PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- What is in other hands is the key. A revoked key is revoked for good, whatever certificate comes.
ALTER TABLE xm.agency_keys ADD COLUMN revoked_at timestamptz;
ALTER TABLE xm.agency_keys ADD COLUMN revoked_reason text;
CREATE INDEX certificates_spki_sha256 ON xm.certificates (spki_sha256);

-- Also where an older program or any other tool revokes one certificate: its key goes with it, and with the key all of its
-- certificates.
CREATE FUNCTION xm.revoke_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE xm.agency_keys SET revoked_at = NEW.revoked_at, revoked_reason = NEW.revoked_reason
     WHERE spki_sha256 = NEW.spki_sha256 AND revoked_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER certificates_revoke_key AFTER INSERT OR UPDATE OF revoked_at ON xm.certificates
    FOR EACH ROW WHEN (NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION xm.revoke_key();

CREATE FUNCTION xm.revoke_certificates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE xm.certificates SET revoked_at = NEW.revoked_at, revoked_reason = NEW.revoked_reason
     WHERE spki_sha256 = NEW.spki_sha256 AND revoked_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER agency_keys_revoke_certificates AFTER INSERT OR UPDATE OF revoked_at ON xm.agency_keys
    FOR EACH ROW WHEN (NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION xm.revoke_certificates();
CREATE TRIGGER agency_keys_touch AFTER UPDATE ON xm.agency_keys
    FOR EACH ROW EXECUTE FUNCTION xm.touch_agency();

-- A certificate that an older program registers for a revoked key does not come in.
CREATE FUNCTION xm.refuse_revoked_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    revoked timestamptz;
BEGIN
    -- Locked, so that a revocation under way is waited for.
    SELECT revoked_at INTO revoked FROM xm.agency_keys WHERE spki_sha256 = NEW.spki_sha256 FOR SHARE;
    IF revoked IS NOT NULL THEN
        RAISE EXCEPTION 'the key of this certificate was revoked, for good: its agency makes a new key';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER certificates_refuse_revoked_key BEFORE INSERT ON xm.certificates
    FOR EACH ROW WHEN (NEW.revoked_at IS NULL) EXECUTE FUNCTION xm.refuse_revoked_key();

-- Keys that were revoked before this was the key's: with every certificate registered for them since. Not where the reason was
-- `replaced`, as the manual then said to write for the old certificate after a renewal: such a key is in nobody else's hands.
UPDATE xm.agency_keys k SET revoked_at = r.revoked_at, revoked_reason = r.revoked_reason
  FROM (SELECT DISTINCT ON (spki_sha256) spki_sha256, revoked_at, revoked_reason FROM xm.certificates
         WHERE revoked_at IS NOT NULL AND revoked_reason IS DISTINCT FROM 'replaced' ORDER BY spki_sha256, revoked_at) r
 WHERE k.spki_sha256 = r.spki_sha256;
