-- expand
-- The agency that signed a letter of a mail which is kept for it, in the room of such mails; and what each agency has of that room.
-- The whole of it is a row of xm.quarantine_usage, under `vouched`.
ALTER TABLE xm.quarantine ADD COLUMN signer_beside integer;
CREATE TABLE xm.quarantine_vouched (
    agency     integer PRIMARY KEY,
    bytes_kept bigint  NOT NULL CHECK (bytes_kept >= 0)
);
