//! Invented letters and answers, made from lists of names by a fixed sequence of numbers: the same on every machine.
//!
//! The recipe trains the dictionary with them; the size test makes its records from names that the recipe never saw.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use sdc::letter::{Addressee, Answer, FORMAT_VERSION, Letter, Mode, Office, Records, Request, TableRecords};
use sdc::receipt::{AccountReceipt, Receipt, TableReceipt, Verdict};
use sdc::refusal::{Refusal, RefusalCode, RowFault};
use serde_json::{Value, json};
use uuid::Builder;

/// A sequence of numbers (SplitMix64) that never changes with a library.
pub struct Dice(u64);

impl Dice {
    /// Begins a sequence.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number of the range, both ends included.
    pub fn number(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// Draws true so many times in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    /// Draws one of a list.
    pub fn one<'a>(&mut self, list: &'a [String]) -> &'a str {
        let count = u64::try_from(list.len()).expect("a short list");
        &list[usize::try_from(self.next() % count).expect("an index")]
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.number(1, list.len() as u64)).expect("an index") - 1]
    }

    fn octets<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }

    fn random_uuid(&mut self) -> String {
        Builder::from_random_bytes(self.octets()).into_uuid().to_string()
    }

    fn time(&mut self) -> DateTime<Utc> {
        let start = DateTime::from_timestamp(1_767_225_600, 0).expect("2026");
        start + Duration::seconds(i64::try_from(self.number(0, 5 * 365 * 86_400)).expect("seconds"))
    }

    fn date(&mut self, from_year: i32, years: u64) -> String {
        let first = NaiveDate::from_ymd_opt(from_year, 1, 1).expect("a date");
        (first + Duration::days(i64::try_from(self.number(0, years * 365)).expect("days"))).to_string()
    }

    fn clock(&mut self) -> String {
        let minutes = u32::try_from(self.number(0, 1439)).expect("minutes");
        NaiveTime::from_hms_opt(minutes / 60, minutes % 60, 0).expect("a time").format("%H:%M").to_string()
    }
}

/// Lists of names.
pub struct Corpus {
    pub surnames: Vec<String>,
    pub given_names: Vec<String>,
    pub places: Vec<String>,
    pub occupations: Vec<String>,
    pub qualities: Vec<String>,
    pub nationalities: Vec<String>,
    pub causes: Vec<String>,
    pub terms: Vec<String>,
    /// Names that two of five people bear; empty where only rare ones are wanted.
    pub frequent_surnames: Vec<String>,
    pub frequent_given_names: Vec<String>,
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

impl Corpus {
    /// Returns the lists that the dictionary is trained with.
    pub fn published() -> Corpus {
        Corpus {
            surnames: lines(include_str!("corpus/surnames.txt")),
            given_names: lines(include_str!("corpus/given_names.txt")),
            places: lines(include_str!("corpus/places.txt")),
            occupations: lines(include_str!("corpus/occupations.txt")),
            qualities: lines(include_str!("corpus/qualities.txt")),
            nationalities: lines(include_str!("corpus/nationalities.txt")),
            causes: lines(include_str!("corpus/causes.txt")),
            terms: lines(include_str!("corpus/terms.txt")),
            frequent_surnames: lines(include_str!("corpus/frequent_surnames.txt")),
            frequent_given_names: lines(include_str!("corpus/frequent_given_names.txt")),
        }
    }

    /// Returns lists whose names and places are in no sample.
    pub fn held_out() -> Corpus {
        let of_kind = |kind: &str| {
            let pairs = include_str!("held_out.txt").lines().filter_map(|line| line.split_once('\t'));
            pairs.filter(|(of, _)| *of == kind).map(|(_, name)| name.to_owned()).collect()
        };
        Corpus {
            surnames: of_kind("surname"),
            given_names: of_kind("given_name"),
            places: of_kind("place"),
            frequent_surnames: Vec::new(),
            frequent_given_names: Vec::new(),
            ..Corpus::published()
        }
    }

    fn surname(&self, dice: &mut Dice, capitals: bool) -> String {
        let is_frequent = !self.frequent_surnames.is_empty() && dice.percent(40);
        let list = if is_frequent { &self.frequent_surnames } else { &self.surnames };
        let mut name = dice.one(list).to_owned();
        if dice.percent(15) {
            name = format!("{name} {}", dice.one(&self.surnames));
        }
        if capitals { name.to_uppercase() } else { name }
    }

