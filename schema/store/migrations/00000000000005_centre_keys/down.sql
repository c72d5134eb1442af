DROP TRIGGER certificates_refuse_revoked_key ON xm.certificates;
DROP TRIGGER certificates_revoke_key ON xm.certificates;
DROP TRIGGER agency_keys_revoke_certificates ON xm.agency_keys;
DROP TRIGGER agency_keys_touch ON xm.agency_keys;
DROP FUNCTION xm.refuse_revoked_key(), xm.revoke_key(), xm.revoke_certificates();
DROP INDEX xm.certificates_spki_sha256;
ALTER TABLE xm.agency_keys DROP COLUMN revoked_at, DROP COLUMN revoked_reason;
DROP TABLE xm.centre_addresses;
DROP TABLE xm.centre_keys;
