ALTER TABLE xm.outbox DROP COLUMN attempt, DROP COLUMN part, DROP COLUMN certificate;
DROP TABLE xm.attempts;
DROP TABLE xm.answer_parts;
