DROP TRIGGER certificates_stay_revoked ON xm.certificates;
DROP FUNCTION xm.stay_revoked();
