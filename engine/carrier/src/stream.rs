//! The stream that keeps the parcels: how it is made, what it promises, and whether it was emptied.

use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::jetstream::{Error, ErrorCode};

use crate::connection::Carrier;
use crate::fault::CarrierFault;
use crate::servers::Server;
use crate::settings::CarrierSettings;
use crate::{STREAM, SUBJECT};

/// Key of the stream's metadata with the number of partitions.
const PARTITIONS: &str = "xm_partitions";
/// Least number of servers that keep each parcel where senders are answered before the commit.
const REPLICAS_MIN: usize = 3;
/// Largest message, in bytes: a mail of 900 KB and its label.
const MESSAGE_BYTES_MAX: i32 = 1 << 20;

/// The stream as the servers tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Number of parcels that are not settled.
    pub parcels: u64,
    /// Number of servers that keep each parcel.
    pub replicas: usize,
    /// Names of the servers that keep the stream, sorted.
    pub servers: Vec<String>,
    /// Whether the stream is on disk.
    pub is_on_disk: bool,
    /// Number of partitions for which the stream was made; `None` where it was not made by this program.
    pub partitions: Option<u16>,
    /// Whether a full stream refuses parcels. Otherwise it would silently drop the oldest ones.
    pub refuses_when_full: bool,
    /// Time at which the stream was made, in nanoseconds since 1970. A stream that was deleted and made anew has another time.
    made_at: i128,
    last_sequence: u64,
}

impl StreamState {
    fn of(info: &Info) -> StreamState {
        let cluster = info.cluster.as_ref();
        let leader = cluster.and_then(|cluster| cluster.leader.clone());
        let followers = cluster.iter().flat_map(|cluster| cluster.replicas.iter().map(|peer| peer.name.clone()));
        let mut servers: Vec<String> = leader.into_iter().chain(followers).collect();
        servers.sort();
        StreamState {
            parcels: info.state.messages,
            replicas: info.config.num_replicas.max(1),
            servers,
            is_on_disk: info.config.storage == StorageType::File,
            partitions: info.config.metadata.get(PARTITIONS).and_then(|count| count.parse().ok()),
            refuses_when_full: info.config.discard == DiscardPolicy::New,
            made_at: info.created.unix_timestamp_nanos(),
            last_sequence: info.state.last_sequence,
        }
    }

    /// Requires that the stream has the number of partitions of the settings. A stream that another program made tells none, and is used.
    ///
    /// # Errors
    /// [`CarrierFault::Partitions`].
    pub fn require_partitions(&self, configured: u16) -> Result<(), CarrierFault> {
        match self.partitions {
            Some(found) if found != configured => Err(CarrierFault::Partitions { found, configured }),
            _ => Ok(()),
        }
    }

    /// Says whether parcels were lost since `former` was seen: the stream was made anew, or its numbers run backwards.
    pub fn was_emptied_since(&self, former: &StreamState) -> bool {
        self.made_at != former.made_at || self.last_sequence < former.last_sequence
    }
}

/// What the servers guarantee about a parcel that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A parcel is on the disks of a majority of so many servers before it is acknowledged.
    Durable {
        /// Number of servers that keep each parcel.
        replicas: usize,
    },
    /// Servers that lose power together may lose parcels that they have acknowledged.
    Volatile(Shortcoming),
}

/// Why parcels are not durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortcoming {
    /// Too few servers keep each parcel.
    #[error("{replicas} server(s) keep each parcel, and 3 are expected: `xmserver carrier init` makes such a stream")]
    FewReplicas {
        /// Number of servers that keep each parcel.
        replicas: usize,
    },
    /// The stream is in memory.
    #[error("the stream is in memory, and is expected on disk")]
    InMemory,
    /// A full stream drops its oldest parcels.
    #[error("the full stream drops parcels, and is expected to refuse new ones (discard new)")]
    DropsOld,
    /// A server keeps the stream, and is none of those that were asked.
    #[error("the server {server} keeps the stream, and none of carrier.monitoring is its address")]
    Unwatched {
        /// Name of the server.
        server: String,
    },
    /// A server acknowledges before it has written to disk.
    #[error("the server {server} acknowledges before it has written to disk: expected `sync_interval: always` there")]
    SyncsLate {
        /// Name of the server.
        server: String,
    },
    /// A server is too old.
    #[error("the server {server} is of version {version}, and 2.12 is the least")]
    Old {
        /// Name of the server.
        server: String,
        /// Its version.
        version: String,
    },
}

impl Promise {
    /// Finds out what a stream on these servers promises.
    pub fn of(stream: &StreamState, servers: &[Server]) -> Promise {
        match shortcoming(stream, servers) {
            None => Promise::Durable { replicas: stream.replicas },
            Some(shortcoming) => Promise::Volatile(shortcoming),
        }
    }
}

fn shortcoming(stream: &StreamState, servers: &[Server]) -> Option<Shortcoming> {
    let replicas = stream.replicas;
    if replicas < REPLICAS_MIN || stream.servers.len() < REPLICAS_MIN {
        return Some(Shortcoming::FewReplicas { replicas: replicas.min(stream.servers.len().max(1)) });
    }
    if !stream.is_on_disk {
        return Some(Shortcoming::InMemory);
    }
    if !stream.refuses_when_full {
        return Some(Shortcoming::DropsOld);
    }
    stream.servers.iter().find_map(|name| {
        let server = name.clone();
        match servers.iter().find(|server| server.name == *name) {
            None => Some(Shortcoming::Unwatched { server }),
            Some(found) if !found.is_new_enough() => Some(Shortcoming::Old { server, version: found.version.clone() }),
            Some(found) if !found.syncs_always => Some(Shortcoming::SyncsLate { server }),
            Some(_) => None,
        }
    })
}

