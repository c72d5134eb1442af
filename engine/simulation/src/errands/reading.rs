//! Errands that read: the office asks for records, or has papers compared with the centre's records.

use agency::office::PackError;
use sdc::letter::Matricule;
use sdc::refusal::RefusalCode;
use sdc::request::{Again, Certified, Import, Request, Selection};
use sdc::service::Service;
use serde_json::{Value, json};

use super::{Desk, Errand, Errands, On};
use crate::dice::Dice;
use crate::memory::rows::name_column;
use crate::memory::{Effect, Expected, Paper, Wanted};
use crate::records::YEAR;
use crate::rules::{self, BIRTHS, DEATHS};

/// The number of births of its own register that an office asks for in one letter.
const BIRTHS_READ: usize = 8;
/// The number of births of another agency that an office asks for in one letter.
const OTHERS_READ: i64 = 80;
/// The number of papers of another agency that an office with a right to records has compared in one letter. The answer comes in several
/// parts.
const OTHERS_COMPARED: i64 = 60;
/// The number of an act that is higher than any register reaches.
const NO_SUCH_ACT: i64 = 900_000;
/// Largest number of records that the office asks for by number and name only.
const BRIEF_MAX: usize = 5;
/// The beginnings of surnames that the office searches for.
const PREFIXES: [&str; 6] = ["A", "B", "K", "M", "N", "Ng"];

/// Statements that the centre must refuse, because they are outside the restricted SELECT that imports may use.
const REFUSED: [&str; 6] = [
    "SELECT count(*) FROM ecr.ActeNaissance",
    "SELECT NomEnfant FROM ecr.ActeNaissance; DROP TABLE ecr.ActeNaissance",
    "SELECT n.NomEnfant FROM ecr.ActeNaissance n JOIN ecr.ActeDeces d ON true",
    "SELECT NomEnfant FROM ecr.ActeNaissance WHERE pg_sleep(1) IS NULL",
    "SELECT NomEnfant FROM ecr.ActeNaissance UNION SELECT name FROM xm.agencies",
    "SELECT Mot_de_passe FROM xm.users",
];

/// The kind of an import, which is a request for records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All deaths that the agency has sent.
    Table,
    /// Some births, chosen by their numbers.
    Births,
    /// The deaths that have changed since a former import.
    Since,
    /// Only the numbers and names of some deaths.
    Brief,
    /// The first part of a former answer, once more.
    Again,
    /// A statement that no agency may use; the centre refuses it.
    Refused,
    /// A table that this agency may not read; the centre refuses it.
    NotGranted,
    /// The number of some births, without the births themselves.
    Estimate,
}

const KINDS: [Kind; 8] =
    [Kind::Table, Kind::Births, Kind::Since, Kind::Again, Kind::Refused, Kind::Brief, Kind::Estimate, Kind::NotGranted];

impl Errands {
    /// Chooses the kind of the next import. A kind that builds on births or on a former import, where there is none yet, is replaced by the
    /// import of the whole table.
    fn import(&self) -> Kind {
        let kind = KINDS[(self.times(Service::Import) + self.at) % KINDS.len()];
        let can = match kind {
            Kind::Births | Kind::Estimate => !self.shelf.births.is_empty(),
            Kind::Since => self.table_read.is_some(),
            Kind::Again => self.last_read.is_some(),
            Kind::Table | Kind::Brief | Kind::Refused | Kind::NotGranted => true,
        };
        if can { kind } else { Kind::Table }
    }

    pub(super) fn must_wait_to_read(&self) -> bool {
        let is_ready = match self.import() {
            Kind::Births | Kind::Estimate => self.shelf.births.iter().take(BIRTHS_READ).all(|act| act.is_answered),
            Kind::Since => self.table_read.is_some_and(|letter| self.positions.contains_key(&letter)),
            _ => true,
        };
        !(is_ready && self.is_over(Service::Import))
    }
}