    fn given_names(&self, dice: &mut Dice) -> String {
        let one = |dice: &mut Dice| {
            let is_frequent = !self.frequent_given_names.is_empty() && dice.percent(40);
            dice.one(if is_frequent { &self.frequent_given_names } else { &self.given_names }).to_owned()
        };
        let first = one(dice);
        if dice.percent(45) { format!("{first} {}", one(dice)) } else { first }
    }

    fn person(&self, dice: &mut Dice, capitals: bool) -> String {
        format!("{} {}", self.surname(dice, capitals), self.given_names(dice))
    }

    fn profession(&self, dice: &mut Dice) -> String {
        dice.one(&self.occupations).to_owned()
    }
}

/// One office with its habits.
pub struct Registry {
    centre_code: String,
    town: String,
    officer: String,
    secretary: String,
    nationality: String,
    capitals: bool,
    head: Office,
    server: String,
    next_act: u64,
    next_numero: u64,
    sequence: u64,
    mode: Mode,
}

impl Registry {
    /// Invents an office.
    pub fn new(dice: &mut Dice, corpus: &Corpus) -> Registry {
        let capitals = dice.percent(70);
        let code = match dice.number(0, 2) {
            0 => format!("CE-{:04}", dice.number(1, 9999)),
            1 => format!("{:03}-{:02}", dice.number(1, 400), dice.number(1, 60)),
            _ => format!("{}{:03}", dice.of(&["LT", "OU", "SU", "EN", "AD", "NO", "CE", "ES"]), dice.number(1, 999)),
        };
        let agency = u32::try_from(dice.number(1, 100_000)).expect("a matricule");
        Registry {
            centre_code: code,
            town: dice.one(&corpus.places).to_owned(),
            officer: corpus.person(dice, capitals),
            secretary: corpus.person(dice, capitals),
            nationality: dice.one(&corpus.nationalities).to_owned(),
            capitals,
            head: Office {
                agency: agency.try_into().expect("in range"),
                installation: format!("{}{}", dice.of(&["pc", "ecr-", "poste", "bureau-"]), dice.number(1, 3)),
            },
            server: dice.of(&["centre", "bunec", "etat-civil", "ceni", "elecam", "centre-national"]).to_owned(),
            next_act: dice.number(1, 3000),
            next_numero: dice.number(1, 20_000),
            sequence: dice.number(1, 3000),
            mode: if dice.percent(95) { Mode::Live } else { Mode::Test },
        }
    }

    fn act(&mut self) -> u64 {
        self.next_act += 1;
        self.next_act
    }

    fn numero(&mut self) -> u64 {
        self.next_numero += 1;
        self.next_numero
    }

