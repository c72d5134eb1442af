//! `xmserver agency list`: which agencies, in which order, for people, for programs and for spreadsheets.

use anyhow::bail;
use clap::Args;
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use store::agencies::{self, AgencyFilter, AgencyOrder, AgencyPage, Listed};
use store::error::AdministrationError;
use store::spreadsheet;

use super::desk::{Desk, read_matricule};
use super::listing::{self, Extent, Listing};
use crate::show;
use crate::speech::said;

/// Number of agencies that are read at once for a spreadsheet.
const PAGE: i64 = 1000;

/// Names of columns, as `--by` and the first line of `--csv` have them.
const COLUMNS: [(&str, AgencyOrder); 14] = [
    ("matricule", AgencyOrder::Matricule),
    ("name", AgencyOrder::Name),
    ("town", AgencyOrder::Town),
    ("area", AgencyOrder::Area),
    ("telephone", AgencyOrder::Telephone),
    ("email", AgencyOrder::Email),
    ("plan", AgencyOrder::Plan),
    ("status", AgencyOrder::Status),
    ("balance", AgencyOrder::Balance),
    ("credit_limit", AgencyOrder::CreditLimit),
    ("letter_limit", AgencyOrder::LetterLimit),
    ("added", AgencyOrder::Added),
    ("last_letter", AgencyOrder::Heard),
    ("certificate_end", AgencyOrder::CertificateEnd),
];

/// Which agencies: those that meet all of these.
#[derive(Args, Clone, Debug)]
pub struct Which {
    /// Found in name, town, area, telephone, e-mail or matricule; case and accents do not matter
    #[arg(long)]
    text: Option<String>,
    /// Of this status
    #[arg(long = "status", id = "of_status", value_name = "STATUS", value_parser = clap::value_parser!(i16).range(0..=3))]
    of_status: Option<i16>,
    /// Of this plan
    #[arg(long, alias = "profile")]
    plan: Option<String>,
    /// In this town
    #[arg(long)]
    town: Option<String>,
    /// In this area, such as Littoral or Littoral/Sanaga-Maritime
    #[arg(long)]
    area: Option<String>,
    /// Whose account is below zero
    #[arg(long)]
    in_debt: bool,
    /// That have no certificate that is valid now
    #[arg(long)]
    without_certificate: bool,
    /// That never sent a letter
    #[arg(long)]
    never_heard: bool,
    /// That are silent for longer than their own rhythm explains
    #[arg(long)]
    silent: bool,
}

/// Which agencies to list, and how.
#[derive(Args, Debug)]
pub struct ListArguments {
    #[command(flatten)]
    which: Which,
    /// By this column: matricule (as it is without this), name, town, area, telephone, email, plan, status, balance, credit_limit,
    /// letter_limit, added, last_letter or certificate_end
    #[arg(long, value_name = "COLUMN", value_parser = read_order)]
    by: Option<AgencyOrder>,
    /// The largest first
    #[arg(long)]
    descending: bool,
    /// Behind this matricule
    #[arg(long, value_parser = read_matricule)]
    after: Option<Matricule>,
    /// For spreadsheets: all columns, as CSV
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    extent: Extent,
}

/// Reads the name of the column that a list is ordered by.
fn read_order(text: &str) -> Result<AgencyOrder, String> {
    let known = COLUMNS.iter().find(|(name, _)| *name == text).map(|(_, order)| *order);
    let names = || COLUMNS.map(|(name, _)| name).join(", ");
    known.ok_or_else(|| format!("expected one of {}, found {text:?}", names()))
}

impl Which {
    /// Makes the filter.
    pub(super) async fn filter(self, desk: &mut Desk) -> anyhow::Result<AgencyFilter> {
        if let Some(plan) = &self.plan {
            let known = agencies::plans(desk.connection()).await?;
            if !known.contains(plan) {
                bail!("plan {plan} does not exist: expected one of {}", known.join(", "));
            }
        }
        let Which { text, of_status, plan, town, area, in_debt, without_certificate, never_heard, silent } = self;
        Ok(AgencyFilter {
            text,
            status: of_status,
            plan,
            town,
            area,
            matricules: None,
            in_debt,
            without_certificate,
            never_heard,
            silent,
        })
    }
}

/// A list of agencies in an order.
struct Agencies {
    filter: AgencyFilter,
    page: AgencyPage,
}

pub(super) async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let ListArguments { which, by, descending, after, csv, extent } = arguments;
    let filter = which.filter(desk).await?;
    let page = AgencyPage { order: by.unwrap_or_default(), is_descending: descending, after: None, limit: None };
    let listing = Agencies { filter, page };
    if csv {
        return for_spreadsheets(desk, &listing, after, extent.lines(true)).await;
    }
    listing::tell(desk, &listing, after, extent).await
}

/// Writes the list as CSV, page by page.
async fn for_spreadsheets(
    desk: &mut Desk,
    listing: &Agencies,
    mut behind: Option<Matricule>,
    mut left: i64,
) -> anyhow::Result<()> {
    let mut text = format!("{}{}", spreadsheet::BOM, spreadsheet::line(COLUMNS.map(|(name, _)| name)));
    loop {
        let asked = left.min(PAGE);
        let page = listing.page(desk.connection(), behind, asked).await?;
        behind = page.last().map(Agencies::cursor).or(behind);
        let read = i64::try_from(page.len())?;
        text.extend(page.into_iter().map(|listed| row(listed, desk)));
        left -= read;
        if !show::part(&text)? || read < asked || left == 0 {
            return Ok(());
        }
        text.clear();
    }
}

/// Returns an agency as a line of CSV. Times are written as RFC 3339 says, in UTC.
fn row(listed: Listed, desk: &Desk) -> String {
    let Listed { agency, heard_at, certificate_ends, .. } = listed;
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).unwrap_or_default()
    };
    let cells = [
        agency.matricule.to_string(),
        agency.name,
        agency.town,
        agency.area,
        agency.telephone,
        agency.email,
        agency.plan,
        agency.status.to_string(),
        show::bare_amount(agency.balance, &desk.server),
        show::bare_amount(agency.credit_limit, &desk.server),
        agency.letter_bytes_max.to_string(),
        time(Some(agency.created_at)),
        time(heard_at),
        time(certificate_ends),
    ];
    spreadsheet::line(cells.iter().map(String::as_str))
}

impl Listing for Agencies {
    type Line = Listed;
    type Cursor = Matricule;
    const GOES_ON: &'static str = "--after";
    const HEADINGS: &'static [&'static str] =
        &["matricule", "status", "balance", "last letter", "name", "town", "email"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<Matricule>,
        limit: i64,
    ) -> Result<Vec<Listed>, AdministrationError> {
        agencies::list(connection, &self.filter, &AgencyPage { after: behind, limit: Some(limit), ..self.page }).await
    }

    fn cursor(listed: &Listed) -> Matricule {
        listed.agency.matricule
    }

    fn goes_on(last: Matricule) -> String {
        format!("{} {last}", Self::GOES_ON)
    }

    fn cells(listed: Listed, desk: &Desk) -> Vec<String> {
        let Listed { agency, heard_at, .. } = listed;
        vec![
            agency.matricule.to_string(),
            agency.status.to_string(),
            show::amount(agency.balance, &desk.server),
            show::or_dash(heard_at.map(|time| desk.clock.short(time))),
            agency.name,
            agency.town,
            show::or_dash(Some(agency.email).filter(|email| !email.is_empty())),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(if self.filter.is_everything() { said!("agency-none") } else { said!("agency-none-such") })
    }
}
