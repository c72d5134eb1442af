ALTER TABLE xm.installations DROP COLUMN heard_at, DROP COLUMN rhythm_days;
DROP INDEX IF EXISTS xm.agencies_searched;
DROP INDEX xm.agencies_by_area, xm.agencies_by_town, xm.agencies_by_name;
ALTER TABLE xm.agencies DROP COLUMN searched, DROP COLUMN area;
DROP FUNCTION xm.folded(text);
