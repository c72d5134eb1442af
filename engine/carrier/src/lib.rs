//! The carrier: NATS JetStream between the replicas that receive pushed mail and the replicas that settle it.
//!
//! The carrier never decides anything. It takes a mail from one process to another, and PostgreSQL decides, as ever, whether the mail's
//! letters are new. So whatever the carrier delivers twice is recognised, and nothing here has to be exact once only.
//!
//! | word | meaning | where |
//! |---|---|---|
//! | parcel | a mail on its way, with its label: where it came from, and where its notice is awaited | [`Parcel`] |
//! | partition | one of the subjects of the stream; all mail that claims one agency is in one partition | [`SUBJECT`] |
//! | put | to publish a parcel, and to wait until a majority of the servers has it | [`Carrier::put`] |
//! | hold | the right of one process to take the parcels of a partition | [`Hold`] |
//! | notice | the fate of a parcel, told to the process whose sender waits for it | [`Notice`] |
//! | question | what a process without a database asks one that has it | [`Question`] |
//! | promise | what the servers guarantee about a parcel that was put | [`Promise`] |

mod connection;
mod fault;
mod hold;
mod messages;
mod questions;
mod servers;
mod settings;
mod stream;

pub use connection::{Awaited, AwaitedNotice, Carrier};
pub use fault::CarrierFault;
pub use hold::{Delivery, Hold, Receipt};
pub use messages::{AnsweredBy, Await, Label, Letter, Notice, Parcel, Question};
pub use questions::{Asked, AskedOne, Reply};
pub use servers::Server;
pub use settings::{CarrierSettings, Contract};
pub use stream::{Promise, Shortcoming, StreamState};

/// Name of the stream.
pub const STREAM: &str = "XM_MAIL";
/// Subject of the parcels, before a point and the number of the partition.
pub const SUBJECT: &str = "xm.mail";

/// Largest mail, in bytes, that is carried. Its label and the headers of its message must fit into a message of 1 MB too.
pub const MAIL_BYTES_MAX: usize = 900 * 1024;
/// Time after which a parcel that was taken, and of which nothing was heard since, is given to another process.
pub const ACK_WAIT: std::time::Duration = std::time::Duration::from_secs(60);
