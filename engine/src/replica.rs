//! This process among the replicas of the centre: its identity, the description that it gives the others, and the refusal to run beside
//! another program with the same identity.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sdc::digest::Digest;
use serde_json::json;
use store::database::Database;
use store::replicas::{self, DEAD_AFTER, Entry, Replica, Twin};
use uuid::Uuid;

use crate::configuration::Configuration;

/// Longest wait for the end of another program with this process's identity. It is longer than the time after which that program counts as
/// dead.
const WAIT_MAX: Duration = Duration::from_secs(DEAD_AFTER.as_secs() + 5);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// Digits of the digest of the configuration that the list of replicas shows.
const DIGEST_DIGITS: usize = 12;

/// Error: another program lives under this process's identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another xmserver runs under the identity of this process, on host {host} with data folder {data_folder}: give each process its own \
     server.process_name, or a data folder whose file `process` is not copied from another's"
)]
pub struct TwinError {
    /// Name of the other program's host.
    pub host: String,
    /// Path of the other program's data folder.
    pub data_folder: String,
}

/// Describes this process to the other replicas. `of_folder` is the identity that the data folder keeps; a configured
/// `server.process_name` gives the process another one, which stays the same wherever the process runs.
pub fn replica(configuration: &Configuration, server_name: &str, of_folder: Uuid) -> Replica {
    let host = kernel("hostname");
    let name = configuration.server.process_name.clone();
    let folder = &configuration.server.data_folder;
    Replica {
        process: name.as_ref().map_or(of_folder, |name| named(server_name, name)),
        life: Uuid::now_v7(),
        name: name.unwrap_or_else(|| host.clone()),
        host,
        boot: kernel("random/boot_id"),
        data_folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.clone()).display().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        leases: Vec::new(),
        configuration: digest(configuration),
    }
}

/// Reads a value of the kernel, see proc(5).
fn kernel(name: &str) -> String {
    fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).unwrap_or_default().trim().to_owned()
}

/// Derives an identity from names: a UUID of version 8 from a SHA-256 (RFC 9562, appendix B.2).
fn named(server_name: &str, process_name: &str) -> Uuid {
    let digest = Digest::of(format!("xmserver\0{server_name}\0{process_name}").as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&digest.as_bytes()[..16]);
    Uuid::new_v8(first)
}

/// Returns a digest of those settings that should be the same on all replicas: mailboxes, intakes, folder, relay and limits, without
/// secrets.
fn digest(configuration: &Configuration) -> String {
    let mailboxes: Vec<_> = configuration
        .mailboxes
        .iter()
        .map(|mailbox| json!([mailbox.name, mailbox.pop3.host, mailbox.pop3.port, mailbox.pop3.username]))
        .collect();
    let alike = json!({
        "mailboxes": mailboxes,
        "intakes": configuration.intakes.iter().map(|intake| (&intake.name, &intake.smtp.addresses)).collect::<Vec<_>>(),
        "https": configuration.https.as_ref().map(|https| &https.name),
        "folder": configuration.folder.as_ref().map(|folder| (&folder.name, &folder.path)),
        "relay": configuration.relay.as_ref().map(|relay| (&relay.address, &relay.smtp.host)),
        "limits": configuration.limits,
    });
    let mut digits = Digest::of(alike.to_string().as_bytes()).to_string();
    digits.truncate(DIGEST_DIGITS);
    digits
}

/// Enters the process in the list of the centre's replicas. While another program lives under the same identity, waits until that program
/// is dead.
///
/// # Errors
/// [`TwinError`] where the other program still lives after 20 s; or a fault of the database that is not temporary.
pub async fn enter(database: &Database, replica: &Replica) -> anyhow::Result<()> {
    let (began, mut is_told) = (Instant::now(), false);
    loop {
        let entry = match database.get().await {
            Ok(mut connection) => replicas::enter(&mut connection, replica).await,
            Err(fault) => Err(fault),
        };
        match entry {
            Ok(Entry::Entered) => return Ok(()),
            Err(fault) if fault.is_passing() => {
                tracing::debug!(%fault, "this process could not be entered among the replicas; trying again");
                tokio::time::sleep(PAUSE).await;
            }
            Err(fault) => return Err(fault.into()),
            Ok(Entry::Twin(Twin { host, data_folder })) if began.elapsed() > WAIT_MAX => {
                return Err(TwinError { host, data_folder }.into());
            }
            Ok(Entry::Twin(Twin { host, data_folder })) => {
                if !std::mem::replace(&mut is_told, true) {
                    let seconds = WAIT_MAX.as_secs();
                    tracing::warn!(
                        host,
                        data_folder,
                        "another program has this process's identity: waiting {seconds} s for its end"
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_process_has_the_same_identity_everywhere_and_no_others() {
        let of_folder = Uuid::now_v7();
        let mut configuration = Configuration::default();
        assert_eq!(replica(&configuration, "centre", of_folder).process, of_folder);
        configuration.server.process_name = Some("replica-1".to_owned());
        let one = replica(&configuration, "centre", of_folder);
        assert_eq!(one.name, "replica-1");
        assert_eq!(one.process, replica(&configuration, "centre", Uuid::now_v7()).process);
        assert_ne!(one.process, replica(&configuration, "other", of_folder).process);
        configuration.server.process_name = Some("replica-2".to_owned());
        assert_ne!(one.process, replica(&configuration, "centre", of_folder).process);
    }

    #[test]
    fn a_digest_shows_what_differs_and_not_what_is_each_replicas_own() {
        let plain = Configuration::default();
        let mut own = Configuration::default();
        own.server.process_name = Some("a".to_owned());
        own.server.data_folder = "/srv/a".into();
        assert_eq!(digest(&own), digest(&plain));
        own.limits.writers += 1;
        assert_ne!(digest(&own), digest(&plain));
        assert_eq!(digest(&own).len(), DIGEST_DIGITS);
    }
}
