//! One installation of an office: it numbers and seals letters, and believes only the answers that are truly its own.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chrono::Utc;
use mail::smtp::Outgoing;
use sdc::answer::notice::{Notice, NoticeContent};
use sdc::answer::part::{Part, PartHead};
use sdc::answer::{Answer, CentreLetter};
use sdc::cms::{self, ContentCipher, SealError};
use sdc::digest::Digest;
use sdc::document::{Document, DocumentLimits};
use sdc::identifiers::SignerId;
use sdc::keys::RegisteredCertificate;
use sdc::letter::{self, FORMAT_VERSION, Letter, Matricule, Mode};
use sdc::payload::{self, PayloadLimits};
use sdc::refusal::Refusal;
use sdc::request::{Corrections, Enrol, EnrolmentCode, Records, Renew, Request};
use uuid::Uuid;

use crate::identity::Identity;
use crate::packed::Packed;
use crate::register::{Register, RegisterError, Sent};

/// What an office is told of its centre when it is set up.
#[derive(Clone, Debug)]
pub struct Centre {
    /// The server's name.
    pub name: String,
    /// Rehearsal or in earnest.
    pub mode: Mode,
    /// Where letters go.
    pub address: String,
    /// Whose key opens letters.
    pub recipient: RegisteredCertificate,
    /// Whose signatures on answers are believed: the present certificate, and the next one once it is announced.
    pub signers: Vec<RegisteredCertificate>,
}

/// An office. What it must not forget stands in its register.
pub struct Office<R> {
    sender: letter::Office,
    address: String,
    identity: Identity,
    /// The one before, which opens answers to the letters that it signed.
    former: Option<Identity>,
    centre: Arc<Centre>,
    register: R,
}

/// An answer that belongs to a letter of the office.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Digest of the letter answered.
    pub letter: Digest,
    /// The answer.
    pub answer: Answer,
    /// Whether it says something that the office did not know: the first, one with a higher attempt, or a further part.
    pub is_news: bool,
}

/// What the centre wrote first.
#[derive(Clone, Debug)]
pub struct Noticed {
    /// The notice.
    pub notice: Notice,
    /// Whether none of its number had come before.
    pub is_news: bool,
}

/// A part of what was read for a letter of this office.
#[derive(Clone, Debug)]
pub struct Given {
    /// The letter's digest.
    pub letter: Digest,
    /// The part.
    pub part: Part,
    /// Whether none of its number had come before.
    pub is_news: bool,
}

/// A letter of the centre to this office.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one is received at a time, and taken apart at once")]
pub enum Received {
    /// An answer to one of its letters.
    Answered(Box<Answered>),
    /// A part of what was read for one of its letters.
    Given(Box<Given>),
    /// What nobody asked for.
    Noticed(Noticed),
}

