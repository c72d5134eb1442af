//! Where a mail came from and when, carried whole by every message that holds a part of it; and what settling takes, with the duty
//! that goes with it.

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

/// Where a mail came from, and when. Every container found in the mail carries a copy.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// Which mail it is.
    pub name: MailName,
    /// Where it came from, as the journal keeps it.
    pub source: Source,
    /// When it was taken in hand, by the centre's clock.
    pub received_at: DateTime<Utc>,
    /// The same by the monotonic clock, for latencies.
    pub taken_at: Instant,
}

/// The octets of a container, or of a mail that is kept as a whole, and their sizes.
pub struct Original {
    /// The octets, as far as they were fetched.
    pub octets: Vec<u8>,
    /// Their number; that of the whole mail where only its first part was fetched.
    pub container_bytes: usize,
    /// What the document measures, however it was wrapped on the way.
    pub rendered_bytes: usize,
}

impl Original {
    /// Makes the original of octets of which no document is known: it measures what they do.
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

    /// Makes what settling takes of a container of this mail.
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
            duty: Duty { taken_at, unpacked, share },
        }
    }

    /// Makes what settling takes of the first letter of an installation: a stranger's, unless its code admits it.
    pub fn enrolling(self, original: Original, enrolment: Enrolment, share: Share) -> Settleable {
        let refusal = Refusal::new(RefusalCode::EnrolmentRefused);
        let mut settleable = self.refused(original, refusal, share);
        settleable.arrival.enrolment = Some(Arc::new(enrolment));
        settleable
    }

    /// Makes what settling takes of a container, or of a mail as a whole, that nobody vouches for. Nothing of it was unpacked.
    pub fn refused(self, original: Original, refusal: Refusal, share: Share) -> Settleable {
        self.settleable(original, Content::Stranger(refusal), (Unpacked::default(), share))
    }
}

/// What settling takes: what has been understood of a container, and the duty towards its mail.
pub struct Settleable {
    /// What has been understood.
    pub arrival: Arrival,
    /// The duty.
    pub duty: Duty,
}

/// What is owed for one arrival until it is settled.
pub struct Duty {
    /// When its mail was taken in hand, by the monotonic clock.
    pub taken_at: Instant,
    /// Room for its payload, given back when this is dropped.
    pub unpacked: Unpacked,
    /// The duty to settle it.
    pub share: Share,
}
