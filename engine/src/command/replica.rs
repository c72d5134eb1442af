//! `xmserver replica`: the processes that serve this centre together.

use std::collections::BTreeSet;

use clap::Subcommand;
use store::replicas::{self, ListedReplica};

use super::desk::Desk;
use crate::show::{self, Table};
use crate::speech::said;

/// What to do with replicas.
#[derive(Subcommand, Debug)]
pub enum ReplicaCommand {
    /// List the processes that serve this centre, and those of the last day that ended
    List,
}

pub(super) async fn run(desk: &mut Desk, command: &ReplicaCommand) -> anyhow::Result<()> {
    let ReplicaCommand::List = command;
    let found = replicas::list(desk.connection()).await?;
    if desk.json {
        return show::json(&found);
    }
    let mut table = Table::new(&["name", "host", "version", "settings", "since", "state", "leases"]);
    for replica in &found {
        table.row([
            replica.name.clone(),
            replica.host.clone(),
            replica.version.clone(),
            replica.configuration.clone(),
            desk.clock.short(replica.started_at),
            state(replica, desk),
            show::or_dash((!replica.leases.is_empty()).then(|| replica.leases.join(", "))),
        ]);
    }
    table.print(&said!("replica-none"))?;
    let living = found.iter().filter(|replica| replica.gone_at.is_none());
    let configurations: BTreeSet<&str> = living.map(|replica| replica.configuration.as_str()).collect();
    if configurations.len() > 1 {
        show::text(&format!("{}\n", said!("replica-differ")))?;
    }
    Ok(())
}

fn state(replica: &ListedReplica, desk: &Desk) -> String {
    match replica.gone_at {
        Some(gone_at) => said!("replica-gone", at = desk.clock.short(gone_at)),
        None if replica.silent_seconds > replicas::DEAD_AFTER.as_secs_f64() => {
            said!("replica-silent", seconds = format!("{:.0}", replica.silent_seconds))
        }
        None if replica.drains => said!("replica-drains"),
        None => said!("replica-runs"),
    }
}
