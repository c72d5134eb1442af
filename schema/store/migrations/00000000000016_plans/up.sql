-- expand
-- The bundle of rights, quotas and tariff that many agencies share is a plan; a profile is an agency's own data (SPEC 2). A program of
-- the version before goes on with the former names: xm.profiles is a view that it may write to, and each column `profile` is kept
-- equal to `plan`, whichever of the two is written.
ALTER TABLE xm.profiles RENAME TO plans;
CREATE VIEW xm.profiles AS SELECT name, description, created_at FROM xm.plans;

ALTER TABLE xm.agencies ADD COLUMN plan text REFERENCES xm.plans;
ALTER TABLE xm.rights ADD COLUMN plan text REFERENCES xm.plans;
ALTER TABLE xm.tariffs ADD COLUMN plan text REFERENCES xm.plans;
UPDATE xm.agencies SET plan = profile;
UPDATE xm.rights SET plan = profile;
UPDATE xm.tariffs SET plan = profile WHERE profile IS NOT NULL;
-- The triggers below fill it in for a program that does not know it.
ALTER TABLE xm.agencies ALTER COLUMN plan SET NOT NULL;
ALTER TABLE xm.rights ALTER COLUMN plan SET NOT NULL;

CREATE FUNCTION xm.keep_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- The former column has a default, this one has none: where it is filled, it was written.
        NEW.plan := coalesce(NEW.plan, NEW.profile);
    ELSIF NEW.plan IS NOT DISTINCT FROM OLD.plan THEN
        NEW.plan := NEW.profile;
    END IF;
    NEW.profile := NEW.plan;
    RETURN NEW;
END $$;
CREATE TRIGGER agencies_keep_plan BEFORE INSERT OR UPDATE OF plan, profile ON xm.agencies
    FOR EACH ROW EXECUTE FUNCTION xm.keep_plan();
CREATE TRIGGER rights_keep_plan BEFORE INSERT OR UPDATE OF plan, profile ON xm.rights
    FOR EACH ROW EXECUTE FUNCTION xm.keep_plan();
CREATE TRIGGER tariffs_keep_plan BEFORE INSERT OR UPDATE OF plan, profile ON xm.tariffs
    FOR EACH ROW EXECUTE FUNCTION xm.keep_plan();
