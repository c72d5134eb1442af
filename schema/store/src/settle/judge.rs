//! Judges one letter by itself: its signer, its address and its content, without the letters already held.

use sdc::cms::ContentCipher;
use sdc::digest::Digest;
use sdc::letter::{Letter, Office};
use sdc::refusal::{Refusal, RefusalCode};
use uuid::{Builder, Uuid};

use super::arrival::{Arrival, Content};
use super::work::Work;
use crate::certificates::signers::Signer;
use crate::tables::catalogue::Catalogue;

/// The first attempt at a letter; only an operator's retry makes another.
const FIRST_ATTEMPT: i16 = 1;

/// The key under which a verdict is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The letter's own id, or the one made from its digest.
    pub letter_id: Uuid,
    /// The installation, empty where unknown.
    pub installation: String,
    /// The sequence number that the letter uses up; none where the id is made from the digest.
    pub sequence: Option<i64>,
    /// Which attempt at the letter the verdict is of, from 1.
    pub attempt: i16,
}

impl Key {
    /// Makes the key of the first attempt at a letter.
    pub fn new(letter_id: Uuid, installation: &str, sequence: u64) -> Key {
        let sequence = i64::try_from(sequence).ok();
        Key { letter_id, installation: installation.to_owned(), sequence, attempt: FIRST_ATTEMPT }
    }

    /// Makes the key of a letter that cannot have the id and number that it names: it is unreadable, addressed to another server, or
    /// another letter has them already.
    pub fn of_digest(digest: &Digest, installation: &str) -> Key {
        let mut octets = [0; 16];
        octets.copy_from_slice(&digest.as_bytes()[..16]);
        let letter_id = Builder::from_custom_bytes(octets).into_uuid();
        Key { letter_id, installation: installation.to_owned(), sequence: None, attempt: FIRST_ATTEMPT }
    }

    /// Returns the key of another attempt at the same letter.
    pub fn of_attempt(&self, attempt: i16) -> Key {
        Key { attempt, ..self.clone() }
    }

    /// Returns by what the letters of one agency take effect one after the other: installation, sequence number, and the place in
    /// the batch where neither tells.
    pub fn order_of_effect(&self, place: usize) -> (&str, Option<i64>, usize) {
        (&self.installation, self.sequence, place)
    }

    /// Says whether it is of the first attempt at its letter.
    pub fn is_of_first_attempt(&self) -> bool {
        self.attempt == FIRST_ATTEMPT
    }
}

/// A letter as judged by itself.
pub enum Judged {
    /// Not answered.
    Stranger(Refusal),
    /// Refused whatever the centre holds.
    Refused {
        /// Its key.
        key: Key,
        /// Why.
        refusal: Refusal,
    },
    /// Accepted unless records, numbers or an account that the centre holds stand against it.
    Sound {
        /// Its key.
        key: Key,
        /// What it asks to have done.
        work: Work,
    },
}

impl Judged {
    /// Returns the key of a letter with a verified signer.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Judged::Stranger(_) => None,
            Judged::Refused { key, .. } | Judged::Sound { key, .. } => Some(key),
        }
    }

    /// Returns what a sound letter asks to have done.
    pub fn work(&self) -> Option<&Work> {
        match self {
            Judged::Sound { work, .. } => Some(work),
            Judged::Stranger(_) | Judged::Refused { .. } => None,
        }
    }
}

/// Judges an arrival by its cached signer.
pub fn judge(arrival: &Arrival, catalogue: &Catalogue) -> Judged {
    match &arrival.content {
        Content::Stranger(refusal) => Judged::Stranger(refusal.clone()),
        Content::Signed { signer, .. } => judge_for(arrival, signer, catalogue),
    }
}

