//! `xmserver quarantine groups | select | selection | selections`: many entries at once. They are counted first and frozen by their
//! numbers; then `retry --selection` and `drop --selection` take one after the other and record what became of each.

use anyhow::bail;
use clap::Args;
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use serde_json::json;
use store::error::AdministrationError;
use store::letters::quarantine::selections::{self, Group, GroupLine, Item, Selection};

use super::codes;
use crate::command::desk::{Desk, read_matricule};
use crate::command::listing::{self, Extent, Listing};
use crate::command::terms;
use crate::reopen::ReopenError;
use crate::show::{self, Table};
use crate::speech::{self, said};
use crate::words_of_errors::in_utc;

/// Number of entries above which their number must be given again, so that nobody retries or drops many without having read how many.
const UNCOUNTED_MAX: i64 = 100;
/// Number of items that one query of the database reads.
const PAGE: i64 = 100;

/// Which entries to choose.
#[derive(Args, Debug)]
pub struct SelectArguments {
    /// With this reason: the code of a refusal
    #[arg(long, value_parser = codes(), hide_possible_values = true)]
    reason: Option<String>,
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// Whose first faulty row is of this table, as the letter names it
    #[arg(long)]
    table: Option<String>,
    /// From senders of this domain, which may be forged
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// This entry; may be given several times
    #[arg(long = "entry", value_name = "ENTRY")]
    entries: Vec<i64>,
    /// The oldest so many of them
    #[arg(long, value_name = "ENTRIES", value_parser = clap::value_parser!(i64).range(1..))]
    first: Option<i64>,
}

/// One entry, or those of a selection.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// Its number
    pub(super) id: Option<i64>,
    /// All entries of this selection that have no outcome yet
    #[arg(long, value_name = "SELECTION")]
    pub(super) selection: Option<i64>,
}

