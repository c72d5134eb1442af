ALTER TABLE xm.letters DROP COLUMN cipher;
