-- expand
-- How agencies are found among a hundred thousand: by area, by any text, in any order.

-- A text without accents and case. Normalization to NFD makes each accent a character of its own, which is removed before `lower`: in the
-- private database's locale, `lower` changes only ASCII letters.
CREATE FUNCTION xm.folded(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(regexp_replace(normalize(words, NFD), '[\u0300-\u036f]', '', 'g'))
$$;

ALTER TABLE xm.agencies
    -- The areas that the agency lies in, from the largest to the smallest, as in `Littoral/Sanaga-Maritime`; empty where nobody named any.
    ADD COLUMN area text NOT NULL DEFAULT '' CONSTRAINT agencies_area_check CHECK (area ~ '^([^/[:cntrl:]]+(/[^/[:cntrl:]]+)*)?$');
ALTER TABLE xm.agencies
    -- What a search by text looks through.
    ADD COLUMN searched text GENERATED ALWAYS AS (xm.folded(
        name || E'\n' || town || E'\n' || area || E'\n' || telephone || E'\n' || email || E'\n' || lpad(matricule::text, 6, '0'))) STORED;

-- In the order of characters, and not of a language: a list by name must go on at the same place on every server.
CREATE INDEX agencies_by_name ON xm.agencies ((xm.folded(name) COLLATE "C"), matricule);
CREATE INDEX agencies_by_town ON xm.agencies ((xm.folded(town) COLLATE "C"), matricule);
-- With a stroke at its end, an area and all that lies in it are one range of the index.
CREATE INDEX agencies_by_area ON xm.agencies (((xm.folded(area) || '/') COLLATE "C"), matricule);

-- Without pg_trgm a search reads all agencies, which takes some tens of milliseconds for a hundred thousand.
DO $$
DECLARE
    place text;
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        BEGIN
            CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA xm;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'the owner of this database may not create pg_trgm: searches for agencies go without it';
        END;
    END IF;
    SELECT n.nspname INTO place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm';
    IF place IS NOT NULL THEN
        EXECUTE format('CREATE INDEX agencies_searched ON xm.agencies USING gin (searched %I.gin_trgm_ops)', place);
    END IF;
END $$;

ALTER TABLE xm.installations
    -- When the letter of the installation's highest number came; absent until one has come.
    ADD COLUMN heard_at    timestamptz,
    -- How many days lie between two days with letters, as a mean in which the latest count most; absent until there were two.
    ADD COLUMN rhythm_days real CONSTRAINT installations_rhythm_check CHECK (rhythm_days > 0);
-- One look into an index for each installation, however many letters there are.
UPDATE xm.installations i SET heard_at = last.received_at
  FROM (SELECT o.agency, o.name, l.received_at
          FROM xm.installations o
         CROSS JOIN LATERAL (SELECT * FROM xm.letters l
                              WHERE l.agency = o.agency AND l.installation = o.name AND l.sequence = o.sequence_highest
                              LIMIT 1) l) last
 WHERE last.agency = i.agency AND last.name = i.name;
