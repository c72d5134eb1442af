//! `xmserver plan`: what agencies of a plan may send, read and certify, and how much they are given in a day.

use clap::{Args, Subcommand};
use store::plans::{self, Plan, PlanEdit, PlanRight, RightEdit};
use store::tables::rights::{CertifyGives, Whose};

use super::desk::Desk;
use crate::show::{self, Table};
use crate::speech::said;

/// What to do with plans.
#[derive(Subcommand, Debug)]
pub enum PlanCommand {
    /// List plans
    List,
    /// Show a plan: its rights by table, and what a day allows to be read
    Show {
        /// The plan
        name: String,
    },
    /// Change rights and quotas of a plan, or make one. What is not named stays
    Edit(EditArguments),
}

/// What changes.
#[derive(Args, Debug)]
pub struct EditArguments {
    /// The plan
    name: String,
    /// Make the plan, with what it is for
    #[arg(long, value_name = "TEXT")]
    create: Option<String>,
    /// Records and keys that an agency may be given in a day; none for no bound
    #[arg(long, value_name = "NUMBER")]
    acts_per_day: Option<String>,
    /// Bytes that an agency may be given in a day; none for no bound
    #[arg(long, value_name = "NUMBER")]
    bytes_per_day: Option<String>,
    /// The table whose rights change, such as ecr.ActeNaissance
    #[arg(long)]
    table: Option<String>,
    /// Whether records may be sent: yes or no
    #[arg(long, requires = "table", value_name = "YES|NO", value_parser = ["yes", "no"])]
    may_export: Option<String>,
    /// Whose records may be read: none, own or all
    #[arg(long, requires = "table", value_name = "WHOSE", value_parser = ["none", "own", "all"])]
    may_read: Option<String>,
    /// Whose records may be certified: none, own or all
    #[arg(long, requires = "table", value_name = "WHOSE", value_parser = ["none", "own", "all"])]
    may_certify: Option<String>,
    /// What certifying gives: verdict or record
    #[arg(long, requires = "table", value_name = "WHAT", value_parser = ["verdict", "record"])]
    certify_gives: Option<String>,
}

pub(super) async fn run(desk: &mut Desk, command: PlanCommand) -> anyhow::Result<()> {
    match command {
        PlanCommand::List => {
            let found = plans::list(desk.connection()).await?;
            if desk.json {
                return show::json(&found);
            }
            let mut table = Table::new(&["plan", "description", "acts per day", "bytes per day"]);
            for plan in found {
                table.row([
                    plan.name,
                    plan.description,
                    show::or_dash(plan.read_acts_per_day.map(|acts| acts.to_string())),
                    show::or_dash(plan.read_bytes_per_day.map(|bytes| bytes.to_string())),
                ]);
            }
            table.print(&said!("plan-none"))
        }
        PlanCommand::Show { name } => {
            let plan = plans::show(desk.connection(), &name).await?;
            desk.tell(&plan, &words(&plan))
        }
        PlanCommand::Edit(arguments) => {
            let (name, edit) = read(arguments)?;
            let operator = desk.operator.clone();
            let plan = plans::edit(desk.connection(), &operator, &name, &edit).await?;
            desk.tell(&plan, &words(&plan))
        }
    }
}

/// Returns a plan in words, one line for each right and quota.
fn words(plan: &Plan) -> String {
    let unbounded = || said!("plan-unbounded");
    let acts = plan.read_acts_per_day.map_or_else(unbounded, |acts| acts.to_string());
    let bytes = plan.read_bytes_per_day.map_or_else(unbounded, |bytes| bytes.to_string());
    let mut lines = vec![
        said!("plan-named", plan = &plan.name, description = &plan.description),
        said!("plan-per-day", acts = acts, bytes = bytes),
    ];
    lines.extend(plan.rights.iter().map(|right| {
        let PlanRight { application, table, may_export, may_read, may_certify, certify_gives } = right;
        let sends = if *may_export { said!("plan-sends") } else { said!("plan-sends-not") };
        said!(
            "plan-right",
            table = format!("{application}.{table}"),
            sends = sends,
            reads = whose(may_read),
            certifies = whose(may_certify),
            gives = gives(certify_gives)
        )
    }));
    lines.push(String::new());
    lines.join("\n")
}

/// Returns words that say whose records a right covers; `code` is the value as `--json` prints it.
pub(super) fn whose(code: &str) -> String {
    match code {
        "none" => said!("plan-whose-none"),
        "own" => said!("plan-whose-own"),
        "all" => said!("plan-whose-all"),
        other => other.to_owned(),
    }
}

/// Returns words that say what certifying gives; `code` is the value as `--json` prints it.
pub(super) fn gives(code: &str) -> String {
    match code {
        "verdict" => said!("plan-gives-verdict"),
        "record" => said!("plan-gives-record"),
        other => other.to_owned(),
    }
}

fn read(arguments: EditArguments) -> anyhow::Result<(String, PlanEdit)> {
    let EditArguments {
        name,
        create,
        acts_per_day,
        bytes_per_day,
        table,
        may_export,
        may_read,
        may_certify,
        certify_gives,
    } = arguments;
    let right = table.map(|table| RightEdit {
        table,
        may_export: may_export.map(|word| word == "yes"),
        may_read: may_read.as_deref().and_then(Whose::parse),
        may_certify: may_certify.as_deref().and_then(Whose::parse),
        certify_gives: certify_gives.as_deref().and_then(CertifyGives::parse),
    });
    let edit = PlanEdit {
        create,
        read_acts_per_day: acts_per_day.as_deref().map(quota).transpose()?,
        read_bytes_per_day: bytes_per_day.as_deref().map(quota).transpose()?,
        right,
    };
    Ok((name, edit))
}

/// Reads a quota: a number, or none.
fn quota(text: &str) -> anyhow::Result<Option<i64>> {
    if text == "none" {
        return Ok(None);
    }
    let number = text.parse::<i64>().ok().filter(|number| *number >= 0);
    number.map(Some).ok_or_else(|| anyhow::Error::msg(said!("plan-quota-unread", text = text)))
}