/// Judges an arrival by a signer read anew.
pub fn judge_for(arrival: &Arrival, signer: &Signer, catalogue: &Catalogue) -> Judged {
    let Content::Signed { digest, cipher, letter, .. } = &arrival.content else {
        return judge(arrival, catalogue);
    };
    // A revoked key may be in other hands, so the signer counts as a stranger.
    if signer.revoked_at.is_some() {
        return Judged::Stranger(Refusal::new(RefusalCode::CertificateRevoked).with("agency", signer.matricule));
    }
    let letter = match letter {
        Ok(letter) => letter,
        Err(unreadable) => {
            let key = match &unreadable.key {
                // A number of another server or mode is not one of this row of numbers, and must not use one up.
                Some(known)
                    if is_addressed(&known.from, signer)
                        && known.to == catalogue.server.name
                        && known.mode == catalogue.server.mode =>
                {
                    Key::new(known.id, &known.from.installation, known.sequence)
                }
                _ => Key::of_digest(digest, ""),
            };
            return Judged::Refused { key, refusal: unreadable.refusal.clone() };
        }
    };
    if let Some(refusal) = misaddressed(letter, signer, catalogue) {
        // Another sender, server or mode has another row of numbers, so the letter uses up no number here.
        let installation = if is_addressed(&letter.from, signer) { letter.from.installation.as_str() } else { "" };
        return Judged::Refused { key: Key::of_digest(digest, installation), refusal };
    }
    let key = Key::new(letter.id, &letter.from.installation, letter.sequence);
    match admit(arrival, letter, signer, *cipher, catalogue) {
        Ok(work) => Judged::Sound { key, work },
        Err(refusal) => Judged::Refused { key, refusal },
    }
}

fn is_addressed(from: &Office, signer: &Signer) -> bool {
    from.agency == signer.matricule && signer.installations.contains(&from.installation)
}

fn misaddressed(letter: &Letter, signer: &Signer, catalogue: &Catalogue) -> Option<Refusal> {
    let server = &catalogue.server;
    if letter.from.agency != signer.matricule {
        let refusal = Refusal::new(RefusalCode::SenderMismatch);
        return Some(refusal.with("expected", signer.matricule).with("found", letter.from.agency));
    }
    if letter.to != server.name {
        return Some(Refusal::new(RefusalCode::WrongServer).with("expected", &server.name).with("found", &letter.to));
    }
    if letter.mode != server.mode {
        return Some(Refusal::new(RefusalCode::WrongMode).with("expected", server.mode).with("found", letter.mode));
    }
    if !signer.installations.contains(&letter.from.installation) {
        let refusal = Refusal::new(RefusalCode::InstallationUnknown);
        return Some(refusal.with("installation", &letter.from.installation));
    }
    None
}

/// Tests a letter whose sender and addressee are proven.
fn admit(
    arrival: &Arrival,
    letter: &Letter,
    signer: &Signer,
    cipher: ContentCipher,
    catalogue: &Catalogue,
) -> Result<Work, Refusal> {
    if signer.status == 0 {
        return Err(Refusal::new(RefusalCode::AgencySuspended));
    }
    let service = letter.request.service();
    if !signer.is_in_time(arrival.received_at, service.facts().grace_days) {
        let (not_before, not_after) = signer.certificate.validity();
        let refusal = Refusal::new(RefusalCode::CertificateExpired);
        return Err(refusal.with("not_before", not_before.to_rfc3339()).with("not_after", not_after.to_rfc3339()));
    }
    if cipher == ContentCipher::Aes256Cbc && !signer.cbc_allowed {
        return Err(Refusal::new(RefusalCode::CipherNotAllowed)
            .with("expected", "AES-256-GCM")
            .with("found", "AES-256-CBC"));
    }
    if arrival.rendered_bytes > signer.letter_bytes_max {
        let refusal = Refusal::new(RefusalCode::LetterTooLarge);
        return Err(refusal.with("bytes", arrival.rendered_bytes).with("bytes_max", signer.letter_bytes_max));
    }
    let status_needed = service.facts().status_needed;
    if signer.status < status_needed {
        let refusal = Refusal::new(RefusalCode::ServiceNotAllowed).with("service", service);
        return Err(refusal.with("status", signer.status).with("status_needed", status_needed));
    }
    Work::of(&letter.request, arrival.read.as_ref(), signer, catalogue)
}
