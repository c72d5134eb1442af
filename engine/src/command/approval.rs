//! `xmserver approval`: what one person asked and another one decides.

use anyhow::bail;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use serde_json::json;
use store::administration::{AdministrationError, agencies, server};
use store::people::approvals::{self, Act, Approval};
use store::people::users::NewUser;

use super::Desk;
use super::listing::{self, Extent, Listing};
use crate::{ask, show};

/// What to do with approvals.
#[derive(Subcommand, Debug)]
pub enum ApprovalCommand {
    /// List what was asked and waits
    List(ListArguments),
    /// Confirm what another person asked: it is done at once, if what it concerns is still as it was then
    Confirm {
        /// Its number
        id: i64,
        /// Confirm it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Refuse what another person asked, or take back what you asked
    Refuse {
        /// Its number
        id: i64,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Show the most that one person recharges alone, or set it: a higher one is asked, too
    Limit {
        /// In the main unit of the currency
        #[arg(allow_negative_numbers = true)]
        amount: Option<String>,
    },
}

/// Which approvals to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Those that are decided or have expired, too
    #[arg(long)]
    with_decided: bool,
    /// Older than this one
    #[arg(long)]
    before: Option<i64>,
    #[command(flatten)]
    extent: Extent,
}

pub(super) async fn run(desk: &mut Desk, command: ApprovalCommand) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        ApprovalCommand::List(ListArguments { with_decided, before, extent }) => {
            listing::tell(desk, &Asked { with_decided }, before, extent).await
        }
        ApprovalCommand::Confirm { id, yes } => {
            if !yes {
                agree(desk, id).await?;
            }
            let confirmed = approvals::confirm(desk.connection(), &operator, id).await?;
            let words = format!("approval {id} confirmed and done: {}\n", in_words(&confirmed.approval.act, desk));
            desk.tell(&confirmed, &words)
        }
        ApprovalCommand::Refuse { id, reason } => {
            let refused = approvals::refuse(desk.connection(), &operator, id, &reason).await?;
            desk.tell(&refused, &format!("approval {id} is {}: nothing was done\n", refused.state))
        }
        ApprovalCommand::Limit { amount: None } => {
            let limit = server::recharge_limit(desk.connection()).await?;
            let words = format!("one person alone recharges up to {}\n", show::amount(limit, &desk.server));
            desk.tell(&json!({ "limit": limit }), &words)
        }
        ApprovalCommand::Limit { amount: Some(amount) } => {
            let limit = show::read_amount(&amount, &desk.server)?;
            server::set_recharge_limit(desk.connection(), &operator, limit).await?;
            let words = format!("one person alone recharges up to {} now\n", show::amount(limit, &desk.server));
            desk.tell(&json!({ "limit": limit }), &words)
        }
    }
}

/// Asks for what needs a second person, and tells what happens next.
pub(super) async fn asked(desk: &mut Desk, act: &Act) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let approval = approvals::ask(desk.connection(), &operator, act).await?;
    let id = approval.id;
    let words = format!(
        "nothing is done yet: {} needs a second person\nasked as approval {id}; another user of privilege 3 confirms it with \
         `xmserver approval confirm {id}` until {}\n",
        in_words(act, desk),
        desk.clock.time(approval.expires_at)
    );
    desk.tell(&json!({ "approval": approval }), &words)
}

/// Shows what would be done, and asks whether it is to be.
async fn agree(desk: &mut Desk, id: i64) -> anyhow::Result<()> {
    let approval = approvals::show(desk.connection(), id).await?;
    let mut shown = format!(
        "approval {id}\nasked    by {} on {}\nwhat     {}\n",
        approval.asked_by,
        desk.clock.time(approval.asked_at),
        show::plain(&in_words(&approval.act, desk))
    );
    if let Some(agency) = agency_of(&approval.act) {
        let name = agencies::show(desk.connection(), agency).await?.name;
        shown.push_str(&format!("agency   {agency} {}\n", show::plain(&name)));
    }
    if !ask::is_possible() {
        bail!("{shown}nothing was done: say --yes to confirm it");
    }
    ask::tell(&shown)?;
    if ask::agrees("Confirm it?")? { Ok(()) } else { bail!("nothing was done: it waits still") }
}

fn agency_of(act: &Act) -> Option<Matricule> {
    match act {
        Act::CertificateReplace { agency, .. } | Act::AgencyRecharge { agency, .. } => Some(*agency),
        _ => None,
    }
}

/// Words what is asked.
fn in_words(act: &Act, desk: &Desk) -> String {
    match act {
        Act::CertificateReplace { agency, certificate, .. } => format!(
            "a further certificate for agency {agency}, {}, SHA-256 {}",
            certificate.algorithm,
            store::administration::certificates::spoken(&certificate.fingerprint)
        ),
        Act::AgencyRecharge { agency, amount, note } => {
            let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
            format!("recharging agency {agency} with {}{note}", show::amount(*amount, &desk.server))
        }
        Act::RechargeLimit { amount } => {
            format!("letting one person alone recharge up to {}", show::amount(*amount, &desk.server))
        }
        Act::UserAdd(NewUser { name, privilege, is_commission, account }) => {
            let mark = if *is_commission { ", a member of the election commission" } else { "" };
            let by = account.as_ref().map_or_else(String::new, |account| format!(", by account {}", account.name));
            format!("adding user {name} of privilege {} ({}){mark}{by}", privilege.number(), privilege.title())
        }
        Act::UserPrivilege { user, privilege } => {
            format!("giving user {user} privilege {} ({})", privilege.number(), privilege.title())
        }
        Act::UserCommission { user, is_commission } => {
            let what = if *is_commission { "making user {} a member" } else { "ending that user {} is a member" };
            format!("{} of the election commission", what.replace("{}", user))
        }
        Act::UserMap { user, account } => {
            format!("making account {} (uid {}) that of user {user}", account.name, account.uid)
        }
        Act::UserUnmap { account } => format!("ending that account {account} is a user's"),
    }
}

/// What was asked: what waits, or all.
struct Asked {
    with_decided: bool,
}

impl Listing for Asked {
    type Line = Approval;
    type Cursor = i64;
    const HEADINGS: &'static [&'static str] = &["id", "asked", "by", "state", "decided by", "what"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Approval>, AdministrationError> {
        approvals::list(connection, self.with_decided, behind, limit).await
    }

    fn cursor(approval: &Approval) -> i64 {
        approval.id
    }

    fn goes_on(last: i64) -> String {
        format!("--before {last}")
    }

    fn cells(approval: Approval, desk: &Desk) -> Vec<String> {
        vec![
            approval.id.to_string(),
            desk.clock.time(approval.asked_at),
            approval.asked_by,
            approval.state,
            show::or_dash(approval.decided_by),
            in_words(&approval.act, desk),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(if self.with_decided { "nothing was ever asked" } else { "nothing waits for a second person" }.to_owned())
    }
}
