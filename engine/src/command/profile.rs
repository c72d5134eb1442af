//! `xmserver profile`: changes that offices asked for in their own profile, which one operator confirms or refuses.

use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use store::agencies::profiles::{self, Change};
use store::error::AdministrationError;

use super::desk::Desk;
use super::listing::{self, Extent, Listing};
use crate::speech::{self, said};
use crate::{ask, show};

/// What to do with changes of profiles.
#[derive(Subcommand, Debug)]
pub enum ProfileCommand {
    /// List changes that wait, newest first
    List(ListArguments),
    /// Make a change that waits, and have its office told
    Confirm {
        /// Its number
        id: i64,
        /// Make it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Refuse a change that waits, and have its office told
    Refuse {
        /// Its number
        id: i64,
        /// Why: its office is told
        #[arg(long)]
        reason: String,
    },
}

/// Which changes to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Those that were made at once or are decided, too
    #[arg(long)]
    with_decided: bool,
    /// Older than this one
    #[arg(long)]
    before: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(desk: &mut Desk, command: ProfileCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        ProfileCommand::List(ListArguments { with_decided, before, extent }) => {
            listing::tell(desk, &Changes { with_decided }, before, extent).await
        }
        ProfileCommand::Confirm { id, yes } => {
            if !yes {
                agree(desk, id).await?;
            }
            desk.record_own_addresses().await?;
            let change = profiles::confirm(desk.connection(), &operator, id).await?;
            let words = said!("profile-confirmed", change = id.to_string(), agency = change.agency.to_string());
            desk.tell_line(&change, &words)
        }
        ProfileCommand::Refuse { id, reason } => {
            let change = profiles::refuse(desk.connection(), &operator, id, &reason).await?;
            let words = said!("profile-refused", change = id.to_string(), agency = change.agency.to_string());
            desk.tell_line(&change, &words)
        }
    }
}

/// Shows a change of a profile with the office's telephone number, so that the operator can call back, and asks whether to make the change.
async fn agree(desk: &mut Desk, id: i64) -> anyhow::Result<()> {
    let change = profiles::show(desk.connection(), id).await?;
    if change.state != "waiting" {
        return Err(AdministrationError::ProfileChangeDecided { id, state: change.state }.into());
    }
    let shown = said!(
        "profile-shown",
        change = id.to_string(),
        time = desk.clock.time(change.asked_at),
        installation = &change.installation,
        agency = change.agency.to_string(),
        name = show::plain(&change.name),
        telephone = show::or_dash(Some(show::plain(&change.telephone)).filter(|number| !number.is_empty()))
    );
    let members: String = members(&change).iter().map(|member| format!("  {member}\n")).collect();
    ask::confirmed(&format!("{shown}\n{members}"), &said!("profile-ask-confirm"))
}

/// Returns the data of the profile (its JSON members) that a change sets, one line each, with the former and the new value.
fn members(change: &Change) -> Vec<String> {
    let shown = |value: &str| show::or_dash(Some(show::plain(value)).filter(|value| !value.is_empty()));
    let member = |(name, former, value): (String, String, String)| {
        let (former, value) = (shown(&former), shown(&value));
        said!("profile-change", member = speech::heading(&name), former = former, value = value)
    };
    change.members().into_iter().map(member).collect()
}

/// Returns the words of a change's state; `code` is the state as `--json` prints it.
fn state(code: &str) -> String {
    match code {
        "waiting" => said!("profile-state-waiting"),
        "made" => said!("profile-state-made"),
        "confirmed" => said!("profile-state-confirmed"),
        "refused" => said!("profile-state-refused"),
        "replaced" => said!("profile-state-replaced"),
        other => other.to_owned(),
    }
}

/// The list of changes of profiles: only the waiting ones, or also the decided ones.
struct Changes {
    with_decided: bool,
}

impl Listing for Changes {
    type Line = Change;
    type Cursor = i64;
    const HEADINGS: &'static [&'static str] = &["id", "asked", "agency", "state", "decided by", "what"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Change>, AdministrationError> {
        profiles::list(connection, self.with_decided, behind, limit).await
    }

    fn cursor(change: &Change) -> i64 {
        change.id
    }

    fn cells(change: Change, desk: &Desk) -> Vec<String> {
        vec![
            change.id.to_string(),
            desk.clock.short(change.asked_at),
            change.agency.to_string(),
            state(&change.state),
            show::or_dash(change.decided_by.clone()),
            members(&change).join("; "),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(if self.with_decided { said!("profile-none-ever") } else { said!("profile-none") })
    }
}
