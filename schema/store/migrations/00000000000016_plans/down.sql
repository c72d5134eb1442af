DROP TRIGGER agencies_keep_plan ON xm.agencies;
DROP TRIGGER rights_keep_plan ON xm.rights;
DROP TRIGGER tariffs_keep_plan ON xm.tariffs;
DROP FUNCTION xm.keep_plan();
ALTER TABLE xm.agencies DROP COLUMN plan;
ALTER TABLE xm.rights DROP COLUMN plan;
ALTER TABLE xm.tariffs DROP COLUMN plan;
DROP VIEW xm.profiles;
ALTER TABLE xm.plans RENAME TO profiles;
