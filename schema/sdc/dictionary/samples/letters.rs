//! Letters with records: acts of civil status, and results of polling stations.

use sdc::letter::Letter;
use serde_json::{Value, json};

use super::{Corpus, Dice, Registry, Row, table, without_empty};

fn birth(dice: &mut Dice, corpus: &Corpus, registry: &mut Registry) -> Row {
    let capitals = registry.capitals;
    let year = 2026 + dice.number(0, 4);
    let born = dice.date(i32::try_from(year).expect("a year"), 1);
    let has_father = dice.percent(92);
    let father = corpus.surname(dice, capitals);
    let nullable = |wanted: bool, value: Value| if wanted { value } else { Value::Null };
    let judged = dice.percent(4);
    let full = dice.percent(60);
    vec![
        ("Numero", json!(registry.numero())),
        ("Status", json!(2)),
        ("NumeroActe", json!(registry.act())),
        ("AnneeRegistre", json!(year)),
        ("CentreCode", json!(registry.centre_code)),
        ("DateActe", json!(dice.date(i32::try_from(year).expect("a year"), 1))),
        ("NomEnfant", json!(if has_father { father.clone() } else { corpus.surname(dice, capitals) })),
        ("PrenomsEnfant", json!(corpus.given_names(dice))),
        ("Sexe", json!(if dice.percent(51) { "M" } else { "F" })),
        ("DateNaissance", json!(born)),
        ("HeureNaissance", nullable(full, json!(dice.clock()))),
        (
            "LieuNaissance",
            json!(if dice.percent(50) { registry.town.clone() } else { dice.one(&corpus.places).to_owned() }),
        ),
        ("TypeNaissance", nullable(full, json!(if dice.percent(95) { "Simple" } else { "Gémellaire" }))),
        ("Poids", nullable(full, json!(dice.number(190, 450) * 10))),
        ("NomPere", nullable(has_father, json!(father))),
        ("PrenomsPere", nullable(has_father, json!(corpus.given_names(dice)))),
        ("DateNaissancePere", nullable(has_father && full, json!(dice.date(1965, 40)))),
        ("LieuNaissancePere", nullable(has_father && full, json!(dice.one(&corpus.places)))),
        ("NationalitePere", nullable(has_father && full, json!(registry.nationality))),
        ("ProfessionPere", nullable(has_father, json!(corpus.profession(dice)))),
        ("DomicilePere", nullable(has_father, json!(registry.town))),
        ("NomMere", json!(corpus.surname(dice, capitals))),
        ("PrenomsMere", json!(corpus.given_names(dice))),
        ("DateNaissanceMere", nullable(full, json!(dice.date(1975, 35)))),
        ("LieuNaissanceMere", nullable(full, json!(dice.one(&corpus.places)))),
        ("NationaliteMere", nullable(full, json!(registry.nationality))),
        ("ProfessionMere", json!(corpus.profession(dice))),
        ("DomicileMere", json!(registry.town)),
        ("NomDeclarant", nullable(dice.percent(80), json!(corpus.person(dice, capitals)))),
        ("QualiteDeclarant", nullable(dice.percent(80), json!(dice.one(&corpus.qualities)))),
        ("Officier", json!(registry.officer)),
        ("Secretaire", nullable(full, json!(registry.secretary))),
        ("JugementNumero", nullable(judged, json!(format!("{}/TPD/{}", dice.number(1, 900), year)))),
        ("JugementDate", nullable(judged, json!(dice.date(2026, 4)))),
        ("MentionMarginale", Value::Null),
        ("ActeUid", json!(dice.random_uuid())),
    ]
}

/// The 21 filled columns of a full birth record in the size test. The last is a random UUID, which no dictionary can compress.
pub const FULL_BIRTH: [&str; 21] = [
    "Numero",
    "Status",
    "NumeroActe",
    "AnneeRegistre",
    "CentreCode",
    "DateActe",
    "NomEnfant",
    "PrenomsEnfant",
    "Sexe",
    "DateNaissance",
    "LieuNaissance",
    "NomPere",
    "PrenomsPere",
    "ProfessionPere",
    "DomicilePere",
    "NomMere",
    "PrenomsMere",
    "ProfessionMere",
    "NomDeclarant",
    "Officier",
    "ActeUid",
];

