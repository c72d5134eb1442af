//! One installation of an office. It numbers and seals its letters, and accepts only answers that the centre signed for this installation.

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

/// What an office knows about its centre from its setup.
#[derive(Clone, Debug)]
pub struct Centre {
    /// Name of the centre's server, which letters state as `to`.
    pub name: String,
    /// Mode of the server: test or live.
    pub mode: Mode,
    /// E-mail address of the centre, to which letters are sent.
    pub address: String,
    /// Certificate of the centre. Letters are encrypted for its key.
    pub recipient: RegisteredCertificate,
    /// Certificates whose signatures on answers are accepted: the present one, and the next one once the centre has announced it.
    pub signers: Vec<RegisteredCertificate>,
}

/// One installation of an office. The register stores everything that must outlive the process.
pub struct Office<R> {
    sender: letter::Office,
    address: String,
    identity: Identity,
    /// Identity before the last renewal. Its key opens answers to letters that were signed with it. `None` before the first renewal.
    former: Option<Identity>,
    centre: Arc<Centre>,
    register: R,
}

/// An answer that belongs to a letter of the office.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Digest of the letter answered.
    pub letter: Digest,
    /// The answer, with the receipt and perhaps a part of the records.
    pub answer: Answer,
    /// Whether the answer tells the office something new: it is the first answer to the letter; or it has a higher epoch than those before
    /// (a restore of the centre's database from a backup begins a new one), or a higher attempt in the same epoch; or it brings a part of
    /// the highest attempt that had not arrived.
    pub is_news: bool,
}

/// A notice that an office received: a letter of the centre that is no answer.
#[derive(Clone, Debug)]
pub struct Noticed {
    /// The notice, as the centre wrote it.
    pub notice: Notice,
    /// Whether no notice with this number had arrived before.
    pub is_news: bool,
}

/// One part of the rows that the centre read for a letter of this office.
#[derive(Clone, Debug)]
pub struct Given {
    /// Digest of the letter that requested these rows.
    pub letter: Digest,
    /// The part, with its head and its rows.
    pub part: Part,
    /// Whether no part with this number had arrived before.
    pub is_news: bool,
}

/// A letter of the centre to this office.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one is received at a time, and taken apart at once")]
pub enum Received {
    /// An answer to a letter of the office.
    Answered(Box<Answered>),
    /// A part of the rows that were read for a letter of the office.
    Given(Box<Given>),
    /// A notice, which answers no letter.
    Noticed(Noticed),
}