impl Carrier {
    /// Makes the stream, if it is not there. A stream that is there stays as it is.
    ///
    /// # Errors
    /// A fault, and what the servers say against it.
    pub async fn make_stream(&self) -> Result<StreamState, CarrierFault> {
        match self.jetstream.create_stream(config(&self.settings)).await {
            Ok(stream) => Ok(StreamState::of(stream.cached_info())),
            Err(error) => match error.kind() {
                CreateStreamErrorKind::JetStream(refused) if refused.error_code() == ErrorCode::STREAM_NAME_EXIST => {
                    self.stream().await
                }
                CreateStreamErrorKind::JetStream(refused) => Err(refusal(&refused)),
                _ => Err(CarrierFault::away(error)),
            },
        }
    }

    /// Reads the state of the stream.
    ///
    /// # Errors
    /// [`CarrierFault::NoStream`], or another fault.
    pub async fn stream(&self) -> Result<StreamState, CarrierFault> {
        match self.jetstream.get_stream(STREAM).await {
            Ok(stream) => Ok(StreamState::of(stream.cached_info())),
            Err(error) => Err(match error.kind() {
                GetStreamErrorKind::JetStream(refused) if refused.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    CarrierFault::NoStream
                }
                GetStreamErrorKind::JetStream(refused) => refusal(&refused),
                _ => CarrierFault::away(error),
            }),
        }
    }

    /// Finds out what the servers promise.
    ///
    /// # Errors
    /// A fault: the stream, or the state of a server, cannot be read.
    pub async fn promise(&self) -> Result<Promise, CarrierFault> {
        let stream = self.stream().await?;
        let mut servers = Vec::new();
        for url in &self.settings.monitoring {
            servers.push(Server::ask(url).await?);
        }
        Ok(Promise::of(&stream, &servers))
    }
}

/// Tells servers that refuse from servers that have no leader yet, or none any more, and say so by 503.
fn refusal(refused: &Error) -> CarrierFault {
    match refused.code() {
        503 => CarrierFault::Away(refused.to_string()),
        _ => CarrierFault::Refused(refused.to_string()),
    }
}

/// The settings of the stream. A parcel goes when it is acknowledged, and in no other way.
fn config(settings: &CarrierSettings) -> Config {
    Config {
        name: STREAM.to_owned(),
        subjects: vec![format!("{SUBJECT}.*")],
        retention: RetentionPolicy::WorkQueue,
        storage: StorageType::File,
        num_replicas: settings.replicas,
        discard: DiscardPolicy::New,
        max_bytes: i64::try_from(settings.stream_bytes_max).unwrap_or(i64::MAX),
        max_message_size: MESSAGE_BYTES_MAX,
        deny_delete: true,
        deny_purge: true,
        metadata: [(PARTITIONS.to_owned(), settings.partitions.to_string())].into(),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamState {
        StreamState {
            parcels: 0,
            replicas: 3,
            servers: ["a", "b", "c"].map(str::to_owned).to_vec(),
            is_on_disk: true,
            partitions: Some(16),
            refuses_when_full: true,
            made_at: 1,
            last_sequence: 7,
        }
    }

    fn server(name: &str) -> Server {
        Server { name: name.to_owned(), version: "2.15.1".to_owned(), syncs_always: true }
    }

    #[test]
    fn only_three_servers_that_sync_before_they_acknowledge_promise_anything() {
        let servers = ["a", "b", "c"].map(server);
        assert_eq!(Promise::of(&stream(), &servers), Promise::Durable { replicas: 3 });
        let lacks = |change: fn(&mut StreamState, &mut Vec<Server>)| {
            let (mut stream, mut servers) = (stream(), servers.to_vec());
            change(&mut stream, &mut servers);
            match Promise::of(&stream, &servers) {
                Promise::Volatile(shortcoming) => shortcoming,
                Promise::Durable { .. } => panic!("{stream:?} {servers:?}"),
            }
        };
        let c = || "c".to_owned();
        assert_eq!(lacks(|stream, _| stream.replicas = 1), Shortcoming::FewReplicas { replicas: 1 });
        assert_eq!(lacks(|stream, _| stream.servers.truncate(2)), Shortcoming::FewReplicas { replicas: 2 });
        assert_eq!(lacks(|stream, _| stream.is_on_disk = false), Shortcoming::InMemory);
        assert_eq!(lacks(|stream, _| stream.refuses_when_full = false), Shortcoming::DropsOld);
        assert_eq!(lacks(|_, servers| servers.truncate(2)), Shortcoming::Unwatched { server: c() });
        assert_eq!(lacks(|_, servers| servers[2].syncs_always = false), Shortcoming::SyncsLate { server: c() });
        let old = Shortcoming::Old { server: c(), version: "2.11.9".to_owned() };
        assert_eq!(lacks(|_, servers| servers[2].version = "2.11.9".to_owned()), old);
    }

    #[test]
    fn a_stream_of_another_number_of_partitions_is_refused() {
        assert_eq!(stream().require_partitions(16), Ok(()));
        let refused = Err(CarrierFault::Partitions { found: 16, configured: 32 });
        assert_eq!(stream().require_partitions(32), refused);
        assert_eq!(StreamState { partitions: None, ..stream() }.require_partitions(32), Ok(()));
    }

    #[test]
    fn a_stream_that_is_another_one_was_emptied() {
        let later = |made_at, last_sequence| StreamState { made_at, last_sequence, ..stream() };
        assert!(!later(1, 7).was_emptied_since(&stream()) && !later(1, 9).was_emptied_since(&stream()));
        assert!(later(2, 9).was_emptied_since(&stream()) && later(1, 6).was_emptied_since(&stream()));
    }
}
