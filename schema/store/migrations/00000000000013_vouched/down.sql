UPDATE xm.quarantine_usage SET bytes_kept = bytes_kept + coalesce((SELECT sum(bytes_kept) FROM xm.quarantine_vouched), 0)
 WHERE reason = 'mail_malformed';
DELETE FROM xm.quarantine_usage WHERE reason = 'vouched';
DROP TABLE xm.quarantine_vouched;
ALTER TABLE xm.quarantine DROP COLUMN signer_beside;