/// A letter could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The centre would refuse the letter because it could not read it.
    #[error("the letter could not be read at the centre: {0}")]
    Unreadable(#[source] Refusal),
    /// OpenSSL could not seal the letter.
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
    /// The document does not open, or is not signed as an answer must be.
    #[error("the answer cannot be opened: {0}")]
    Unopenable(#[source] Refusal),
    /// The signer's certificate is not one of the centre's.
    #[error("the answer names a signer who is not the centre")]
    NotTheCentre,
    /// The signed content does not have the format of FORMAT.md.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[source] Refusal),
    /// The answer is for another office or installation, or of another centre or mode.
    #[error("the answer's {member} is {found}, but {expected} was expected")]
    Misdirected {
        /// Name of the member that is wrong, such as `to.agency`.
        member: &'static str,
        /// Value of the member in the answer.
        found: String,
        /// Value that the member should have.
        expected: String,
    },
    /// The document is a notice, where an answer was expected.
    #[error("this is notice {0} of the centre, and answers no letter")]
    NoAnswer(u64),
    /// The document is a part of an answer without its receipt, where a receipt was expected.
    #[error("this is part {0} of an answer, without its receipt")]
    OnlyPart(u16),
    /// The answer refers to a letter that this office has not sent.
    #[error("the answer is to a letter {0} that this office has not sent")]
    NoSuchLetter(String),
    /// The register cannot be used.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl<R: Register> Office<R> {
    /// Makes an office out of its settings and its register.
    pub fn new(
        sender: letter::Office,
        address: &str,
        identity: Identity,
        centre: Arc<Centre>,
        register: R,
    ) -> Office<R> {
        Office { sender, address: address.to_owned(), identity, former: None, centre, register }
    }

    /// Returns the matricule of the office's agency.
    pub fn matricule(&self) -> Matricule {
        self.sender.agency
    }

    /// Returns the name of the installation.
    pub fn installation(&self) -> &str {
        &self.sender.installation
    }

    /// Returns the e-mail address from which the office sends letters and at which it receives answers.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the identity that signs letters now.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns what the office knows of its centre.
    pub fn centre(&self) -> &Centre {
        &self.centre
    }

    /// Packs records into the next letter, and remembers the letter until it is answered.
    ///
    /// # Errors
    /// The centre could not read the records; OpenSSL or the register fails.
    pub fn pack(&mut self, records: Records) -> Result<Packed, PackError> {
        self.ask(Request::Export(records))
    }

    /// Packs corrections of records into the next letter, and remembers the letter until it is answered.
    ///
    /// # Errors
    /// The centre could not read the corrections; OpenSSL or the register fails.
    pub fn correct(&mut self, corrections: Corrections) -> Result<Packed, PackError> {
        self.ask(Request::Correct(corrections))
    }

    /// Packs a request of any service into the next letter, and remembers the letter until it is answered.
    ///
    /// # Errors
    /// The centre could not read the request; OpenSSL or the register fails.
    pub fn ask(&mut self, request: Request) -> Result<Packed, PackError> {
        let letter = self.compose_request(request)?;
        let packed = self.seal(&letter)?;
        self.remember(&packed)?;
        Ok(packed)
    }

    /// Packs the letter that enrols this installation. The letter contains a one-time code, because the centre does not know the
    /// installation's key yet.
    ///
    /// # Errors
    /// Fails as [`Office::ask`] does.
    pub fn enrol(&mut self, code: EnrolmentCode) -> Result<Packed, PackError> {
        let certificate = self.identity.certificate().der().to_vec();
        self.ask(Request::Enrol(Enrol { code, certificate }))
    }

    /// Packs the letter that requests a certificate for the next key. The present key signs that letter.
    ///
    /// # Errors
    /// Fails as [`Office::ask`] does.
    pub fn renew(&mut self, next: &Identity) -> Result<Packed, PackError> {
        self.ask(Request::Renew(Renew { certificate: next.certificate().der().to_vec() }))
    }

    /// Signs with the next key from now on. Must be called only after the centre has answered that the next key is registered.
    pub fn adopt(&mut self, next: Identity) {
        self.former = Some(std::mem::replace(&mut self.identity, next));
    }

    /// Makes the next letter of records, with its id and sequence number. [`Office::seal`] seals it.
    ///
    /// # Errors
    /// The register fails.
    pub fn compose(&mut self, records: Records) -> Result<Letter, RegisterError> {
        self.compose_request(Request::Export(records))
    }

    /// Makes the next letter with a request of any service, as [`Office::compose`] does for records.
    ///
    /// # Errors
    /// The register fails.
    pub fn compose_request(&mut self, request: Request) -> Result<Letter, RegisterError> {
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
    /// The centre could not read the letter; OpenSSL fails.
    pub fn seal(&self, letter: &Letter) -> Result<Packed, PackError> {
        let octets = payload::write_letter(letter, &PayloadLimits::default()).map_err(PackError::Unreadable)?;
        let signed = cms::sign(&octets, self.identity.key())?;
        let document = self.document(&signed)?;
        Ok(Packed { letter_id: letter.id, sequence: letter.sequence, digest: Digest::of(&octets), document, signed })
    }

    /// Puts a new envelope around the signed content of a packed letter: another document, but the same letter.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn seal_again(&self, packed: &Packed) -> Result<Packed, PackError> {
        Ok(Packed { document: self.document(&packed.signed)?, ..packed.clone() })
    }

    /// Encrypts a signed structure into an envelope, and returns the document.
    fn document(&self, signed: &[u8]) -> Result<Vec<u8>, PackError> {
        let der = cms::encrypt(signed, &self.centre.recipient, ContentCipher::Aes256Gcm)?;
        // The subject of the mail already contains the routing hint. A hint in the document would need twenty more bytes.
        Ok(Document::render(&der, None))
    }

    /// Stores a sealed letter in the register, so that an answer to the letter is accepted.
    ///
    /// # Errors
    /// The register fails.
    pub fn remember(&mut self, packed: &Packed) -> Result<(), RegisterError> {
        self.register.remember(packed)
    }

    /// Returns what the register knows about a letter, found by the text of its digest: whether it is answered, and with which verdict.
    /// Returns `None` where the office has not sent the letter.
    ///
    /// # Errors
    /// The register fails.
    pub fn find_sent(&mut self, digest: &str) -> Result<Option<Sent>, RegisterError> {
        self.register.find_sent(digest)
    }

    /// Wraps a sealed letter into a mail. The Message-ID is derived from the letter's id, so that a letter that is sent again is the same
    /// mail.
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

    /// Opens an answer, verifies it with the centre's certificates that the office accepts, and finds the letter that it answers. A notice
    /// is an error here, and the register does not count the notice as received.
    ///
    /// # Errors
    /// [`AnswerError`]: the document is not the centre's, is not for this office, or is not an answer to a letter that this office has
    /// sent; or the register fails.
    pub fn open(&mut self, document: &[u8]) -> Result<Answered, AnswerError> {
        match self.verified(document)? {
            CentreLetter::Answer(answer) => self.answered(answer),
            CentreLetter::Part(part) => Err(AnswerError::OnlyPart(part.head.part)),
            CentreLetter::Notice(notice) => Err(AnswerError::NoAnswer(notice.number)),
        }
    }

    /// Opens any document of the centre, verifies it with the certificates that the office accepts, and records its arrival in the
    /// register.
    ///
    /// # Errors
    /// Fails as [`Office::open`] does.
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

    /// Finds the certificate to which a signature refers, among those from the office's setup and those that the centre has announced
    /// since. Returns `None` where no accepted certificate matches.
    fn signer(&mut self, named: &SignerId) -> Result<Option<RegisteredCertificate>, RegisterError> {
        let is_named = |signer: &&RegisteredCertificate| signer.signer_ids().contains(named);
        if let Some(signer) = self.centre.signers.iter().find(is_named) {
            return Ok(Some(signer.clone()));
        }
        let pinned = self.register.pinned()?;
        let mut pinned = pinned.iter().filter_map(|der| RegisteredCertificate::from_der(der).ok());
        Ok(pinned.find(|signer| is_named(&signer)))
    }

    /// If a notice announces a certificate, accepts that certificate from now on. The notice itself is signed with a key that is already
    /// accepted.
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
        // A receipt may lack the letter's id and sequence number, if the centre could not read the letter. Values of another letter are
        // refused.
        expect("letter", answer.receipt.letter, sent.letter_id)?;
        expect("sequence", answer.receipt.sequence, sent.sequence)?;
        // A centre that was restored counts attempts anew, in another epoch.
        let answered = (answer.receipt.epoch, answer.receipt.attempt);
        let is_higher = sent.answered.is_none_or(|known| known < answered);
        if is_higher {
            // Parts that arrive before the first receipt belong to its attempt and are kept. A higher attempt begins without parts.
            if sent.answered.is_some() {
                sent.parts = BTreeSet::new();
            }
            sent.answered = Some(answered);
            sent.verdict = Some(answer.receipt.verdict);
        }
        // A part of a lower attempt is not new: the higher attempt has replaced it.
        let part = answer.body.as_ref().map(|body| body.part).filter(|_| sent.answered == Some(answered));
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
        // The certificate is stored before the notice counts as seen. If the process crashes in between, the centre sends the notice again.
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