/// Makes a letter of full birth records of one office.
pub fn full_births(dice: &mut Dice, corpus: &Corpus, count: usize) -> Letter {
    let mut registry = Registry::new(dice, corpus);
    let mut rows: Vec<Row> = Vec::new();
    while rows.len() < count {
        let mut row = birth(dice, corpus, &mut registry);
        row.retain(|(column, _)| FULL_BIRTH.contains(column));
        if row.iter().all(|(_, value)| !value.is_null()) {
            rows.push(row);
        }
    }
    registry.letter(dice, "ecr", vec![table("ActeNaissance", rows)])
}

pub fn births(dice: &mut Dice, corpus: &Corpus) -> Letter {
    let mut registry = Registry::new(dice, corpus);
    let count = if dice.percent(70) { 1 } else { dice.number(2, 6) };
    let rows = (0..count).map(|_| birth(dice, corpus, &mut registry)).collect();
    let acts = table("ActeNaissance", rows);
    let acts = if dice.percent(85) { without_empty(acts) } else { acts };
    registry.letter(dice, "ecr", vec![acts])
}

fn spouse(dice: &mut Dice, corpus: &Corpus, registry: &Registry, suffixed: [&'static str; 9]) -> Row {
    let capitals = registry.capitals;
    let values = [
        json!(corpus.surname(dice, capitals)),
        json!(corpus.given_names(dice)),
        json!(dice.date(1970, 35)),
        json!(dice.one(&corpus.places)),
        json!(registry.nationality),
        json!(corpus.profession(dice)),
        json!(registry.town),
        json!(corpus.person(dice, capitals)),
        json!(corpus.person(dice, capitals)),
    ];
    suffixed.into_iter().zip(values).collect()
}

pub fn marriage(dice: &mut Dice, corpus: &Corpus) -> Letter {
    let mut registry = Registry::new(dice, corpus);
    let capitals = registry.capitals;
    let mut row: Row = vec![
        ("Numero", json!(registry.numero())),
        ("Status", json!(2)),
        ("NumeroActe", json!(registry.act())),
        ("AnneeRegistre", json!(2026 + dice.number(0, 4))),
        ("CentreCode", json!(registry.centre_code)),
        ("DateMariage", json!(dice.date(2026, 4))),
        ("LieuMariage", json!(registry.town)),
        ("RegimeMatrimonial", json!(dice.of(&["mono", "poly"]))),
        ("RegimeBiens", json!(dice.of(&["Communauté de biens", "Séparation de biens"]))),
    ];
    row.extend(spouse(
        dice,
        corpus,
        &registry,
        [
            "NomEpoux",
            "PrenomsEpoux",
            "DateNaissanceEpoux",
            "LieuNaissanceEpoux",
            "NationaliteEpoux",
            "ProfessionEpoux",
            "DomicileEpoux",
            "NomPereEpoux",
            "NomMereEpoux",
        ],
    ));
    row.extend(spouse(
        dice,
        corpus,
        &registry,
        [
            "NomEpouse",
            "PrenomsEpouse",
            "DateNaissanceEpouse",
            "LieuNaissanceEpouse",
            "NationaliteEpouse",
            "ProfessionEpouse",
            "DomicileEpouse",
            "NomPereEpouse",
            "NomMereEpouse",
        ],
    ));
    row.extend([
        ("Temoin1", json!(corpus.person(dice, capitals))),
        ("Temoin2", json!(corpus.person(dice, capitals))),
        ("Officier", json!(registry.officer)),
        ("MentionMarginale", Value::Null),
        ("ActeUid", json!(dice.random_uuid())),
    ]);
    registry.letter(dice, "ecr", vec![without_empty(table("ActeMariage", vec![row]))])
}

pub fn death(dice: &mut Dice, corpus: &Corpus) -> Letter {
    let mut registry = Registry::new(dice, corpus);
    let capitals = registry.capitals;
    let status = ["Célibataire", "Marié", "Mariée", "Veuf", "Veuve", "Divorcé"];
    let row: Row = vec![
        ("Numero", json!(registry.numero())),
        ("Status", json!(2)),
        ("NumeroActe", json!(registry.act())),
        ("AnneeRegistre", json!(2026 + dice.number(0, 4))),
        ("CentreCode", json!(registry.centre_code)),
        ("DateDeces", json!(dice.date(2026, 4))),
        ("HeureDeces", if dice.percent(70) { json!(dice.clock()) } else { Value::Null }),
        ("LieuDeces", json!(dice.one(&corpus.places))),
        ("NomDefunt", json!(corpus.surname(dice, capitals))),
        ("PrenomsDefunt", json!(corpus.given_names(dice))),
        ("Sexe", json!(if dice.percent(51) { "M" } else { "F" })),
        ("DateNaissance", json!(dice.date(1935, 90))),
        ("LieuNaissance", json!(dice.one(&corpus.places))),
        ("Profession", json!(corpus.profession(dice))),
        ("Domicile", json!(registry.town)),
        ("SituationMatrimoniale", json!(dice.of(&status))),
        ("NomPere", json!(corpus.person(dice, capitals))),
        ("NomMere", json!(corpus.person(dice, capitals))),
        ("NomConjoint", if dice.percent(50) { json!(corpus.person(dice, capitals)) } else { Value::Null }),
        ("CauseDeces", if dice.percent(60) { json!(dice.one(&corpus.causes)) } else { Value::Null }),
        ("SourceCause", if dice.percent(60) { json!(dice.one(&corpus.terms)) } else { Value::Null }),
        ("NomDeclarant", json!(corpus.person(dice, capitals))),
        ("QualiteDeclarant", json!(dice.one(&corpus.qualities))),
        ("Officier", json!(registry.officer)),
        ("Secretaire", json!(registry.secretary)),
        ("ActeUid", json!(dice.random_uuid())),
    ];
    registry.letter(dice, "ecr", vec![without_empty(table("ActeDeces", vec![row]))])
}

pub fn marginal_note(dice: &mut Dice, corpus: &Corpus) -> Letter {
    let mut registry = Registry::new(dice, corpus);
    let reference = format!("{}/{}", dice.number(1, 900), dice.number(2026, 2030));
    let row: Row = vec![
        ("Numero", json!(registry.numero())),
        ("Status", json!(2)),
        ("CentreCode", json!(registry.centre_code)),
        ("ActeUid", json!(dice.random_uuid())),
        (
            "TypeMention",
            json!(dice.of(&[
                "Mariage",
                "Divorce",
                "Décès",
                "Reconnaissance",
                "Légitimation",
                "Adoption",
                "Rectification"
            ])),
        ),
        ("DateMention", json!(dice.date(2026, 4))),
        (
            "Texte",
            json!(format!("{} le {} à {}", dice.one(&corpus.terms), dice.date(2026, 4), dice.one(&corpus.places))),
        ),
        ("Reference", json!(reference)),
        ("Officier", json!(registry.officer)),
    ];
    registry.letter(dice, "ecr", vec![table("MentionMarginale", vec![row])])
}

/// Makes a letter with one station's result and the votes of its candidates.
pub fn result(dice: &mut Dice, corpus: &Corpus) -> Letter {
    let mut registry = Registry::new(dice, corpus);
    let election = format!("{}-{}", dice.of(&["PRES", "LEG", "MUN", "REG", "SEN", "REF"]), 2026 + dice.number(0, 4));
    let bureau = format!("{}-{:03}", registry.centre_code, dice.number(1, 200));
    let registered = dice.number(120, 700);
    let signed = dice.number(registered / 4, registered);
    let (null, blank) = (dice.number(0, 20), dice.number(0, 9));
    let valid = signed.saturating_sub(null + blank);
    let candidates = dice.number(2, 12);
    let mut left = valid;
    let mut votes: Vec<Row> = Vec::new();
    for candidate in 1..=candidates {
        let share = if candidate == candidates { left } else { dice.number(0, left) };
        left -= share;
        votes.push(vec![
            ("Numero", json!(registry.numero())),
            ("Status", json!(2)),
            ("ElectionCode", json!(election)),
            ("BureauCode", json!(bureau)),
            ("CandidatCode", json!(format!("{candidate:02}"))),
            ("Voix", json!(share)),
        ]);
    }
    let station: Row = vec![
        ("Numero", json!(registry.numero())),
        ("Status", json!(2)),
        ("ElectionCode", json!(election)),
        ("BureauCode", json!(bureau)),
        ("Inscrits", json!(registered)),
        ("Emargements", json!(signed)),
        ("BulletinsTrouves", json!(signed)),
        ("Nuls", json!(null)),
        ("Blancs", json!(blank)),
        ("Exprimes", json!(valid)),
        ("HeureCloture", json!(dice.of(&["18:00", "18:05", "18:10", "18:30", "19:00"]))),
        ("President", json!(registry.officer)),
        ("Delegues", json!(dice.number(0, candidates))),
        ("PvSha256", json!(dice.octets::<32>().map(|octet| format!("{octet:02x}")).concat())),
    ];
    registry.letter(dice, "election", vec![table("ResultatBureau", vec![station]), table("VoixCandidat", votes)])
}
