//! The effect of an accepted letter, as its writer expects it.

use sdc::answer::profile::Profile;
use sdc::digest::Digest;
use sdc::request::ProfileChange;
use uuid::Uuid;

use super::rows::RowMemory;

/// The effect of a letter once the centre accepts it.
#[derive(Clone, Debug)]
pub enum Effect {
    /// These rows are in the tables.
    Rows(Vec<RowMemory>),
    /// One record is replaced or cancelled.
    Correction(CorrectionMemory),
    /// The selected records are given.
    Read(Wanted),
    /// The number of the selected records is told, without the records.
    Estimated(Wanted),
    /// Parts of a former answer are sent once more.
    Again {
        /// The letter to which the former answer belongs.
        letter: Uuid,
        /// The numbers of these parts.
        parts: Vec<u16>,
        /// How often each part must then have come, the first time included.
        times: u64,
    },
    /// Papers are compared with the centre's records.
    Certified {
        /// The table of the records.
        table: &'static str,
        /// The papers, in the order in which the letter names them.
        papers: Vec<Paper>,
        /// Whether the answer gives the record of each paper that was found.
        gives_record: bool,
    },
    /// A statement of the account is given.
    Statement,
    /// The agency's own data is given; the letter may also ask for a change of it.
    Profile {
        /// The data that the answer must give.
        told: Profile,
        /// The change that the letter asks for, where there is one.
        asked: Option<ProfileAsked>,
    },
    /// The account is credited with this amount, in minor units of money.
    Credit(i64),
    /// The operators have received a message.
    Message {
        /// The first message of the thread that this message continues; none where it starts a thread.
        thread: Option<Uuid>,
        /// The text of the message.
        text: String,
        /// The reply that an operator sends, where the message is a question.
        reply: Option<String>,
    },
    /// The certificate of a key is registered, and given in the answer.
    Certificate {
        /// SHA-256 of the public key.
        key: Digest,
    },
}

/// The correction of one record. The record was sent by the same installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrectionMemory {
    /// The table of the record.
    pub table: &'static str,
    /// The number that the installation gave to the record.
    pub numero: i64,
    /// Whether the record is cancelled; otherwise it is replaced.
    pub is_cancelled: bool,
    /// SHA-256 of the values of the record after the correction.
    pub content: Digest,
    /// Whether a correction that was written later reached the centre first. The earlier correction then changes nothing.
    pub is_superseded: bool,
}

/// A selection of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The table of the records.
    pub table: &'static str,
    /// The agency whose records are selected.
    pub of: i32,
    /// The lowest and the highest act number that are selected.
    pub numbers: Option<(i64, i64)>,
    /// The beginning of the surnames that are selected.
    pub name_prefix: Option<String>,
    /// Whether only number and surname of each act are given.
    pub is_brief: bool,
    /// Largest number of records that are given.
    pub limit: Option<usize>,
    /// If a letter is given here, only records that have changed since that letter was answered are selected, cancelled records included.
    pub since: Option<Uuid>,
    /// The price for each record given, in minor units of money.
    pub per_act: i64,
}

/// A paper that the centre compares with the record in its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// The agency whose register has the act.
    pub of: i32,
    /// The number of the act in that register.
    pub number: i64,
    /// The surname that the paper shows, where the centre is to compare it.
    pub name: Option<String>,
}

/// A change of the agency's own data that an operator must decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileAsked {
    /// The fields to change and their new values.
    pub change: ProfileChange,
    /// Whether the operator approves the change.
    pub is_made: bool,
}
