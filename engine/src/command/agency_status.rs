//! `xmserver agency status`: the status of one agency, of a list, or of all that meet conditions, which are counted before anything is
//! done.

use std::io::Read;

use anyhow::{Context, bail};
use clap::Args;
use sdc::letter::Matricule;
use serde_json::json;
use store::agencies;

use super::agency_list::Which;
use super::desk::{Desk, read_matricule};
use super::terms;
use crate::ask;
use crate::speech::said;

/// Whose status to set.
#[derive(Args, Debug)]
pub struct StatusArguments {
    /// Its number; several, as 42,43; - for numbers on standard input; or all for those that the options select
    #[arg(value_parser = read_selection)]
    matricules: Selection,
    /// 0 to 3
    status: i16,
    #[command(flatten)]
    which: Which,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

/// Agencies that are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These, by their numbers.
    These(Vec<Matricule>),
    /// Those on standard input.
    Input,
    /// All.
    All,
}

fn read_selection(text: &str) -> Result<Selection, String> {
    match text {
        "-" => Ok(Selection::Input),
        "all" | "toutes" => Ok(Selection::All),
        numbers => numbers.split(',').map(read_matricule).collect::<Result<_, _>>().map(Selection::These),
    }
}

pub(super) async fn set(desk: &mut Desk, arguments: StatusArguments) -> anyhow::Result<()> {
    let StatusArguments { matricules, status, which, yes } = arguments;
    let operator = desk.operator.clone();
    let mut filter = which.filter(desk).await?;
    filter.matricules = match matricules {
        Selection::These(numbers) if numbers.len() == 1 && filter.is_everything() => {
            return one(desk, numbers[0], status).await;
        }
        Selection::These(numbers) => Some(numbers),
        Selection::Input => Some(read_input()?),
        Selection::All => None,
    };
    let numbers = agencies::matricules(desk.connection(), &filter).await?;
    if !yes {
        let shown =
            said!("agency-statuses-shown", count = numbers.len(), status = status, word = terms::status(status));
        if !ask::is_possible() {
            bail!("{shown}\nnothing was done: say --yes to set it");
        }
        ask::tell(&format!("{shown}\n"))?;
        if !ask::agrees(&said!("agency-statuses-ask"))? {
            bail!("nothing was done: every status is as it was");
        }
    }
    let changed = agencies::set_status_of_many(desk.connection(), &operator, &numbers, status).await?;
    let unchanged = numbers.len() - changed;
    let result = json!({ "status": status, "changed": changed, "unchanged": unchanged });
    let words =
        said!("agency-statuses", count = changed, status = status, word = terms::status(status), unchanged = unchanged);
    desk.tell_line(&result, &words)
}

async fn one(desk: &mut Desk, matricule: Matricule, status: i16) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    agencies::set_status(desk.connection(), &operator, matricule, status).await?;
    let result = json!({ "agency": matricule, "status": status });
    let words = said!("agency-status", agency = matricule.to_string(), status = status, word = terms::status(status));
    desk.tell_line(&result, &words)
}

/// Reads matricules from standard input, separated by blanks, commas or lines.
fn read_input() -> anyhow::Result<Vec<Matricule>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    let numbers = text.split([' ', '\t', '\r', '\n', ',', ';']).filter(|number| !number.is_empty());
    numbers.map(|number| read_matricule(number).map_err(anyhow::Error::msg)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agencies_are_named_alone_together_or_not_at_all() {
        let number = |matricule: u32| Matricule::try_from(matricule).unwrap();
        assert_eq!(read_selection("000042"), Ok(Selection::These(vec![number(42)])));
        assert_eq!(read_selection("42,000043"), Ok(Selection::These(vec![number(42), number(43)])));
        assert_eq!([read_selection("-"), read_selection("all")], [Ok(Selection::Input), Ok(Selection::All)]);
        for wrong in ["", "42,", "42 43", "some"] {
            assert!(read_selection(wrong).unwrap_err().contains("expected a matricule"), "{wrong}");
        }
    }
}
