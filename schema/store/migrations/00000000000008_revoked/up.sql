-- expand
-- No certificate of a revoked key is ever taken for one in use, whoever writes: so only for a certificate that is revoked
-- itself a look-up has to ask for its key.
CREATE FUNCTION xm.stay_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER certificates_stay_revoked BEFORE UPDATE OF revoked_at, spki_sha256 ON xm.certificates
    FOR EACH ROW WHEN (NEW.revoked_at IS NULL) EXECUTE FUNCTION xm.stay_revoked();

UPDATE xm.certificates c SET revoked_at = k.revoked_at, revoked_reason = k.revoked_reason
  FROM xm.agency_keys k
 WHERE k.spki_sha256 = c.spki_sha256 AND k.revoked_at IS NOT NULL AND c.revoked_at IS NULL;
