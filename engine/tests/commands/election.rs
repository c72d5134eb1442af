//! Sentences about an election: loaded lists, held letters, flags and figures.

use crate::operators::{agencies, in_douala, write};
use crate::speaker::Speaker;

/// Commands about an election: figures, loaded lists, held letters and flags.
const ELECTION: &[&[&str]] = &[
    &["election", "show"],
    &["election", "missing"],
    &["election", "missing", "--area", "Littoral"],
    &["held", "list"],
    &["held", "show", "1"],
    &["held", "show", "2"],
    &["held", "release", "1", "--reason", "seen", "--waive", "ResultatBureau.other"],
    &["held", "release", "1", "--reason", "seen"],
    &["held", "refuse", "1", "--reason", "seen"],
    &["correction", "list"],
    &["correction", "confirm", "2", "--reason", "seen"],
    &["held", "show", "3"],
    &["held", "refuse", "3", "--reason", "seen"],
    &["approval", "list"],
    &["approval", "confirm", "1"],
    &["flag", "list"],
    &["flag", "explain", "1", "seen"],
    &["flag", "explain", "1", "seen"],
    &["flag", "list", "--with-explained"],
];

/// Inserts the rows that four letters would cause: a letter held by a check, a letter held for approval, a refused letter, and a letter
/// with a flag.
const HELD: &str = r#"
    INSERT INTO xm.held (agency, letter_id, attempt, installation, service, code, checks, tables, is_of_results, received_at, held_at,
                         transport, mailbox, sender_domain, original, state, decided_at, decided_by, reason)
    SELECT 1, ('00000000-0000-0000-0000-00000000000' || s.number)::uuid, 1, 'main', s.service, s.code, s.checks::jsonb,
           ARRAY[t.id], true, now(), now(), 'mail', 'main',
           'example.org', '', s.state, CASE s.state WHEN 'open' THEN NULL ELSE now() END,
           CASE s.state WHEN 'open' THEN NULL ELSE 'superviseur' END, CASE s.state WHEN 'open' THEN NULL ELSE 'seen' END
      FROM xm.tables t, (VALUES
           (1, 'export', 'check', '[{"table": "ResultatBureau", "check": "signatures_within_reference", "rows_total": 1,
                                  "rows": [{"row": 1, "arithmetic": "400 <= 305"}]}]', 'open'),
           (2, 'correct', 'approval', '[]', 'open'), (3, 'export', 'check', '[]', 'refused')) AS s (number, service, code, checks, state)
     WHERE t.name = 'ResultatBureau' ORDER BY s.number;
    INSERT INTO xm.held_rows (held, table_id, row_number, numero, content)
    SELECT 1, id, 1, 1, '{"BureauCode": "B1"}' FROM xm.tables WHERE name = 'ResultatBureau';
    INSERT INTO election."BureauVote" ("Status", "ElectionCode", "BureauCode", "Libelle", "Region", "Inscrits")
    VALUES (2, 'PR26', 'B1', 'Mairie', 'Littoral', 300);
    INSERT INTO election."VoixCandidat" ("Status", "ElectionCode", "BureauCode", "CandidatCode", "Voix") VALUES (2, 'PR26', 'B1', 'A', 3);
    INSERT INTO xm.flags (agency, letter_id, table_id, check_code, unjudged, rows, rows_total, flagged_at)
    SELECT 1, gen_random_uuid(), id, 'registered_differs', unjudged, '[{"row": 1, "arithmetic": "7 = 6"}]', 1, now()
      FROM xm.tables, unnest('{true,false}'::bool[]) AS unjudged WHERE name = 'ResultatBureau'"#;

#[tokio::test(flavor = "multi_thread")]
async fn no_sentence_of_an_election_comes_from_outside_the_catalogues() {
    let centre = in_douala().await;
    agencies(&centre, 1).await;
    centre.done(&["sample", "restore", "election"]);
    write(&centre, HELD).await;
    let (url, list) = (centre.url.clone().unwrap(), centre.place.path().join("list.csv"));
    let list = list.to_str().unwrap();
    std::fs::write(list, "ElectionCode,CandidatCode,Nom,Ordre\nPR26,A,Ngo,1\n").unwrap();
    let digest = sdc::digest::Digest::of(&std::fs::read(list).unwrap()).to_string();
    let account = centre.json(&["user", "list", "--json"])[0]["accounts"][0]["name"].as_str().unwrap().to_owned();
    let data = vec![
        url.as_str(),
        list,
        digest.as_str(),
        account.as_str(),
        "superviseur",
        "Superviseur",
        "Chef d'Agence",
        "Opérateur",
        "main",
        "mail",
        "export",
        "correct",
        "Mairie",
        "Littoral",
        "election",
        "BureauVote",
        "BureauCode",
        "CandidatElection",
        "ResultatBureau",
        "VoixCandidat",
        "signatures_within_reference",
        "registered_differs",
        "PR26",
        "seen",
    ];
    let speaker = Speaker::new(&centre, data);
    for arguments in ELECTION {
        speaker.says(arguments);
    }
    speaker.says(&["table", "load", "election.CandidatElection", list, "--dry-run"]);
    speaker.says(&["table", "load", "election.CandidatElection", list]);
    speaker.says(&["table", "load", "election.CandidatElection", list, "--approval", "9"]);
    for text in ["Nom\nNgo\n", "ElectionCode,CandidatCode,Nom,Ordre\nPR26,A,Ngo,first\n", "", "a,b\n1\n"] {
        std::fs::write(list, text).unwrap();
        speaker.with(&["Nom", "Ordre", "ElectionCode", "CandidatCode"]).says(&[
            "table",
            "load",
            "election.CandidatElection",
            list,
        ]);
    }
}