impl Desk {
    pub(super) fn import(&mut self, other: Matricule, dice: &mut Dice) -> Result<Errand, PackError> {
        let kind = self.errands.import();
        let own = self.office.matricule();
        let (import, expected) = match kind {
            Kind::Table => (all_of("ActeDeces", None), given(Effect::Read(wanted(DEATHS, own)), 0)),
            Kind::Since => {
                let since = self.errands.table_read;
                let position = since.and_then(|letter| self.errands.positions.remove(&letter)).unwrap_or_default();
                let wanted = Wanted { since, ..wanted(DEATHS, own) };
                (all_of("ActeDeces", Some(&position)), given(Effect::Read(wanted), 0))
            }
            Kind::Births | Kind::Estimate => self.births(other, kind == Kind::Estimate),
            Kind::Brief => self.brief(dice),
            Kind::Again => self.part_again(),
            Kind::Refused => {
                let select = (*dice.pick(&REFUSED)).to_owned();
                (Import::Select { select, estimate: false }, Expected::Refused(RefusalCode::SelectRefused))
            }
            Kind::NotGranted => (all_of("ActeMariage", None), Expected::Refused(RefusalCode::TableNotGranted)),
        };
        let errand = self.ask(Request::Import(import), expected)?;
        let letter = errand.packed.letter_id;
        let errands = &mut self.errands;
        let is_read = !matches!(kind, Kind::Again | Kind::Refused | Kind::NotGranted);
        if is_read {
            errands.last_read = Some((letter, 0));
        }
        if matches!(kind, Kind::Table | Kind::Since) {
            errands.table_read = Some(letter);
        }
        errands.wait(Service::Import, letter, if is_read { On::LastPart } else { On::Receipt });
        Ok(errand)
    }

    /// Asks for some births: those of another agency if the agency's plan allows that, otherwise the oldest of the agency's own births on
    /// its shelf.
    fn births(&self, other: Matricule, is_estimate: bool) -> (Import, Expected) {
        let errands = &self.errands;
        let births = errands.shelf.births.iter().take(BIRTHS_READ);
        let numbers: Vec<i64> = births.map(|act| act.number).collect();
        let (of, numbers, acts) = if errands.is_prefecture {
            (other, (1, OTHERS_READ), 0)
        } else {
            let ends = (numbers.iter().min().copied().unwrap_or(1), numbers.iter().max().copied().unwrap_or(1));
            (self.office.matricule(), ends, i64::try_from(numbers.len()).unwrap_or(0))
        };
        let select = format!(
            "SELECT * FROM ecr.ActeNaissance WHERE CentreCode = 'C{of}' AND NumeroActe BETWEEN {} AND {} ORDER BY NumeroActe",
            numbers.0, numbers.1
        );
        let per_act = rules::price(errands.plan(), "import", BIRTHS);
        let wanted = Wanted { numbers: Some(numbers), per_act, ..wanted(BIRTHS, of) };
        let expected = match is_estimate {
            true => given(Effect::Estimated(wanted), 0),
            false => given(Effect::Read(wanted), acts * per_act),
        };
        (Import::Select { select, estimate: is_estimate }, expected)
    }

    fn brief(&self, dice: &mut Dice) -> (Import, Expected) {
        let prefix = *dice.pick(&PREFIXES);
        let select = format!(
            "select NumeroActe, nomdefunt from ActeDeces where CentreCode = '{}' and NomDefunt like '{prefix}%' \
             order by NumeroActe desc limit {BRIEF_MAX}",
            self.register.centre_code()
        );
        let wanted = Wanted {
            name_prefix: Some(prefix.to_owned()),
            is_brief: true,
            limit: Some(BRIEF_MAX),
            ..wanted(DEATHS, self.office.matricule())
        };
        (Import::Select { select, estimate: false }, given(Effect::Read(wanted), 0))
    }

