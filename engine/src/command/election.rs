//! `xmserver election`: figures of the sample election, and which stations are missing.

use clap::{Args, Subcommand};
use serde_json::json;
use store::elections::{self, FiguresFilter, Missing, MissingFilter};

use super::desk::Desk;
use crate::show::{self, Table};
use crate::speech::said;

/// Largest number of missing stations that are printed for people, unless `--all` is given.
const SHOWN: i64 = 100;

/// What to tell of elections.
#[derive(Subcommand, Debug)]
pub enum ElectionCommand {
    /// Show how many stations are in which state, the sums and the votes of each candidate
    Show {
        /// This election alone
        #[arg(long)]
        election: Option<String>,
        /// In this area, of whatever level
        #[arg(long)]
        area: Option<String>,
    },
    /// List the stations that have not sent their result, those with most registered voters first, with whom to call
    Missing(MissingArguments),
}

/// Which missing stations to list.
#[derive(Args, Debug)]
pub struct MissingArguments {
    /// This election alone
    #[arg(long)]
    election: Option<String>,
    /// In this area, of whatever level
    #[arg(long)]
    area: Option<String>,
    /// All of them, as CSV for a spreadsheet
    #[arg(long)]
    csv: bool,
    /// Everything
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(desk: &mut Desk, command: ElectionCommand) -> anyhow::Result<()> {
    match command {
        ElectionCommand::Show { election, area } => tell_figures(desk, &FiguresFilter { election, area }).await,
        ElectionCommand::Missing(MissingArguments { election, area, csv, all }) => {
            let is_whole = csv || all || desk.json;
            let filter = MissingFilter { election, area, limit: (!is_whole).then_some(SHOWN) };
            let stations = elections::missing(desk.connection(), &filter).await?;
            if csv {
                return show::text(&as_csv(&stations));
            }
            if desk.json {
                return show::json(&stations);
            }
            tell_missing(stations, is_whole)
        }
    }
}

async fn tell_figures(desk: &mut Desk, filter: &FiguresFilter) -> anyhow::Result<()> {
    let states = elections::states(desk.connection(), filter).await?;
    let totals = elections::totals(desk.connection(), filter).await?;
    let votes = elections::votes(desk.connection(), filter).await?;
    if desk.json {
        return show::json(&json!({ "states": states, "totals": totals, "votes": votes }));
    }
    let mut table = Table::new(&["election", "state", "stations", "registered"]);
    for count in states {
        table.row([count.election, state(&count.state), count.stations.to_string(), count.registered.to_string()]);
    }
    table.print(&if filter.area.is_some() { said!("election-none-area") } else { said!("election-none") })?;
    for one in totals {
        let words = said!(
            "election-totals",
            election = place(&one.election, &one.areas),
            counted = one.stations_counted,
            stations = one.stations,
            signatures = one.signatures,
            registered = one.registered_counted,
            ballots = one.ballots,
            void = one.void,
            blank = one.blank,
            valid = one.valid
        );
        show::text(&format!("\n{words}\n"))?;
    }
    if votes.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["election", "candidate", "name", "votes"]);
    for vote in votes {
        table.row([
            place(&vote.election, &vote.areas),
            vote.candidate,
            show::plain(&vote.name),
            vote.votes.to_string(),
        ]);
    }
    show::text("\n")?;
    table.print("")
}

/// Returns the heading for figures: the election, followed by the areas, from the largest to the one that the figures are about.
fn place(election: &str, areas: &[String]) -> String {
    let names: Vec<&str> = [election].into_iter().chain(areas.iter().map(String::as_str)).collect();
    show::plain(&names.join(" / "))
}

fn tell_missing(stations: Vec<Missing>, is_whole: bool) -> anyhow::Result<()> {
    let shown = i64::try_from(stations.len())?;
    let mut table = Table::new(&["election", "station", "name", "area", "registered", "telephone", "agency"]);
    for station in stations {
        table.cells(vec![
            station.election,
            station.bureau,
            show::plain(&station.name),
            show::plain(&station.areas.join(" / ")),
            station.registered.to_string(),
            show::or_dash(station.telephone.or(station.agency_telephone).filter(|number| !number.is_empty())),
            show::or_dash(station.agency.map(|agency| agency.to_string())),
        ]);
    }
    table.print(&said!("election-none-missing"))?;
    if !is_whole && shown == SHOWN {
        show::text(&format!("{}\n", said!("election-more-missing", shown = shown)))?;
    }
    Ok(())
}

/// Returns the words of a station's state; `code` is the state as `--json` and the view `election.states` have it.
fn state(code: &str) -> String {
    match code {
        "held" => said!("station-state-held"),
        "contested" => said!("station-state-contested"),
        "correcting" => said!("station-state-correcting"),
        "flagged" => said!("station-state-flagged"),
        "counted" => said!("station-state-counted"),
        "missing" => said!("station-state-missing"),
        other => other.to_owned(),
    }
}

/// Writes stations as CSV (RFC 4180), with the column names of the view.
fn as_csv(stations: &[Missing]) -> String {
    let head = ["election", "bureau", "name", "areas", "registered", "telephone", "agency", "agency_telephone"];
    let mut text = head.join(",") + "\r\n";
    for station in stations {
        let texts =
            [&station.election, &station.bureau, &station.name, &station.areas.join(" / ")].map(|text| cell(text));
        let telephone = cell(station.telephone.as_deref().unwrap_or_default());
        let agency = station.agency.map(|agency| agency.to_string()).unwrap_or_default();
        let agency_telephone = cell(station.agency_telephone.as_deref().unwrap_or_default());
        let registered = station.registered;
        text += &format!("{},{registered},{telephone},{agency},{agency_telephone}\r\n", texts.join(","));
    }
    text
}

/// Quotes a text as a CSV cell. A text that a spreadsheet would run as a formula gets an apostrophe first, which makes it a text.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\0', '＝', '＋', '－', '＠']);
    let mark = if is_formula { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_quoting_marks_are_doubled() {
        for (text, expected) in [
            ("École \"A\"", "\"École \"\"A\"\"\""),
            ("=HYPERLINK(1)", "\"'=HYPERLINK(1)\""),
            ("+237 6", "\"'+237 6\""),
            ("", "\"\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