/// Which items of a selection to show.
#[derive(Args, Debug)]
pub struct ShowArguments {
    /// Its number
    id: i64,
    /// Those without an outcome
    #[arg(long)]
    undecided: bool,
    /// Behind this entry
    #[arg(long)]
    after: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

/// What became of an item.
pub(super) struct Outcome {
    /// Code for programs.
    pub(super) code: String,
    /// Words for people.
    pub(super) words: String,
    /// Whether this is the end of it; else the entry stays undecided, and the selection may be taken again.
    pub(super) is_final: bool,
}

pub(super) async fn groups(desk: &mut Desk) -> anyhow::Result<()> {
    let groups = selections::groups(desk.connection()).await?;
    if desk.json {
        return show::json(&groups);
    }
    let headings = ["entries", "reason", "table", "sender domain", "agencies", "held", "bytes", "oldest"];
    let mut table = Table::new(&headings);
    for group in groups {
        let GroupLine { reason, table: name, sender_domain, entries, agencies, held, bytes, oldest } = group;
        table.row([
            entries.to_string(),
            reason,
            show::or_dash(name),
            sender_domain,
            agencies.to_string(),
            held.to_string(),
            bytes.to_string(),
            desk.clock.short(oldest),
        ]);
    }
    table.print(&said!("quarantine-groups-none"))
}

pub(super) async fn select(desk: &mut Desk, arguments: SelectArguments) -> anyhow::Result<()> {
    let SelectArguments { reason, agency, table, domain, entries, first } = arguments;
    let group = Group { reason, agency, table, sender_domain: domain, entries, first };
    let operator = desk.operator.clone();
    let selection = selections::select(desk.connection(), &operator, &group).await?;
    let id = selection.id.to_string();
    let words = said!("selection-made", selection = id, entries = selection.entries);
    desk.tell_line(&selection, &words)
}

pub(super) async fn list(desk: &mut Desk, newest: Option<i64>, extent: Extent) -> anyhow::Result<()> {
    listing::tell(desk, &AllSelections, newest, extent).await
}

pub(super) async fn show_one(desk: &mut Desk, arguments: ShowArguments) -> anyhow::Result<()> {
    let ShowArguments { id, undecided, after, extent } = arguments;
    let selection = selections::find(desk.connection(), id).await?;
    let later = selections::later(desk.connection(), id).await?;
    let items = ItemsOf { selection: id, undecided };
    if !desk.json {
        let made = desk.clock.time(selection.made_at);
        let words = said!(
            "selection-is",
            selection = id.to_string(),
            user = selection.made_by,
            time = made,
            entries = selection.entries,
            undecided = selection.undecided
        );
        show::text(&format!("{words}\n"))?;
        if later > 0 {
            show::text(&format!("{}\n", said!("selection-later", entries = later)))?;
        }
    }
    listing::tell(desk, &items, after, extent).await
}

/// Takes the items of a selection that have no outcome, one after the other, and records what becomes of each. An item that cannot be
/// decided now keeps no outcome, and the items behind it are taken. Ends where the database is away; called again, it goes on with the
/// items that are left.
///
/// # Errors
/// The selection does not exist, or is being taken by somebody else; its entries are many and `count` does not say how many; whatever
/// `take` returns as an error.
pub(super) async fn run_job(
    desk: &mut Desk,
    id: i64,
    count: Option<i64>,
    mut take: impl AsyncFnMut(&mut Desk, i64) -> anyhow::Result<Outcome>,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let Selection { undecided: left, .. } = selections::find(desk.connection(), id).await?;
    if left > UNCOUNTED_MAX && count != Some(left) {
        bail!("selection {id} has {left} entries left: say --count {left} to take them");
    }
    // The lock ends with the command, however that ends. Two people who took one selection would each tell of half of it.
    if !selections::reserve(desk.connection(), &operator, id).await? {
        bail!("somebody else is taking selection {id}: `xmserver quarantine selection {id}` shows how far it is");
    }
    let (mut taken, mut decided, mut behind) = (Vec::new(), 0_i64, None);
    loop {
        let page = selections::items(desk.connection(), id, true, behind, PAGE).await?;
        let Some(last) = page.last() else { break };
        behind = Some(last.entry);
        for Item { entry, .. } in page {
            let Outcome { code, words, is_final } = take(desk, entry).await?;
            if is_final {
                selections::record(desk.connection(), &operator, id, entry, &code).await?;
                decided += 1;
            }
            if desk.json {
                taken.push(json!({ "entry": entry, "outcome": code, "final": is_final }));
            } else {
                show::text(&format!("{}\n", said!("selection-item", entry = entry.to_string(), outcome = words)))?;
            }
        }
    }
    let words = said!("selection-done", selection = id.to_string(), entries = decided, left = left - decided);
    desk.tell_line(&json!({ "selection": id, "taken": taken, "left": left - decided }), &words)
}

/// Returns the outcome of an entry that could not be taken, if the job goes on behind it.
///
/// # Errors
/// The error itself, where the next entry would meet it too.
pub(super) fn passed_over(error: anyhow::Error) -> anyhow::Result<Outcome> {
    let (code, sentence, is_final) = match error.downcast_ref::<AdministrationError>() {
        Some(decided @ AdministrationError::QuarantineDecided { .. }) => ("decided", in_utc(decided), true),
        Some(incomplete @ AdministrationError::QuarantineIncomplete { .. }) => ("incomplete", in_utc(incomplete), true),
        Some(gone @ AdministrationError::LineUnknown { .. }) => ("gone", in_utc(gone), true),
        // The fault may be this entry's alone, as where a trigger fails for its rows. It is told, and the entry stays to be taken again.
        Some(AdministrationError::Fault(fault)) if !fault.is_away() => ("fault", fault.to_string(), false),
        _ => match error.downcast_ref::<ReopenError>() {
            None | Some(ReopenError::Fault(_)) => return Err(error),
            Some(unopened) => ("not_opened", unopened.to_string(), false),
        },
    };
    Ok(Outcome { code: code.to_owned(), words: speech::sentences(&sentence), is_final })
}

/// Returns the words of an outcome; of each of its codes, where a mail had several containers.
fn in_words(codes: &str) -> String {
    let words: Vec<String> = codes.split(',').map(terms::taken).collect();
    words.join(", ")
}

struct AllSelections;

impl Listing for AllSelections {
    type Line = Selection;
    type Cursor = i64;
    const HEADINGS: &'static [&'static str] = &["id", "time", "made by", "entries", "undecided", "filter"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Selection>, AdministrationError> {
        selections::list(connection, behind, limit).await
    }

    fn cursor(selection: &Selection) -> i64 {
        selection.id
    }

    fn cells(selection: Selection, desk: &Desk) -> Vec<String> {
        vec![
            selection.id.to_string(),
            desk.clock.short(selection.made_at),
            selection.made_by,
            selection.entries.to_string(),
            selection.undecided.to_string(),
            selection.filter.to_string(),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(said!("selection-none"))
    }
}

/// The items of one selection.
struct ItemsOf {
    selection: i64,
    undecided: bool,
}

impl Listing for ItemsOf {
    type Line = Item;
    type Cursor = i64;
    const GOES_ON: &'static str = "--after";
    const HEADINGS: &'static [&'static str] = &["entry", "outcome", "time", "by"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Item>, AdministrationError> {
        selections::items(connection, self.selection, self.undecided, behind, limit).await
    }

    fn cursor(item: &Item) -> i64 {
        item.entry
    }

    fn cells(item: Item, desk: &Desk) -> Vec<String> {
        vec![
            item.entry.to_string(),
            show::or_dash(item.outcome.map(|codes| in_words(&codes))),
            show::or_dash(item.decided_at.map(|time| desk.clock.short(time))),
            show::or_dash(item.decided_by),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(said!("selection-nothing-left"))
    }
}
