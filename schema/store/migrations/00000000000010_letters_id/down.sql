CREATE INDEX CONCURRENTLY letters_id ON xm.letters USING brin (letter_id uuid_minmax_multi_ops);
