//! `xmserver approval`: acts that one person has asked for and another decides.

use anyhow::bail;
use clap::{Args, Subcommand};
use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use serde_json::json;
use store::agencies;
use store::approvals::{self, Approval};
use store::error::AdministrationError;
use store::ledger::recharges;
use store::people::{Act, NewUser};

use super::desk::Desk;
use super::held;
use super::listing::{self, Extent, Listing};
use super::terms;
use crate::configuration::Configuration;
use crate::speech::said;
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

pub(super) async fn run(
    desk: &mut Desk,
    configuration: &Configuration,
    command: ApprovalCommand,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    match command {
        ApprovalCommand::List(ListArguments { with_decided, before, extent }) => {
            listing::tell(desk, &Asked { with_decided }, before, extent).await
        }
        ApprovalCommand::Confirm { id, yes } => {
            if !yes {
                agree(desk, id).await?;
            }
            if let Act::TableLoad(load) = &approvals::show(desk.connection(), id).await?.act {
                let table = &load.table;
                bail!("approval {id} is confirmed with its file: `xmserver table load {table} FILE --approval {id}`");
            }
            if let Some(decision) = approvals::show(desk.connection(), id).await?.act.of_held() {
                return held::confirm(desk, configuration, id, decision).await;
            }
            let confirmed = approvals::confirm(desk.connection(), &operator, id).await?;
            let what = in_words(&confirmed.approval.act, desk);
            let mut words = said!("approval-done", approval = id.to_string(), what = what);
            if let (Act::UserPassword { user, .. }, Some(part)) =
                (&confirmed.approval.act, confirmed.result["second_part"].as_str())
            {
                words = format!("{words}\n{}", said!("user-second-part", part = part, user = user));
            }
            desk.tell_line(&confirmed, &words)
        }
        ApprovalCommand::Refuse { id, reason } => {
            let refused = approvals::refuse(desk.connection(), &operator, id, &reason).await?;
            let words = if refused.state == "withdrawn" {
                said!("approval-withdrawn", approval = id.to_string())
            } else {
                said!("approval-refused", approval = id.to_string())
            };
            desk.tell_line(&refused, &words)
        }
        ApprovalCommand::Limit { amount: None } => {
            let limit = recharges::limit(desk.connection()).await?;
            let words = said!("approval-limit", amount = show::amount(limit, &desk.server));
            desk.tell_line(&json!({ "limit": limit }), &words)
        }
        ApprovalCommand::Limit { amount: Some(amount) } => {
            let limit = show::read_amount(&amount, &desk.server)?;
            recharges::set_limit(desk.connection(), &operator, limit).await?;
            let words = said!("approval-limit-set", amount = show::amount(limit, &desk.server));
            desk.tell_line(&json!({ "limit": limit }), &words)
        }
    }
}

/// Stores an act that needs a second person as an approval, and prints how another person can confirm it.
pub(super) async fn asked(desk: &mut Desk, act: &Act) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let approval = approvals::ask(desk.connection(), &operator, act).await?;
    let id = approval.id;
    let needs = said!("approval-needed", what = in_words(act, desk));
    let (number, time) = (id.to_string(), desk.clock.time(approval.expires_at));
    let next = match act {
        Act::TableLoad(load) => said!("approval-asked-load", approval = number, table = &load.table, time = time),
        act if act.of_held().is_some() => said!("approval-asked-held", approval = number, time = time),
        _ => said!("approval-asked", approval = number, time = time),
    };
    let mut result = json!({ "approval": approval });
    let mut words = format!("{needs}\n{next}");
    if let Act::UserPassword { user, first } = act {
        result["first_part"] = json!(first);
        words = format!("{words}\n{}", said!("user-first-part", part = first, user = user));
    }
    desk.tell_line(&result, &words)
}

/// Shows an act that waits for an approval, and asks the operator whether it is to be done.
async fn agree(desk: &mut Desk, id: i64) -> anyhow::Result<()> {
    let approval = approvals::show(desk.connection(), id).await?;
    let time = desk.clock.time(approval.asked_at);
    let mut shown = vec![
        said!("approval-shown", approval = id.to_string()),
        said!("approval-shown-asked", user = approval.asked_by, time = time),
        said!("approval-shown-what", what = show::plain(&in_words(&approval.act, desk))),
    ];
    if let Some(agency) = agency_of(&approval.act) {
        let name = agencies::show(desk.connection(), agency).await?.name;
        shown.push(said!("approval-shown-agency", agency = agency.to_string(), name = show::plain(&name)));
    }
    ask::confirmed(&(shown.join("\n") + "\n"), &said!("approval-ask-confirm"))
}