    fn letter(&mut self, dice: &mut Dice, application: &str, tables: Vec<TableRecords>) -> Letter {
        self.sequence += 1;
        let time = dice.time();
        Letter {
            sdc: FORMAT_VERSION,
            id: id_of(time, dice),
            from: self.head.clone(),
            to: self.server.clone(),
            sequence: self.sequence,
            time,
            mode: self.mode,
            request: Request::Export(Records { application: application.to_owned(), tables }),
        }
    }
}

fn id_of(time: DateTime<Utc>, dice: &mut Dice) -> uuid::Uuid {
    let millis = u64::try_from(time.timestamp_millis()).expect("after 1970") + dice.number(0, 999);
    Builder::from_unix_timestamp_millis(millis, &dice.octets()).into_uuid()
}

type Row = Vec<(&'static str, Value)>;

/// Turns rows of the same columns into a table as it travels.
fn table(name: &str, rows: Vec<Row>) -> TableRecords {
    let columns = rows[0].iter().map(|(column, _)| (*column).to_owned()).collect();
    let values = (0..rows[0].len()).map(|c| rows.iter().map(|row| row[c].1.clone()).collect()).collect();
    TableRecords { table: name.to_owned(), columns, values }
}

/// Drops the columns that no row fills, as an office does.
fn without_empty(mut table: TableRecords) -> TableRecords {
    let keep: Vec<bool> = table.values.iter().map(|column| column.iter().any(|value| !value.is_null())).collect();
    let mut kept = keep.iter();
    table.columns.retain(|_| *kept.next().expect("as many"));
    let mut kept = keep.iter();
    table.values.retain(|_| *kept.next().expect("as many"));
    table
}

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

/// The 21 filled columns of a full birth record in the size test; a random UUID is the last.
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

fn births(dice: &mut Dice, corpus: &Corpus) -> Letter {
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

fn marriage(dice: &mut Dice, corpus: &Corpus) -> Letter {
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

fn death(dice: &mut Dice, corpus: &Corpus) -> Letter {
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

fn marginal_note(dice: &mut Dice, corpus: &Corpus) -> Letter {
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

fn refusal(dice: &mut Dice) -> Refusal {
    let told: Vec<RefusalCode> = RefusalCode::ALL.iter().copied().filter(|code| code.is_answered()).collect();
    let code = told[usize::try_from(dice.number(1, told.len() as u64)).expect("an index") - 1];
    let refusal = Refusal::new(code);
    match code {
        RefusalCode::RowsInvalid | RefusalCode::OutOfScope | RefusalCode::Conflict | RefusalCode::CheckFailed => {
            let rules = [
                ("type", "date YYYY-MM-DD"),
                ("not_null", ""),
                ("length", "at most 80 characters"),
                ("scope", ""),
                ("conflict", ""),
                ("type", "an integer"),
            ];
            let (rule, expected) = rules[usize::try_from(dice.number(0, 5)).expect("an index")];
            let fault = RowFault {
                table: dice
                    .of(&["ActeNaissance", "ActeDeces", "ActeMariage", "ResultatBureau", "VoixCandidat"])
                    .to_owned(),
                row: u32::try_from(dice.number(1, 9)).expect("a row"),
                column: Some(
                    dice.of(&["CentreCode", "DateNaissance", "NomEnfant", "BureauCode", "Exprimes"]).to_owned(),
                ),
                rule: rule.to_owned(),
                expected: expected.to_owned(),
            };
            refusal.with_faults(vec![fault])
        }
        RefusalCode::LetterConflict | RefusalCode::SequenceConflict | RefusalCode::AgencySuspended => refusal,
        RefusalCode::InsufficientCredit => {
            refusal.with("balance", dice.number(0, 99)).with("price", dice.number(100, 999))
        }
        _ => refusal.with("expected", dice.number(1, 9)).with("found", dice.number(1, 9)),
    }
}

/// Makes the answer to a letter: accepted four times in five.
pub fn answer(dice: &mut Dice, corpus: &Corpus) -> Answer {
    let mut registry = Registry::new(dice, corpus);
    registry.sequence += 1;
    let received = dice.time();
    let refusal = if dice.percent(20) { Some(refusal(dice)) } else { None };
    let is_refused = refusal.is_some();
    let tables: &[&str] = match dice.number(0, 4) {
        0 => &["ResultatBureau", "VoixCandidat"],
        1 => &["ActeDeces"],
        2 => &["ActeMariage"],
        _ => &["ActeNaissance"],
    };
    let row = |table: &&str| TableReceipt { table: (*table).to_owned(), new: 1, duplicate: 0 };
    let receipt = Receipt {
        letter: Some(id_of(received, dice)),
        digest: dice.octets::<32>().map(|octet| format!("{octet:02x}")).concat(),
        sequence: Some(registry.sequence),
        attempt: 1,
        verdict: if is_refused { Verdict::Refused } else { Verdict::Accepted },
        remedy: refusal.as_ref().and_then(|refusal| refusal.code.remedy()),
        refusal,
        rows: if is_refused { Vec::new() } else { tables.iter().map(row).collect() },
        account: AccountReceipt {
            cost: i64::try_from(dice.number(0, 20) * 25).expect("a price"),
            balance: i64::try_from(dice.number(0, 4000) * 25).expect("a balance") - 5000,
            currency: dice
                .of(&["XAF", "XAF", "XOF", "XOF", "CDF", "GNF", "BIF", "RWF", "MGA", "MRU", "DJF", "KMF"])
                .to_owned(),
        },
        highest_sequence: registry.sequence,
        received,
        skew_seconds: Some(i64::try_from(dice.number(0, 400)).expect("seconds") - 200),
    };
    Answer {
        sdc: FORMAT_VERSION,
        id: id_of(received, dice),
        from: registry.server,
        to: Addressee { agency: registry.head.agency, installation: Some(registry.head.installation) },
        time: received,
        mode: registry.mode,
        receipt,
    }
}

/// Makes the JSON of the samples, in the proportions of a year with an election.
pub fn all(corpus: &Corpus, count: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice::new(1);
    let json = |letter: Letter| serde_json::to_vec(&letter).expect("a letter has a JSON form");
    (0..count)
        .map(|_| match dice.number(0, 99) {
            0..=49 => json(births(&mut dice, corpus)),
            50..=57 => json(marriage(&mut dice, corpus)),
            58..=67 => json(death(&mut dice, corpus)),
            68..=70 => json(marginal_note(&mut dice, corpus)),
            71..=82 => json(result(&mut dice, corpus)),
            _ => serde_json::to_vec(&answer(&mut dice, corpus)).expect("an answer has a JSON form"),
        })
        .collect()
}
