//! The notices that offices have verified. A notice is a letter that the centre sends without being asked.

use sdc::answer::notice::{NoticeContent, ProfileOutcome};
use sdc::answer::profile::Profile;
use sdc::digest::Digest;
use uuid::Uuid;

/// A notice that its office verified.
#[derive(Clone, Debug)]
pub struct NoticeMemory {
    /// The agency to which the notice was sent.
    pub agency: i32,
    /// The installation of that agency to which the notice was sent.
    pub installation: String,
    /// The number of the notice; the notices to each installation are numbered.
    pub number: u64,
    /// The id of the notice.
    pub id: Uuid,
    /// SHA-256 of the notice's content.
    pub digest: Digest,
    /// Number of times that the notice came.
    pub times: u64,
    /// The content of the notice.
    pub told: Told,
}

/// The content of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A message of an operator.
    Message {
        /// The first message of the thread.
        thread: Uuid,
        /// The id of this message.
        message: Uuid,
        /// The text of the message.
        text: String,
    },
    /// The decision on a change of the agency's own data.
    Profile {
        /// The letter that asked for the change.
        letter: Uuid,
        /// Whether the change was made.
        is_made: bool,
        /// The agency's own data after the decision.
        profile: Profile,
    },
    /// A notice that no agency waits for; the text is its kind.
    Other(&'static str),
}

/// A text that operators wrote to every agency that had written before.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// The text that was written.
    pub text: String,
    /// The agencies and installations that must get it.
    pub to: Vec<(i32, String)>,
}

impl Told {
    /// Returns the part of a notice's content that the memory keeps.
    pub fn of(content: &NoticeContent) -> Told {
        match content {
            NoticeContent::Message { message, thread, text } => {
                Told::Message { thread: *thread, message: *message, text: text.clone() }
            }
            NoticeContent::Profile { letter, outcome, profile, .. } => {
                Told::Profile { letter: *letter, is_made: *outcome == ProfileOutcome::Made, profile: profile.clone() }
            }
            other => Told::Other(other.kind()),
        }
    }

    /// Says whether an agency waits for such a notice: a message, or a decision on its own data.
    pub fn is_awaited(&self) -> bool {
        !matches!(self, Told::Other(_))
    }
}
