-- Figures of the sample election, for everybody's SQL and for Grafana. What is held, contested or refused is in none of the sums.

-- One row for each station of the list, in exactly one state:
--   contested   its result is in the tables, and another one was refused as a conflict and waits in quarantine: neither counts
--   held        a letter with its result is held until people decide, and nothing of it is in the tables
--   correcting  its result is in the tables, and a correction waits
--   flagged     its result is in the tables, and a check of severity `flag` speaks of its letter, explained or not
--   counted     its result is in the tables, and all checks hold
--   missing     nothing was accepted, and nothing is held
CREATE VIEW election.states AS
WITH waiting AS (
    SELECT n.content ->> 'ElectionCode' AS election, n.content ->> 'BureauCode' AS bureau,
           bool_or(n.code = 'check') AS is_held, bool_or(n.code = 'approval') AS is_correcting
      FROM (SELECT h.code, CASE h.code WHEN 'approval' THEN r.content -> 'before' ELSE r.content END AS content
              FROM xm.held h JOIN xm.held_rows r ON r.held = h.id
              JOIN xm.tables t ON t.id = r.table_id AND t.application = 'election' AND t.name IN ('ResultatBureau', 'VoixCandidat')
             WHERE h.state = 'open') n
     GROUP BY 1, 2
), contested AS (
    SELECT DISTINCT v.value ->> 'ElectionCode' AS election, v.value ->> 'BureauCode' AS bureau
      FROM xm.quarantine q
     CROSS JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(q.held_version) = 'array' THEN q.held_version ELSE '[]' END) v
     WHERE q.state = 'open' AND q.reason = 'conflict' AND jsonb_typeof(v.value) = 'object'
), flagged AS (
    SELECT DISTINCT agency, letter_id FROM xm.flags
)
SELECT s."ElectionCode" AS election, s."BureauCode" AS bureau, s."Libelle" AS name, s."Region" AS region, s."Departement" AS departement,
       s."Arrondissement" AS arrondissement, s."Commune" AS commune, s."CentreVote" AS centre_vote, s."Inscrits" AS registered,
       s."Telephone" AS telephone,
       CASE WHEN r."Numero" IS NOT NULL AND c.bureau IS NOT NULL THEN 'contested'
            WHEN r."Numero" IS NULL AND w.is_held THEN 'held'
            WHEN r."Numero" IS NULL THEN 'missing'
            WHEN w.is_correcting OR w.is_held THEN 'correcting'
            WHEN f.letter_id IS NOT NULL THEN 'flagged'
            ELSE 'counted' END AS state,
       r."Numero" IS NOT NULL AND c.bureau IS NULL AS is_counted, r.xm_agency AS agency, r.xm_letter AS letter
  FROM election."BureauVote" s
  LEFT JOIN election."ResultatBureau" r
         ON r."ElectionCode" = s."ElectionCode" AND r."BureauCode" = s."BureauCode" AND r."Status" <> 0
  LEFT JOIN waiting w ON w.election = s."ElectionCode" AND w.bureau = s."BureauCode"
  LEFT JOIN contested c ON c.election = s."ElectionCode" AND c.bureau = s."BureauCode"
  LEFT JOIN flagged f ON f.agency = r.xm_agency AND f.letter_id = r.xm_letter
 WHERE s."Status" <> 0;
COMMENT ON VIEW election.states IS 'Each polling station of the list in exactly one state';

-- Each contest in each area: level 0 is the country, 1 to 5 the areas from the largest to the smallest. Stations of the list alone.
CREATE VIEW election.totals AS
SELECT s.election, 5 - (grouping(s.region) + grouping(s.departement) + grouping(s.arrondissement) + grouping(s.commune)
                        + grouping(s.centre_vote)) AS level,
       s.region, s.departement, s.arrondissement, s.commune, s.centre_vote,
       count(*) AS stations, count(*) FILTER (WHERE s.is_counted) AS stations_counted,
       sum(s.registered) AS registered, coalesce(sum(s.registered) FILTER (WHERE s.is_counted), 0) AS registered_counted,
       coalesce(sum(r."Emargements"), 0) AS signatures, coalesce(sum(r."BulletinsTrouves"), 0) AS ballots,
       coalesce(sum(r."Nuls"), 0) AS void, coalesce(sum(r."Blancs"), 0) AS blank, coalesce(sum(r."Exprimes"), 0) AS valid
  FROM election.states s
  LEFT JOIN election."ResultatBureau" r
         ON s.is_counted AND r."ElectionCode" = s.election AND r."BureauCode" = s.bureau AND r."Status" <> 0
 GROUP BY s.election, ROLLUP (s.region, s.departement, s.arrondissement, s.commune, s.centre_vote);
COMMENT ON VIEW election.totals IS 'Figures of each contest in each area; level 0 is the country';

-- The votes of each candidate in each area.
CREATE VIEW election.votes AS
SELECT s.election, 5 - (grouping(s.region) + grouping(s.departement) + grouping(s.arrondissement) + grouping(s.commune)
                        + grouping(s.centre_vote)) AS level,
       s.region, s.departement, s.arrondissement, s.commune, s.centre_vote,
       v."CandidatCode" AS candidate, min(k."Nom") AS name, min(k."Ordre") AS ballot_order, sum(v."Voix") AS votes
  FROM election.states s
  JOIN election."VoixCandidat" v ON v."ElectionCode" = s.election AND v."BureauCode" = s.bureau AND v."Status" <> 0
  LEFT JOIN election."CandidatElection" k
         ON k."ElectionCode" = v."ElectionCode" AND k."CandidatCode" = v."CandidatCode" AND k."Status" <> 0
 WHERE s.is_counted
 GROUP BY s.election, v."CandidatCode", ROLLUP (s.region, s.departement, s.arrondissement, s.commune, s.centre_vote);
COMMENT ON VIEW election.votes IS 'Votes of each candidate in each area; level 0 is the country';

-- The stations of which nothing was accepted and nothing is held, with whom to call: the most registered voters first.
CREATE VIEW election.missing AS
SELECT s.election, s.bureau, s.name, s.region, s.departement, s.arrondissement, s.commune, s.centre_vote, s.registered, s.telephone,
       a.matricule AS agency, a.name AS agency_name, a.telephone AS agency_telephone
  FROM election.states s
  LEFT JOIN (SELECT DISTINCT ON (code) code, agency FROM xm.scopes WHERE column_name = 'BureauCode' ORDER BY code, agency) o
         ON o.code = s.bureau
  LEFT JOIN xm.agencies a ON a.matricule = o.agency
 WHERE s.state = 'missing';
COMMENT ON VIEW election.missing IS 'Polling stations that have not sent their result, with whom to call';
