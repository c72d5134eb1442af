//! Stages the parts of an answer: stores each part as it is packed, where no office gets it yet, and counts its bytes.

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

/// A letter that selects records, with everything that its reading needs.
pub struct Reading<'a> {
    /// The database in which the answer's parts are staged, with the centre's own login, and the limits of the reading.
    pub place: &'a Place,
    /// The same database with the login that can only read. The records are read through it.
    pub login: &'a Database,
    /// The letter as it arrived.
    pub arrival: &'a Arrival,
    /// The letter's signer and the catalogue of tables, as the settler found them before the reading. The settling transaction looks again
    /// whether the signer's rights are still the same.
    pub unread: &'a store::settle::Unread,
}

impl Reading<'_> {
    /// Returns the settings by which the parts of the letter's answer are packed.
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

/// Collects the parts of one answer in `xm.readings`, or only counts them.
pub struct Stage<'a> {
    place: &'a Place,
    /// Key of the answer in `xm.readings`; `None` where parts are only counted.
    id: Option<Uuid>,
    /// Number of the next part, from 1.
    pub next: u16,
    bytes: u64,
    started_kb: usize,
}

impl<'a> Stage<'a> {
    /// Begins to stage the parts of a letter's answer.
    pub async fn begin(reading: &Reading<'a>) -> Result<Stage<'a>, Fault> {
        let id = Uuid::now_v7();
        let mut connection = reading.place.store.get().await?;
        staging::begin(&mut connection, id, reading.unread.signer.matricule, reading.unread.letter_id).await?;
        Ok(Stage { place: reading.place, id: Some(id), next: 1, bytes: 0, started_kb: 0 })
    }

    /// Begins to count parts without storing them, for an estimate.
    pub fn counting(reading: &Reading<'a>) -> Stage<'a> {
        Stage { place: reading.place, id: None, next: 1, bytes: 0, started_kb: 0 }
    }

    /// Returns the answer's key in `xm.readings`; `None` where parts are only counted.
    pub fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Adds a part. Refuses the letter if its answer exceeds the limits on bytes or parts.
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
            // A connection is taken for each part and given back at once. Most of the time goes into packing, and meanwhile other tasks can
            // use the connection.
            staging::add(&mut *self.place.store.get().await?, id, packed.part, &packed.payload).await?;
        }
        Ok(())
    }

    /// Counts a part: the bytes of its container, and the units of 1 024 bytes that the container begins, which the tariff charges.
    pub fn count(&mut self, bytes: usize, started_kb: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.started_kb = self.started_kb.saturating_add(started_kb);
    }

    /// Returns the number of parts, the bytes of their containers, and the units of 1 024 bytes that these begin.
    pub fn sum(&self) -> (u16, u64, usize) {
        (self.next - 1, self.bytes, self.started_kb)
    }

    /// Ends the staging. The settling transaction charges `acts` acts and the staged bytes, or nothing where `is_free` is set.
    pub fn end(self, permit: Option<Permit>, acts: usize, is_free: bool) -> Result<Staged, NotRead> {
        let (parts, bytes, started_kb) = self.sum();
        match self.id {
            Some(id) => Ok(Staged { id, permit, acts, parts, bytes, started_kb, is_free }),
            None => Err(NotRead::Fault(Fault::Bug("parts that were only counted cannot be given".to_owned()))),
        }
    }
}
