//! `xmserver held`: letters that are held until two people decide.

use anyhow::{Context, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::answer::receipt::HoldCode;
use sdc::letter::Matricule;
use serde_json::{Value, json};
use store::error::AdministrationError;
use store::letters::held::decision::{self, Decided};
use store::letters::held::{self, HeldFilter, HeldLetter, HeldRow};
use store::people::HeldDecision;
use store::settle::{Arrival, Settler, Tried};

use super::desk::{Desk, read_matricule};
use super::listing::{self, Extent, Listing};
use super::quarantine::tried_words;
use crate::configuration::Configuration;
use crate::folder::DataFolder;
use crate::speech::said;
use crate::{keys, reopen, show};

/// What to do with letters that are held.
#[derive(Subcommand, Debug)]
pub enum HeldCommand {
    /// List the letters that wait, oldest first
    List(ListArguments),
    /// Show one with its rows and the arithmetic that holds it; that is put on record
    Show {
        /// Its number
        id: i64,
    },
    /// Ask that a letter be released: another person confirms it
    Release {
        /// Its number
        id: i64,
        /// Waive this check, such as ResultatBureau.within_reference; by default every check that holds it
        #[arg(long, value_name = "CHECK")]
        waive: Vec<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Ask that a letter be refused: another person confirms it
    Refuse {
        /// Its number
        id: i64,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Which letters to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Held for this: check or approval
    #[arg(long, value_parser = PossibleValuesParser::new(HoldCode::ALL.map(HoldCode::as_str)), hide_possible_values = true)]
    code: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// Which letters to list, whatever they are held for.
#[derive(Args, Debug)]
pub struct Which {
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// Those decided already, too
    #[arg(long)]
    with_decided: bool,
    /// Behind this one
    #[arg(long)]
    after: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(desk: &mut Desk, configuration: &Configuration, command: HeldCommand) -> anyhow::Result<()> {
    match command {
        HeldCommand::List(ListArguments { code, which }) => list(desk, code, which).await,
        HeldCommand::Show { id } => show_one(desk, id).await,
        HeldCommand::Release { id, waive, reason } => decide(desk, configuration, id, Some(&waive), &reason).await,
        HeldCommand::Refuse { id, reason } => decide(desk, configuration, id, None, &reason).await,
    }
}

/// Lists held letters. If `code` is given, only letters that are held for that reason are listed.
pub(super) async fn list(desk: &mut Desk, code: Option<String>, which: Which) -> anyhow::Result<()> {
    let Which { agency, with_decided, after, extent } = which;
    let filter = HeldFilter { agency, code, with_decided, after: None, limit: None };
    listing::tell(desk, &filter, after, extent).await
}

/// Releases or refuses a held letter, or only asks for it where another person has to confirm it. A correction that waits for approval is
/// decided at once, unless it corrects results: the office that sent it counts as the first person.
pub(super) async fn decide(
    desk: &mut Desk,
    configuration: &Configuration,
    id: i64,
    waived: Option<&[String]>,
    reason: &str,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let act = decision::act(desk.connection(), &operator, id, waived, reason).await?;
    if !decision::is_for_one(desk.connection(), id).await? {
        return Err(AdministrationError::ApprovalNeeded(Box::new(act)).into());
    }
    let (settler, opened) = open(desk, configuration, id).await?;
    let decided = decision::decide_alone(&settler, desk.connection(), &operator, &act, opened).await?;
    tell(desk, id, act.of_held().is_some_and(|decision| decision.waived.is_none()), &decided)
}

/// Opens a held letter with the centre's keys, as when it arrived, so that it can be settled anew by what was decided.
async fn open(desk: &mut Desk, configuration: &Configuration, id: i64) -> anyhow::Result<(Settler, Arrival)> {
    let operator = desk.operator.clone();
    let folder = DataFolder::of(configuration)?;
    let keys = keys::load(&folder.keys())?;
    let settler = Settler::new(desk.database.clone(), configuration.limits.of_settling());
    let taken_up = decision::take_up(desk.connection(), &operator, id).await?;
    let arrivals = reopen::arrivals(desk.connection(), &keys.centre, &configuration.limits, &taken_up).await?;
    let opened = arrivals.into_iter().next().context("a held letter is one container")?;
    Ok((settler, opened))
}

/// Confirms the release or refusal that another person asked for, and settles the letter anew by it.
pub(super) async fn confirm(
    desk: &mut Desk,
    configuration: &Configuration,
    approval: i64,
    asked: &HeldDecision,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let (settler, opened) = open(desk, configuration, asked.held).await?;
    let decided = decision::confirm(&settler, desk.connection(), &operator, approval, opened).await?;
    tell(desk, asked.held, asked.waived.is_none(), &decided)
}

fn tell(desk: &Desk, id: i64, is_refusal: bool, decided: &Decided) -> anyhow::Result<()> {
    let words = match &decided.tried {
        Tried::Stranger(_) if is_refusal => said!("held-refused-silently", id = id.to_string()),
        Tried::Stranger(_) | Tried::AcceptedBefore { .. } | Tried::Waits => {
            bail!("held letter {id} stays as it is: {}", tried_words(&decided.tried))
        }
        tried => tried_words(tried),
    };
    desk.tell_line(&decision::told(decided), &words)
}

/// Returns a sentence that says what would be done with a held letter, and why.
pub(super) fn decision_in_words(decision: &HeldDecision) -> String {
    let (id, reason) = (decision.held.to_string(), show::plain(&decision.reason));
    match &decision.waived {
        Some(checks) => said!("act-release", id = id, checks = show::joined_or_dash(checks), reason = reason),
        None => said!("act-refuse-held", id = id, reason = reason),
    }
}

/// Shows a held letter with its rows. The audit log records that the operator has seen them, because rows are personal data.
pub(super) async fn show_one(desk: &mut Desk, id: i64) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let (letter, rows) = held::show(desk.connection(), &operator, id).await?;
    tell_one(desk, &letter, &rows)
}

fn tell_one(desk: &Desk, letter: &HeldLetter, rows: &[HeldRow]) -> anyhow::Result<()> {
    if desk.json {
        let mut all = json!(letter);
        if let Value::Object(members) = &mut all {
            members.insert("rows".to_owned(), json!(rows));
        }
        return show::json(&all);
    }
    let clock = desk.clock;
    let mut facts = vec![
        ("id", letter.id.to_string()),
        ("agency", letter.agency.to_string()),
        ("installation", letter.installation.clone()),
        ("letter id", letter.letter_id.to_string()),
        ("attempt", letter.attempt.to_string()),
        ("service", letter.service.clone()),
        ("received", clock.time(letter.received_at)),
        ("table", show::joined_or_dash(&letter.tables)),
        ("state", state(letter, desk)),
    ];
    facts.extend(arithmetic(letter).into_iter().map(|line| ("check", line)));
    for row in rows {
        let place =
            said!("held-row", row = row.number.to_string(), table = &row.table, numero = show::or_dash(row.numero));
        facts.push(("rows", format!("{place}: {}", show::plain(&row.content.to_string()))));
    }
    show::facts(&facts)
}

/// Returns the checks that hold a letter, one line for each row with its arithmetic.
fn arithmetic(letter: &HeldLetter) -> Vec<String> {
    let mut lines = Vec::new();
    for flag in letter.checks.as_array().into_iter().flatten() {
        let text = |member: &str| flag[member].as_str().unwrap_or_default();
        for row in flag["rows"].as_array().into_iter().flatten() {
            let arithmetic = row["arithmetic"].as_str().unwrap_or_default();
            lines.push(format!("{}.{} {}: {arithmetic}", text("table"), text("check"), row["row"]));
        }
    }
    lines
}

fn state(letter: &HeldLetter, desk: &Desk) -> String {
    let state = match letter.state.as_str() {
        "open" => said!("held-state-open"),
        "released" => said!("held-state-released"),
        "refused" => said!("held-state-refused"),
        other => other.to_owned(),
    };
    match (&letter.decided_by, letter.decided_at) {
        (Some(user), Some(at)) => {
            let reason = show::plain(letter.reason.as_deref().unwrap_or("-"));
            said!("held-decided", state = state, user = user, time = desk.clock.time(at), reason = reason)
        }
        _ => state,
    }
}

impl Listing for HeldFilter {
    type Line = HeldLetter;
    type Cursor = i64;
    const GOES_ON: &'static str = "--after";
    const HEADINGS: &'static [&'static str] = &["id", "received", "agency", "service", "state", "check"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<HeldLetter>, AdministrationError> {
        held::list(connection, &HeldFilter { after: behind, limit: Some(limit), ..self.clone() }).await
    }

    fn cursor(letter: &HeldLetter) -> i64 {
        letter.id
    }

    fn cells(letter: HeldLetter, desk: &Desk) -> Vec<String> {
        let checks = if letter.code == HoldCode::Approval.as_str() {
            said!("held-by-approval")
        } else {
            letter.checks_named().join(", ")
        };
        vec![
            letter.id.to_string(),
            desk.clock.short(letter.received_at),
            letter.agency.to_string(),
            letter.service.clone(),
            state(&letter, desk),
            checks,
        ]
    }

    async fn nothing(&self, connection: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        let everything = HeldFilter { with_decided: true, limit: Some(1), ..HeldFilter::default() };
        if held::list(connection, &everything).await?.is_empty() {
            return Ok(said!("held-none"));
        }
        Ok(if self.with_decided { said!("held-none-such") } else { said!("held-none-such-hint") })
    }
}