/// A letter could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The centre would refuse it unread.
    #[error("the letter could not be read at the centre: {0}")]
    Unreadable(#[source] Refusal),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A key could not be made.
    #[error(transparent)]
    Identity(#[from] crate::identity::IdentityError),
    /// The register cannot be used.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// A document that is no answer to this office.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It does not open, or is not signed as an answer must be.
    #[error("the answer cannot be opened: {0}")]
    Unopenable(#[source] Refusal),
    /// Somebody else signed it.
    #[error("the answer names a signer who is not the centre")]
    NotTheCentre,
    /// The centre's content is not what FORMAT.md describes.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[source] Refusal),
    /// It is for somebody else, or of another centre or mode.
    #[error("the answer's {member} is {found}, but {expected} was expected")]
    Misdirected {
        /// Which member.
        member: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// It is what the centre writes first, and an answer was expected.
    #[error("this is notice {0} of the centre, and answers no letter")]
    NoAnswer(u64),
    /// It is a part of what was read, and a receipt was expected.
    #[error("this is part {0} of an answer, without its receipt")]
    OnlyPart(u16),
    /// It answers no letter of this office.
    #[error("the answer is to a letter {0} that this office has not sent")]
    NoSuchLetter(String),
    /// The register cannot be used.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl<R: Register> Office<R> {
    /// Sets up an office with its register.
    pub fn new(
        sender: letter::Office,
        address: &str,
        identity: Identity,
        centre: Arc<Centre>,
        register: R,
    ) -> Office<R> {
        Office { sender, address: address.to_owned(), identity, former: None, centre, register }
    }

    /// Returns its matricule.
    pub fn matricule(&self) -> Matricule {
        self.sender.agency
    }

    /// Returns the name of its installation.
    pub fn installation(&self) -> &str {
        &self.sender.installation
    }

    /// Returns the address that it writes from and is answered to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns its identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns its centre.
    pub fn centre(&self) -> &Centre {
        &self.centre
    }

    /// Packs records into the next letter, and remembers it until it is answered.
    ///
    /// # Errors
    /// Records that the centre would refuse unread; OpenSSL's own, or the register's.
    pub fn pack(&mut self, records: Records) -> Result<Packed, PackError> {
        self.ask(Request::Export(records))
    }

    /// Packs corrections of records into the next letter, and remembers it until it is answered.
    ///
    /// # Errors
    /// Corrections that the centre would refuse unread; OpenSSL's own, or the register's.
    pub fn correct(&mut self, corrections: Corrections) -> Result<Packed, PackError> {
        self.ask(Request::Correct(corrections))
    }

    /// Packs a request of any service into the next letter, and remembers it until it is answered.
    ///
    /// # Errors
    /// A request that the centre would refuse unread; OpenSSL's own, or the register's.
    pub fn ask(&mut self, request: Request) -> Result<Packed, PackError> {
        let letter = self.compose_request(request)?;
        let packed = self.seal(&letter)?;
        self.remember(&packed)?;
        Ok(packed)
    }

    /// Packs the letter by which the installation, whose key the centre does not know, comes with the one-time code that it was told.
    ///
    /// # Errors
    /// As for [`Office::ask`].
    pub fn enrol(&mut self, code: EnrolmentCode) -> Result<Packed, PackError> {
        let certificate = self.identity.certificate().der().to_vec();
        self.ask(Request::Enrol(Enrol { code, certificate }))
    }

    /// Packs the letter that asks for a certificate of the next key. It is signed with the present one.
    ///
    /// # Errors
    /// As for [`Office::ask`].
    pub fn renew(&mut self, next: &Identity) -> Result<Packed, PackError> {
        self.ask(Request::Renew(Renew { certificate: next.certificate().der().to_vec() }))
    }

    /// Signs with the next key from now on: the centre has answered that it is registered.
    pub fn adopt(&mut self, next: Identity) {
        self.former = Some(std::mem::replace(&mut self.identity, next));
    }

    /// Writes the next letter: it has an id and a number, and is not sealed yet.
    ///
    /// # Errors
    /// The register's own.
    pub fn compose(&mut self, records: Records) -> Result<Letter, RegisterError> {
        self.compose_request(Request::Export(records))
    }

    fn compose_request(&mut self, request: Request) -> Result<Letter, RegisterError> {
        let (sequence, seen) = (self.register.next_sequence()?, self.register.seen()?);
        Ok(Letter {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: self.sender.clone(),
            to: self.centre.name.clone(),
            sequence,
            time: Utc::now(),
            mode: self.centre.mode,
            seen: (seen > 0).then_some(seen),
            request,
        })
    }

    /// Seals a letter with the office's key.
    ///
    /// # Errors
    /// A letter that the centre would refuse unread, or OpenSSL's own.
    pub fn seal(&self, letter: &Letter) -> Result<Packed, PackError> {
        let octets = payload::write_letter(letter, &PayloadLimits::default()).map_err(PackError::Unreadable)?;
        let signed = cms::sign(&octets, self.identity.key())?;
        let document = self.document(&signed)?;
        Ok(Packed { letter_id: letter.id, sequence: letter.sequence, digest: Digest::of(&octets), document, signed })
    }

    /// Puts a new envelope around the same signed content.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn seal_again(&self, packed: &Packed) -> Result<Packed, PackError> {
        Ok(Packed { document: self.document(&packed.signed)?, ..packed.clone() })
    }

    /// Puts an envelope around a signed structure.
    fn document(&self, signed: &[u8]) -> Result<Vec<u8>, PackError> {
        let der = cms::encrypt(signed, &self.centre.recipient, ContentCipher::Aes256Gcm)?;
        // The mail's subject has the routing hint; in the document it would cost twenty bytes more.
        Ok(Document::render(&der, None))
    }

    /// Remembers a letter as one of this office's, whose answer counts.
    ///
    /// # Errors
    /// The register's own.
    pub fn remember(&mut self, packed: &Packed) -> Result<(), RegisterError> {
        self.register.remember(packed)
    }

    /// Finds what is known of a letter by its digest's text: whether it is answered, and with what verdict.
    ///
    /// # Errors
    /// The register's own.
    pub fn find_sent(&mut self, digest: &str) -> Result<Option<Sent>, RegisterError> {
        self.register.find_sent(digest)
    }

    /// Wraps a sealed letter into a mail. The same letter is the same mail: its Message-ID is the letter's.
    pub fn mail(&self, packed: &Packed) -> Outgoing {
        self.mail_of(&packed.letter_id.simple().to_string(), &packed.document)
    }

    /// Wraps any document into a mail from this office.
    pub fn mail_of(&self, name: &str, document: &[u8]) -> Outgoing {
        Outgoing {
            message_id: format!("{name}.{}@{}", self.sender.agency, domain(&self.address)),
            from: self.address.clone(),
            to: self.centre.address.clone(),
            subject: format!("SDC 1 agency={}", self.sender.agency),
            is_automatic: false,
            documents: vec![(format!("{name}.sdc"), document.to_vec())],
        }
    }

    /// Opens an answer, verifies it with the pinned certificates of the centre, and finds the letter that it answers. A notice is left as
    /// if it had not come.
    ///
    /// # Errors
    /// [`AnswerError`]: it is not the centre's, not for this office, or answers nothing that this office has sent; or the register's own.
    pub fn open(&mut self, document: &[u8]) -> Result<Answered, AnswerError> {
        match self.verified(document)? {
            CentreLetter::Answer(answer) => self.answered(answer),
            CentreLetter::Part(part) => Err(AnswerError::OnlyPart(part.head.part)),
            CentreLetter::Notice(notice) => Err(AnswerError::NoAnswer(notice.number)),
        }
    }

    /// Opens whatever the centre has written, verifies it with its pinned certificates, and writes down that it came.
    ///
    /// # Errors
    /// As for [`Office::open`].
    pub fn receive(&mut self, document: &[u8]) -> Result<Received, AnswerError> {
        match self.verified(document)? {
            CentreLetter::Answer(answer) => {
                self.answered(answer).map(|answered| Received::Answered(Box::new(answered)))
            }
            CentreLetter::Part(part) => self.given(part).map(|given| Received::Given(Box::new(given))),
            CentreLetter::Notice(notice) => self.noticed(notice).map(Received::Noticed),
        }
    }

    fn verified(&mut self, document: &[u8]) -> Result<CentreLetter, AnswerError> {
        let document = Document::parse(document, &DocumentLimits::default()).map_err(AnswerError::Unopenable)?;
        let by_former = |refusal| match &self.former {
            Some(former) => cms::open(&document, former.opening()),
            None => Err(refusal),
        };
        let opened = cms::open(&document, self.identity.opening()).or_else(by_former);
        let opened = opened.map_err(AnswerError::Unopenable)?;
        let signer = self.signer(opened.signer())?.ok_or(AnswerError::NotTheCentre)?;
        let verified = opened.verify(&signer).map_err(AnswerError::Unopenable)?;
        verified.centre_letter(&PayloadLimits::default()).map_err(AnswerError::Unreadable)
    }

    /// Finds whose signature is believed by the name that a letter gives: one that the office was set up with, or one that the centre
    /// announced since.
    fn signer(&mut self, named: &SignerId) -> Result<Option<RegisteredCertificate>, RegisterError> {
        let is_named = |signer: &&RegisteredCertificate| signer.signer_ids().contains(named);
        if let Some(signer) = self.centre.signers.iter().find(is_named) {
            return Ok(Some(signer.clone()));
        }
        let pinned = self.register.pinned()?;
        let mut pinned = pinned.iter().filter_map(|der| RegisteredCertificate::from_der(der).ok());
        Ok(pinned.find(|signer| is_named(&signer)))
    }

    /// Believes the certificate that a notice announces: the centre has signed it with a key that is believed already.
    fn pin(&mut self, content: &NoticeContent) -> Result<(), AnswerError> {
        match content.announced().map_err(AnswerError::Unreadable)? {
            Some(certificate) => Ok(self.register.pin(certificate.der())?),
            None => Ok(()),
        }
    }

    fn answered(&mut self, answer: Answer) -> Result<Answered, AnswerError> {
        self.check_address(&answer.from, answer.mode, answer.to.agency, answer.to.installation.as_ref())?;
        let mut sent = self
            .register
            .find_sent(&answer.receipt.digest)?
            .ok_or_else(|| AnswerError::NoSuchLetter(answer.receipt.digest.clone()))?;
        // Absent where the centre could not read the letter; another one's is never right.
        expect("letter", answer.receipt.letter, sent.letter_id)?;
        expect("sequence", answer.receipt.sequence, sent.sequence)?;
        let attempt = answer.receipt.attempt;
        let is_higher = sent.attempt.is_none_or(|known| known < attempt);
        if is_higher {
            // Parts that came before the first receipt are parts of it.
            if sent.attempt.is_some() {
                sent.parts = BTreeSet::new();
            }
            sent.attempt = Some(attempt);
            sent.verdict = Some(answer.receipt.verdict);
        }
        // A part of an attempt that a higher one has outdone tells nothing.
        let part = answer.body.as_ref().map(|body| body.part).filter(|_| sent.attempt == Some(attempt));
        let is_news = part.is_some_and(|part| sent.parts.insert(part)) || is_higher;
        if is_news {
            self.register.mark(&sent)?;
        }
        Ok(Answered { letter: sent.digest, answer, is_news })
    }

    fn given(&mut self, part: Part) -> Result<Given, AnswerError> {
        let PartHead { from, to, mode, answers, .. } = &part.head;
        self.check_address(from, *mode, to.agency, to.installation.as_ref())?;
        let mut sent = self
            .register
            .find_sent(&answers.digest)?
            .ok_or_else(|| AnswerError::NoSuchLetter(answers.digest.clone()))?;
        expect("answers.letter", Some(answers.letter), sent.letter_id)?;
        let is_news = sent.parts.insert(part.head.part);
        if is_news {
            self.register.mark(&sent)?;
        }
        Ok(Given { letter: sent.digest, part, is_news })
    }

    fn noticed(&mut self, notice: Notice) -> Result<Noticed, AnswerError> {
        self.check_address(&notice.from, notice.mode, notice.to.agency, Some(&notice.to.installation))?;
        // Before it is told as seen: a crash between leaves it to come again.
        self.pin(&notice.content)?;
        let is_news = self.register.note(notice.number)?;
        Ok(Noticed { notice, is_news })
    }

    fn check_address(
        &self,
        from: &String,
        mode: Mode,
        agency: Matricule,
        installation: Option<&String>,
    ) -> Result<(), AnswerError> {
        expect("from", Some(from), &self.centre.name)?;
        expect("mode", Some(mode), self.centre.mode)?;
        expect("to.agency", Some(agency), self.sender.agency)?;
        expect("to.installation", installation, &self.sender.installation)
    }
}

fn expect<T: PartialEq + fmt::Display>(member: &'static str, found: Option<T>, expected: T) -> Result<(), AnswerError> {
    match found {
        Some(found) if found != expected => {
            Err(AnswerError::Misdirected { member, found: found.to_string(), expected: expected.to_string() })
        }
        _ => Ok(()),
    }
}

fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
}

impl<R> fmt::Debug for Office<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Office({} {})", self.sender.agency, self.sender.installation)
    }
}
