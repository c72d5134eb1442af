//! Source and time of arrival of a mail. Every message that holds a part of a mail carries the mail's whole provenance. [`Settleable`] is
//! the input of settling, together with the duty to report the mail's fate.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use sdc::enrolment::Enrolment;
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode};
use store::settle::{Arrival, Content, Source};

use crate::at_work::MailName;
use crate::custody::Share;
use crate::payload_room::Unpacked;
use crate::room::Gathered;

/// Source and time of arrival of a mail. Every container found in the mail carries a copy.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// Name of the mail: its source, and its token in that source.
    pub name: MailName,
    /// Transport, mailbox and unproven claims of the mail, as the journal and the quarantine record them.
    pub source: Source,
    /// Moment at which the centre took the mail, by the centre's clock.
    pub received_at: DateTime<Utc>,
    /// Moment at which the centre took the mail, by the monotonic clock. It is used to measure latencies.
    pub taken_at: Instant,
}

/// The octets of a container, or of a mail that is kept whole, and their sizes.
pub struct Original {
    /// The octets that were fetched.
    pub octets: Vec<u8>,
    /// Number of octets of the container, or of the whole mail where only the mail's first part was fetched.
    pub container_bytes: usize,
    /// Number of bytes of the document in its canonical form, independent of line lengths and padding that gateways may have changed.
    /// Prices and limits count these bytes.
    pub rendered_bytes: usize,
}

impl Original {
    /// Makes an original of octets that are not recognised as a document. Both sizes are the number of octets.
    pub fn of(octets: Vec<u8>) -> Original {
        let bytes = octets.len();
        Original { octets, container_bytes: bytes, rendered_bytes: bytes }
    }
}

impl Provenance {
    /// Returns the matricule that the mail mentions.
    pub fn claim(&self) -> Option<Matricule> {
        self.source.claimed.agency
    }

    /// Makes the input of settling from one container of this mail.
    pub fn settleable(self, original: Original, content: Content, (unpacked, share): (Unpacked, Share)) -> Settleable {
        let Provenance { name: _, source, received_at, taken_at } = self;
        let Original { octets: container, container_bytes, rendered_bytes } = original;
        Settleable {
            arrival: Arrival {
                received_at,
                source,
                container,
                container_bytes,
                rendered_bytes,
                content,
                enrolment: None,
                read: None,
            },
            duty: Duty { taken_at, unpacked, gathered: None, share },
        }
    }

    /// Makes the input of settling from an installation's first letter. The letter is refused as a stranger's, unless its enrolment code is
    /// valid.
    pub fn enrolling(self, original: Original, enrolment: Enrolment, share: Share) -> Settleable {
        let refusal = Refusal::new(RefusalCode::EnrolmentRefused);
        let mut settleable = self.refused(original, refusal, share);
        settleable.arrival.enrolment = Some(Arc::new(enrolment));
        settleable
    }

    /// Makes the input of settling from a container, or a whole mail, without a verified signer. Its payload was not unpacked.
    pub fn refused(self, original: Original, refusal: Refusal, share: Share) -> Settleable {
        self.settleable(original, Content::Stranger(refusal), (Unpacked::default(), share))
    }
}

/// Input of settling: the contents of a container as far as they are known, and the duty to report to the source what became of it.
pub struct Settleable {
    /// Contents of the container as far as they are known.
    pub arrival: Arrival,
    /// The duty to report to the source what became of the container.
    pub duty: Duty,
}

/// What one arrival (a container, or a mail that is kept whole) holds until it is settled: the memory reserved for its payload, and the
/// duty to report its fate.
pub struct Duty {
    /// Moment at which the centre took the arrival's mail, by the monotonic clock.
    pub taken_at: Instant,
    /// Bytes of memory reserved for the arrival's payload. They become free when this value is dropped.
    pub unpacked: Unpacked,
    /// Counts the arrival as one that has come to a writer, once it has.
    pub gathered: Option<Gathered>,
    /// The duty to report what became of the container.
    pub share: Share,
}
