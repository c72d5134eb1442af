//! Judges one letter by its signer, its address and its content, without looking at stored letters.

use sdc::cms::ContentCipher;
use sdc::digest::Digest;
use sdc::letter::{Letter, Office};
use sdc::refusal::{Refusal, RefusalCode};
use uuid::{Builder, Uuid};

use super::arrival::{Arrival, Content};
use super::work::Work;
use crate::certificates::signers::Signer;
use crate::tables::catalogue::Catalogue;

/// The number of the first attempt at a letter. Another attempt is made only if an operator retries the letter, or if people have decided
/// about a held letter.
const FIRST_ATTEMPT: i16 = 1;

/// The key under which a verdict is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The letter's own id, or an id made from the digest of the letter.
    pub letter_id: Uuid,
    /// The installation; empty if it is not known.
    pub installation: String,
    /// The sequence number that the letter uses; `None` if the id is made from the digest.
    pub sequence: Option<i64>,
    /// The number of the attempt at the letter that led to the verdict, counted from 1.
    pub attempt: i16,
}

impl Key {
    /// Makes the key of the first attempt at a letter.
    pub fn new(letter_id: Uuid, installation: &str, sequence: u64) -> Key {
        let sequence = i64::try_from(sequence).ok();
        Key { letter_id, installation: installation.to_owned(), sequence, attempt: FIRST_ATTEMPT }
    }

    /// Makes the key of a letter that cannot use its own id and sequence number: the letter is unreadable, is addressed to another server,
    /// or has an id or number that another letter used before. Its verdict needs a key all the same. This one is made from the letter's
    /// digest, so the same letter has it whenever it comes.
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

    /// Returns the sort key by which the letters of one agency take effect: installation, then sequence number, then place in the batch.
    pub fn order_of_effect(&self, place: usize) -> (&str, Option<i64>, usize) {
        (&self.installation, self.sequence, place)
    }

    /// Says whether the key belongs to the first attempt at its letter.
    pub fn is_of_first_attempt(&self) -> bool {
        self.attempt == FIRST_ATTEMPT
    }
}

/// The judgement on a letter alone.
pub enum Judged {
    /// The letter has no verified signer, or the signer's key is revoked. The letter gets no answer.
    Stranger(Refusal),
    /// The letter is refused, whatever is stored at the centre.
    Refused {
        /// The key under which the verdict is stored.
        key: Key,
        /// The reason.
        refusal: Refusal,
    },
    /// Nothing in the letter itself speaks against it. It is accepted unless stored records, sequence numbers or the account forbid this.
    Sound {
        /// The key under which the verdict is stored.
        key: Key,
        /// The work that the letter asks for.
        work: Work,
    },
}

impl Judged {
    /// Returns the key; `None` for a stranger.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Judged::Stranger(_) => None,
            Judged::Refused { key, .. } | Judged::Sound { key, .. } => Some(key),
        }
    }

    /// Returns the work of a sound letter; `None` for other letters.
    pub fn work(&self) -> Option<&Work> {
        match self {
            Judged::Sound { work, .. } => Some(work),
            Judged::Stranger(_) | Judged::Refused { .. } => None,
        }
    }
}

/// Judges an arrival by the signer from the cache.
pub fn judge(arrival: &Arrival, catalogue: &Catalogue) -> Judged {
    match &arrival.content {
        Content::Stranger(refusal) => Judged::Stranger(refusal.clone()),
        Content::Signed { signer, .. } => judge_for(arrival, signer, catalogue),
    }
}

/// Judges an arrival by a signer that was just read from the database.
pub fn judge_for(arrival: &Arrival, signer: &Signer, catalogue: &Catalogue) -> Judged {
    let Content::Signed { digest, cipher, letter, .. } = &arrival.content else {
        return judge(arrival, catalogue);
    };
    // A revoked key may be in other hands, so its signer counts as a stranger.
    if signer.revoked_at.is_some() {
        return Judged::Stranger(Refusal::new(RefusalCode::CertificateRevoked).with("agency", signer.matricule));
    }
    let letter = match letter {
        Ok(letter) => letter,
        Err(unreadable) => {
            let key = match &unreadable.key {
                // Every server and each of its modes (live, test) has sequences of its own. So a letter uses up its sequence number here
                // only if it is addressed to this server in this mode.
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
        // The letter names another sender, server or mode. Each of these has its own sequence of numbers, so the letter's number is not
        // used up here.
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

/// Judges a letter whose sender is proven and which is addressed to this server.
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
