//! `xmserver enrolment`: one-time codes with which new installations enrol, whose keys the centre does not know yet.

use std::path::PathBuf;

use clap::Subcommand;
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use serde_json::json;
use store::agencies::enrolments::{self, Listed};
use store::error::AdministrationError;

use super::agency_areas::{self, AreaArguments};
use super::desk::{Desk, read_matricule};
use super::enrolment_kit::{self, KitArguments};
use super::listing::{self, Listing, Newest};
use crate::configuration::Configuration;
use crate::show;
use crate::speech::said;

/// What to do with codes.
#[derive(Subcommand, Debug)]
pub enum EnrolmentCommand {
    /// Make a code for a new installation of an agency; it is shown once
    Code {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// Print the code on a sheet, as PDF, and do not show it
        #[arg(long, value_name = "FILE")]
        sheet: Option<PathBuf>,
    },
    /// Write the file with which an office is set up; it has no secret
    Kit(KitArguments),
    /// List codes, newest first: which are open, used or locked after wrong ones
    List(Newest),
    /// Count by area how many agencies have a code, are enrolled and have written
    Progress(AreaArguments),
}

pub(super) async fn run(
    desk: &mut Desk,
    configuration: &Configuration,
    command: EnrolmentCommand,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        EnrolmentCommand::Kit(arguments) => enrolment_kit::write(desk, configuration, arguments).await,
        EnrolmentCommand::Code { matricule, sheet: Some(file) } => {
            enrolment_kit::print_code(desk, configuration, matricule, &file).await
        }
        EnrolmentCommand::Code { matricule, sheet: None } => {
            let told = enrolments::code(desk.connection(), &operator, matricule).await?;
            let (code, ends) = (told.code.spoken(), desk.clock.time(told.expires_at));
            let words = said!("enrolment-code", agency = matricule.to_string(), code = &code, time = ends);
            let result = json!({ "agency": matricule, "code": code, "expires_at": told.expires_at });
            desk.tell_line(&result, &words)
        }
        EnrolmentCommand::List(newest) => listing::tell_newest(desk, &Codes, newest).await,
        EnrolmentCommand::Progress(arguments) => agency_areas::progress(desk, arguments).await,
    }
}

/// The list of all enrolment codes.
struct Codes;

impl Listing for Codes {
    type Line = Listed;
    type Cursor = i32;
    const HEADINGS: &'static [&'static str] =
        &["id", "matricule", "state", "wrong", "ends", "installation", "made by", "telephone", "name"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i32>,
        limit: i64,
    ) -> Result<Vec<Listed>, AdministrationError> {
        enrolments::list(connection, behind, limit).await
    }

    fn cursor(code: &Listed) -> i32 {
        code.id
    }

    fn cells(code: Listed, desk: &Desk) -> Vec<String> {
        vec![
            code.id.to_string(),
            code.agency.to_string(),
            state(&code.state),
            code.failures.to_string(),
            desk.clock.short(code.expires_at),
            show::or_dash(code.installation),
            code.made_by,
            code.telephone,
            code.name,
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(said!("enrolment-none"))
    }
}

/// Returns the words of an enrolment code's state; `code` is the state as `--json` prints it.
fn state(code: &str) -> String {
    match code {
        "open" => said!("enrolment-state-open"),
        "permitted" => said!("enrolment-state-permitted"),
        "locked" => said!("enrolment-state-locked"),
        "used" => said!("enrolment-state-used"),
        "replaced" => said!("enrolment-state-replaced"),
        "expired" => said!("enrolment-state-expired"),
        other => other.to_owned(),
    }
}
