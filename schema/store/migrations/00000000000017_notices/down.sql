DELETE FROM xm.outbox WHERE transport = 'notice';
DROP TABLE xm.notices;
ALTER TABLE xm.installations DROP COLUMN transport, DROP COLUMN cipher, DROP COLUMN dictionary, DROP COLUMN certificate,
    DROP COLUMN notice_highest;