    fn part_again(&mut self) -> (Import, Expected) {
        let (letter, asked) = self.errands.last_read.unwrap_or_default();
        let asked = asked + 1;
        self.errands.last_read = Some((letter, asked));
        let again = Again { letter, parts: vec![1] };
        (Import::Again { again }, given(Effect::Again { letter, parts: vec![1], times: asked + 1 }, 0))
    }

    /// Has papers compared with the centre's records. By turns these are papers of its own births (with the surname), of another agency's
    /// births, and of its own deaths (both by number only).
    pub(super) fn certify(&mut self, other: Matricule, dice: &mut Dice) -> Result<Errand, PackError> {
        let shelf = &self.errands.shelf;
        let own = self.office.matricule();
        let (times, no_name) = (self.errands.times(Service::Certify), || "Personne".to_owned());
        let (table, papers) = match times % 3 {
            0 => {
                let mut papers: Vec<Paper> =
                    shelf.births.iter().take(2).map(|act| paper(own, act.number, Some(act.name.clone()))).collect();
                papers.extend(shelf.births.back().map(|act| paper(own, act.number, Some(no_name()))));
                papers.push(paper(own, NO_SUCH_ACT, Some(no_name())));
                (BIRTHS, papers)
            }
            1 if self.errands.is_prefecture => {
                (BIRTHS, (1..=OTHERS_COMPARED).map(|number| paper(other, number, None)).collect())
            }
            1 => (BIRTHS, (0..=dice.between(0, 2)).map(|_| paper(other, dice.between(1, 9), None)).collect()),
            _ => {
                let deaths = shelf.deaths.iter().take(2).map(|act| act.number).chain(shelf.cancelled);
                (DEATHS, deaths.chain([NO_SUCH_ACT]).map(|number| paper(own, number, None)).collect())
            }
        };
        let count = i64::try_from(papers.len()).unwrap_or(0);
        let cost = count * rules::price(self.errands.plan(), "certify", table);
        let gives_record = self.errands.is_prefecture && table == BIRTHS;
        let request = Request::Certify(certified(table, &papers));
        self.ask(request, given(Effect::Certified { table, papers, gives_record }, cost))
    }
}

fn given(effect: Effect, cost: i64) -> Expected {
    Expected::Accepted { effect, cost }
}

fn paper(of: Matricule, number: i64, name: Option<String>) -> Paper {
    Paper { of: of.as_i32(), number, name }
}

/// Makes a selection of all records that an agency has sent to a table. Callers restrict it.
fn wanted(table: &'static str, of: Matricule) -> Wanted {
    let of = of.as_i32();
    Wanted { table, of, numbers: None, name_prefix: None, is_brief: false, limit: None, since: None, per_act: 0 }
}

fn all_of(table: &str, since: Option<&str>) -> Import {
    let changed_since = since.and_then(|position| position.parse().ok());
    let selection = Selection { application: "ecr".to_owned(), table: table.to_owned(), changed_since };
    Import::Table { selection, estimate: false }
}

fn certified(table: &str, papers: &[Paper]) -> Certified {
    let column = |value: fn(&Paper) -> Value| papers.iter().map(value).collect::<Vec<_>>();
    let key = ["CentreCode", "AnneeRegistre", "NumeroActe"].map(str::to_owned).to_vec();
    let keys = vec![
        column(|paper| json!(format!("C{:06}", paper.of))),
        column(|_| json!(YEAR)),
        column(|paper| json!(paper.number)),
    ];
    let has_names = papers.iter().all(|paper| paper.name.is_some());
    let columns: Vec<String> = name_column(table).filter(|_| has_names).map(str::to_owned).into_iter().collect();
    let values = if columns.is_empty() { Vec::new() } else { vec![column(|paper| json!(paper.name))] };
    let table = table.trim_start_matches("ecr.").to_owned();
    Certified { application: "ecr".to_owned(), table, key, keys, columns, values }
}
