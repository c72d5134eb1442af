//! Staging the parts of one answer as they are packed, and counting what they come to.

use sdc::answer::Addressee;
use sdc::answer::part::{Answered, PartHead};
use sdc::letter::{FORMAT_VERSION, Letter};
use store::database::Database;
use store::database::fault::Fault;
use store::reading::{Permit, Staged, staging};
use store::settle::{Arrival, Content};
use uuid::Uuid;

use crate::packing::{Packed, Packing};
use crate::work::{NotRead, Place};

/// A letter that is read for.
pub struct Reading<'a> {
    /// By whom.
    pub place: &'a Place,
    /// Under which login.
    pub login: &'a Database,
    /// As it came.
    pub arrival: &'a Arrival,
    /// As it was judged.
    pub unread: &'a store::settle::Unread,
}

impl Reading<'_> {
    /// Returns how the parts of its answer are made.
    pub fn packing(&self) -> Result<Packing, Fault> {
        let (Content::Signed { digest, form, .. }, Some(letter)) = (&self.arrival.content, self.arrival.letter())
        else {
            return Err(Fault::Bug("a letter without a signer was read for".to_owned()));
        };
        let signer = &self.unread.signer;
        Ok(Packing {
            head: self.head(letter, digest.to_string()),
            form: *form,
            container_bytes_max: signer.letter_bytes_max,
            algorithm: signer.certificate.algorithm(),
        })
    }

    fn head(&self, letter: &Letter, digest: String) -> PartHead {
        let server = &self.unread.catalogue.server;
        PartHead {
            sdc: FORMAT_VERSION,
            id: Uuid::nil(),
            from: server.name.clone(),
            to: Addressee {
                agency: self.unread.signer.matricule,
                installation: Some(letter.from.installation.clone()),
            },
            time: self.arrival.received_at,
            mode: server.mode,
            answers: Answered { letter: letter.id, digest },
            service: letter.request.service(),
            part: 1,
            last: false,
        }
    }
}

/// Where parts go.
pub struct Stage<'a> {
    place: &'a Place,
    /// Key in `xm.readings`; absent where parts are only counted.
    id: Option<Uuid>,
    /// The number of the next part.
    pub next: u16,
    bytes: u64,
    started_kb: usize,
}

impl<'a> Stage<'a> {
    /// Begins to stage parts for a letter.
    pub async fn begin(reading: &Reading<'a>) -> Result<Stage<'a>, Fault> {
        let id = Uuid::now_v7();
        let mut connection = reading.place.store.get().await?;
        staging::begin(&mut connection, id, reading.unread.signer.matricule, reading.unread.letter_id).await?;
        Ok(Stage { place: reading.place, id: Some(id), next: 1, bytes: 0, started_kb: 0 })
    }

    /// Begins to count parts.
    pub fn counting(reading: &Reading<'a>) -> Stage<'a> {
        Stage { place: reading.place, id: None, next: 1, bytes: 0, started_kb: 0 }
    }

    /// Returns its key in `xm.readings`.
    pub fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Adds a part.
    pub async fn add(&mut self, packed: &Packed) -> Result<(), NotRead> {
        self.count(packed.bytes, packed.started_kb());
        let limits = &self.place.limits;
        if self.bytes > limits.bytes_max {
            return Err(self.place.too_large("bytes_max", limits.bytes_max).into());
        }
        if packed.part > limits.parts_max {
            return Err(self.place.too_large("parts_max", limits.parts_max.into()).into());
        }
        self.next = packed.part.saturating_add(1);
        if let Some(id) = self.id {
            // A connection for each part, not for all of them: packing takes longer than staging, and others want one.
            staging::add(&mut *self.place.store.get().await?, id, packed.part, &packed.payload).await?;
        }
        Ok(())
    }

    /// Counts a part that is staged.
    pub fn count(&mut self, bytes: usize, started_kb: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.started_kb = self.started_kb.saturating_add(started_kb);
    }

    /// Returns what its parts come to: their number, bytes and units.
    pub fn sum(&self) -> (u16, u64, usize) {
        (self.next - 1, self.bytes, self.started_kb)
    }

    /// Ends it.
    pub fn end(self, permit: Option<Permit>, acts: usize, is_free: bool) -> Result<Staged, NotRead> {
        let (parts, bytes, started_kb) = self.sum();
        match self.id {
            Some(id) => Ok(Staged { id, permit, acts, parts, bytes, started_kb, is_free }),
            None => Err(NotRead::Fault(Fault::Bug("parts that were only counted cannot be given".to_owned()))),
        }
    }
}