fn agency_of(act: &Act) -> Option<Matricule> {
    match act {
        Act::CertificateReplace { agency, .. } | Act::EnrolmentCode { agency } | Act::AgencyRecharge { agency, .. } => {
            Some(*agency)
        }
        _ => None,
    }
}

/// Returns a sentence that says what an act would do.
fn in_words(act: &Act, desk: &Desk) -> String {
    match act {
        Act::CertificateReplace { agency, certificate, .. } => said!(
            "act-certificate",
            agency = agency.to_string(),
            algorithm = certificate.algorithm.to_string(),
            fingerprint = store::certificates::spoken(&certificate.fingerprint)
        ),
        Act::EnrolmentCode { agency } => said!("act-enrolment", agency = agency.to_string()),
        Act::AgencyStatusOfMany { agencies, status } => said!(
            "act-status-of-many",
            count = agencies.len(),
            status = status.to_string(),
            word = terms::status(*status)
        ),
        Act::AgencyRecharge { agency, amount, note } => {
            let (agency, amount) = (agency.to_string(), show::amount(*amount, &desk.server));
            if note.is_empty() {
                said!("act-recharge", agency = agency, amount = amount)
            } else {
                said!("act-recharge-note", agency = agency, amount = amount, note = note)
            }
        }
        Act::VoucherBatch { vouchers, amount, expires_at } => said!(
            "act-vouchers",
            count = vouchers.to_string(),
            amount = show::amount(*amount, &desk.server),
            time = desk.clock.time(*expires_at)
        ),
        Act::RechargeLimit { amount } => said!("act-limit", amount = show::amount(*amount, &desk.server)),
        Act::UserAdd(new) => user_in_words(new),
        Act::UserPrivilege { user, privilege } => {
            let (number, title) = (privilege.number().to_string(), privilege.title());
            said!("act-privilege", user = user, privilege = number, title = title)
        }
        Act::UserCommission { user, is_commission: true } => said!("act-commission", user = user),
        Act::UserCommission { user, is_commission: false } => said!("act-no-commission", user = user),
        Act::UserMap { user, account } => {
            said!("act-map", account = &account.name, uid = account.uid.to_string(), user = user)
        }
        Act::HeldDecide(decision) | Act::ResultRelease(decision) | Act::ResultCorrect(decision) => {
            held::decision_in_words(decision)
        }
        Act::TableLoad(load) => said!(
            "act-load",
            table = &load.table,
            sha256 = &load.sha256,
            new = load.loaded.new,
            changed = load.loaded.changed
        ),
        Act::UserLock { user, reason } => said!("act-lock", user = user, reason = reason),
        Act::UserUnlock { user } => said!("act-unlock", user = user),
        Act::UserPassword { user, .. } => said!("act-password", user = user),
        Act::UserUnmap { account } => said!("act-unmap", account = account),
    }
}

fn user_in_words(new: &NewUser) -> String {
    let NewUser { name, privilege, is_commission, account } = new;
    let (number, title) = (privilege.number().to_string(), privilege.title());
    let added = if *is_commission {
        said!("act-add-commission", user = name, privilege = number, title = title)
    } else {
        said!("act-add", user = name, privilege = number, title = title)
    };
    match account {
        Some(account) => said!("act-add-account", added = added, account = &account.name),
        None => added,
    }
}

/// Returns the words of an approval's state; `code` is the state as `--json` prints it.
fn state(code: &str) -> String {
    match code {
        "waiting" => said!("approval-state-waiting"),
        "expired" => said!("approval-state-expired"),
        "confirmed" => said!("approval-state-confirmed"),
        "refused" => said!("approval-state-refused"),
        "changed" => said!("approval-state-changed"),
        "withdrawn" => said!("approval-state-withdrawn"),
        other => other.to_owned(),
    }
}

/// The list of approvals: only the waiting ones, or also the decided ones.
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

    fn cells(approval: Approval, desk: &Desk) -> Vec<String> {
        vec![
            approval.id.to_string(),
            desk.clock.time(approval.asked_at),
            approval.asked_by,
            state(&approval.state),
            show::or_dash(approval.decided_by),
            in_words(&approval.act, desk),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        Ok(if self.with_decided { said!("approval-none-ever") } else { said!("approval-none") })
    }
}
