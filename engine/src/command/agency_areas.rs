//! `xmserver agency areas`, `agency silent` and `enrolment progress`: agencies by area, those that are not heard any more, and how far the
//! enrolment of all is.

use clap::Args;
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use store::agencies::{self, AgencyFilter, AgencyOrder, AgencyPage, Area, Listed};
use store::error::AdministrationError;

use super::desk::{Desk, read_matricule};
use super::listing::{self, Extent, Listing};
use crate::show::{self, Table};
use crate::speech::said;

/// Of which area.
#[derive(Args, Debug)]
pub struct AreaArguments {
    /// In this area, such as Littoral or Littoral/Sanaga-Maritime
    #[arg(long)]
    area: Option<String>,
}

/// Which silent agencies.
#[derive(Args, Debug)]
pub struct SilentArguments {
    /// In this area, such as Littoral or Littoral/Sanaga-Maritime
    #[arg(long)]
    area: Option<String>,
    /// Behind this matricule
    #[arg(long, value_parser = read_matricule)]
    after: Option<Matricule>,
    #[command(flatten)]
    extent: Extent,
}

/// Prints the tree of areas: agencies, those that are active, in debt, heard and silent.
pub(super) async fn areas(desk: &mut Desk, arguments: AreaArguments) -> anyhow::Result<()> {
    let headings = ["area", "agencies", "active", "in debt", "have written", "silent"];
    tree(desk, arguments, &headings, |Area { counts, .. }| {
        vec![counts.agencies, counts.active, counts.in_debt, counts.heard, counts.silent]
    })
    .await
}

/// Prints how far the enrolment of the agencies of each area is.
pub(super) async fn progress(desk: &mut Desk, arguments: AreaArguments) -> anyhow::Result<()> {
    let headings = ["area", "agencies", "code open", "code ended", "enrolled", "have written"];
    tree(desk, arguments, &headings, |Area { counts, .. }| {
        vec![counts.agencies, counts.code_open, counts.code_ended, counts.enrolled, counts.heard]
    })
    .await
}

async fn tree(
    desk: &mut Desk,
    arguments: AreaArguments,
    headings: &[&str],
    numbers: impl Fn(&Area) -> Vec<i64>,
) -> anyhow::Result<()> {
    let areas = agencies::areas(desk.connection(), arguments.area.as_deref()).await?;
    if desk.json {
        return show::json(&areas);
    }
    let mut table = Table::new(headings);
    for area in &areas {
        let name = if area.area.is_empty() { said!("area-none") } else { area.name().to_owned() };
        let numbers = numbers(area).into_iter().map(|number| number.to_string());
        table.cells([format!("{}{name}", "  ".repeat(area.depth))].into_iter().chain(numbers).collect());
    }
    table.print(&said!("agency-none"))
}

/// The list of silent agencies, the longest silent first.
struct Silent {
    filter: AgencyFilter,
}

pub(super) async fn silent(desk: &mut Desk, arguments: SilentArguments) -> anyhow::Result<()> {
    let SilentArguments { area, after, extent } = arguments;
    let listing = Silent { filter: AgencyFilter { area, silent: true, ..AgencyFilter::default() } };
    listing::tell(desk, &listing, after, extent).await
}

impl Listing for Silent {
    type Line = Listed;
    type Cursor = Matricule;
    const GOES_ON: &'static str = "--after";
    const HEADINGS: &'static [&'static str] = &["matricule", "last letter", "rhythm", "telephone", "name", "area"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<Matricule>,
        limit: i64,
    ) -> Result<Vec<Listed>, AdministrationError> {
        let page = AgencyPage { order: AgencyOrder::Heard, is_descending: false, after: behind, limit: Some(limit) };
        agencies::list(connection, &self.filter, &page).await
    }

    fn cursor(listed: &Listed) -> Matricule {
        listed.agency.matricule
    }

    fn goes_on(last: Matricule) -> String {
        format!("{} {last}", Self::GOES_ON)
    }

    fn cells(listed: Listed, desk: &Desk) -> Vec<String> {
        let Listed { agency, heard_at, rhythm_days, .. } = listed;
        vec![
            agency.matricule.to_string(),
            show::or_dash(heard_at.map(|time| desk.clock.short(time))),
            rhythm_days
                .map_or_else(|| said!("rhythm-unknown"), |days| said!("rhythm-days", days = format!("{days:.1}"))),
            agency.telephone,
            agency.name,
            agency.area,
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(said!("silent-none"))
    }
}
