-- expand
-- What a record said before it was corrected: who changed it, when and why. A correction that was older than what was held is here alone,
-- `superseded`: its content is what it would have made of the record. `letter_id` is the letter that last wrote what is kept, and
-- `replaced_by` the one that corrected it.
ALTER TABLE xm.history
    ADD COLUMN xm_numero  bigint,
    -- 'replace' or 'cancel'.
    ADD COLUMN action     text,
    ADD COLUMN superseded boolean NOT NULL DEFAULT false,
    ADD COLUMN reason     text,
    ADD COLUMN reference  text,
    -- Who at the centre approved it; absent where the agency decides alone.
    ADD COLUMN approved_by text;
CREATE INDEX history_letter ON xm.history (agency, replaced_by);
