-- expand
-- The audit log is searched: by who acted, what was done, to whom, when, and by what stands in the detail (the letters and records that
-- were looked at). People write it, and no letter does, so that these indexes cost settling nothing.
CREATE INDEX audit_operator ON xm.audit (operator, id);
CREATE INDEX audit_action ON xm.audit (action, id);
CREATE INDEX audit_subject ON xm.audit (subject, id);
CREATE INDEX audit_at ON xm.audit (at);
CREATE INDEX audit_detail ON xm.audit USING gin (detail jsonb_path_ops);

-- A line follows the last one, whatever program writes it: none is put in between, and none stands twice.
CREATE FUNCTION xm.demand_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_id   bigint;
    last_hash bytea;
BEGIN
    SELECT id, hash INTO last_id, last_hash FROM xm.audit ORDER BY id DESC LIMIT 1;
    IF NEW.id <> coalesce(last_id, 0) + 1 OR NEW.previous_hash <> coalesce(last_hash, decode(repeat('00', 32), 'hex')) THEN
        RAISE EXCEPTION 'xm.audit: line % does not follow line %, the last one', NEW.id, coalesce(last_id, 0);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_chained BEFORE INSERT ON xm.audit
    FOR EACH ROW EXECUTE FUNCTION xm.demand_chain();
