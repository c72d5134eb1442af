//! Bad letters of every kind that a centre receives, each with the code with which the centre must refuse it.
//!
//! A forger knows everything that is not secret: the victim's matricule, the key identifier and copies of its mails. A forger never has the
//! victim's private key.

use agency::identity::{Algorithm, Identity};
use agency::office::PackError;
use agency::packed::Packed;
use mail::smtp::Outgoing;
use sdc::cms::{self, ContentCipher};
use sdc::document::{Document, DocumentLimits};
use sdc::letter::{Letter, Matricule, Mode};
use sdc::payload::{self, PayloadLimits};
use sdc::refusal::RefusalCode;
use sdc::request::{Records, Request};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::forgery;
use crate::office::Office;
use crate::records::Register;

macro_rules! mischiefs {
    ($($(#[$doc:meta])* $variant:ident => $refusal:ident;)*) => {
        /// A kind of bad letter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Mischief {
            $($(#[$doc])* $variant,)*
        }

        impl Mischief {
            /// All kinds of bad letters.
            pub const ALL: &'static [Mischief] = &[$(Mischief::$variant,)*];

            /// Returns the refusal that such a letter must get.
            pub fn refusal(self) -> RefusalCode {
                match self { $(Mischief::$variant => RefusalCode::$refusal,)* }
            }
        }
    };
}

mischiefs! {
    /// The letter is in this office's name, but the key that signs it is not registered.
    ForgedByUnknownKey => UnknownSigner;
    /// The letter is in this office's name. The key that signs it is not registered, but its certificate bears the key identifier of this
    /// office's key.
    ForgedByBorrowedKeyId => SignatureInvalid;
    /// This office signs a letter in the name of another agency.
    ForgedByAgency => SenderMismatch;
    /// One bit of the encrypted envelope is changed on the way.
    TamperedOutside => Undecryptable;
    /// One bit of the signed content was changed before it was encrypted.
    TamperedInside => SignatureInvalid;
    /// The sender is unknown, and its letter names a matricule that no agency has.
    UnknownSender => UnknownSigner;
    /// The letter is good, but the office is suspended.
    Suspended => AgencySuspended;
    /// The letter brings a marriage, but the office has no credit, and the tariff refuses marriages without credit.
    OutOfCredit => InsufficientCredit;
    /// The letter names a column that the table does not have.
    UnknownColumn => ColumnsMismatch;
    /// The letter leaves out a column that the table requires.
    MissingColumn => ColumnsMismatch;
    /// The letter names a table that the centre does not have.
    UnknownTable => TableUnknown;
    /// The value of a date column is not a date.
    WrongType => RowsInvalid;
    /// The record bears the code of another agency's office.
    OutOfScope => OutOfScope;
    /// The result of a polling station has sums that do not agree with its parts.
    SumsWrong => CheckFailed;
    /// The letter is addressed to another server.
    WrongServer => WrongServer;
    /// The letter is in live mode and the centre in test mode, or the reverse.
    WrongMode => WrongMode;
    /// The letter is encrypted for the key of another centre.
    ForAnotherCentre => NotForThisCentre;
    /// The letter has the id and the sequence number of a former letter, but other content.
    SameIdOtherContent => LetterConflict;
    /// The letter has the sequence number of a former letter, but another id and other content.
    SameNumberOtherContent => SequenceConflict;
    /// The letter brings a record of a former letter with a changed value.
    SameRecordOtherContent => Conflict;
    /// The mail has a block like a letter's, but its octets are random.
    Garbage => EnvelopeMalformed;
    /// A person has written an ordinary mail to the centre's address; it holds no letter.
    NoContainer => NoContainer;
}

/// The address from which [`Mischief::UnknownSender`] is sent. The centre must never answer to it.
pub const STRANGER: &str = "stranger@elsewhere.example";

/// A bad letter, ready to be sent.
#[derive(Debug)]
pub struct Bad {
    /// The mail that carries the letter.
    pub mail: Outgoing,
    /// The code with which the centre must refuse the letter.
    pub refusal: RefusalCode,
    /// The sealed letter, if the centre can verify its sender and therefore answers it. The office stores this letter in its register, to
    /// recognise the answer.
    pub answered: Option<Packed>,
}

/// The office, records and random numbers from which a bad letter is made.
pub struct Scene<'a> {
    /// The office that writes the letter, or in whose name a forger writes it.
    pub office: &'a mut Office,
    /// The registers of the office, which supply the records.
    pub register: &'a mut Register,
    /// A letter of this office that the centre has accepted, for bad letters that contradict one.
    pub former: Option<&'a Letter>,
    /// Another agency, for letters in its name or with its codes.
    pub other: Matricule,
    /// The source of random numbers.
    pub dice: &'a mut Dice,
}

impl Mischief {
    /// Says whether this kind contradicts a former letter. The centre must have accepted that letter before the bad one is sent.
    pub fn needs_former(self) -> bool {
        matches!(
            self,
            Mischief::SameIdOtherContent | Mischief::SameNumberOtherContent | Mischief::SameRecordOtherContent
        )
    }

    /// Writes a bad letter of this kind. Returns `None` where the kind needs a former letter and there is none.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn commit(self, scene: &mut Scene<'_>) -> Result<Option<Bad>, PackError> {
        let mail = match self {
            Mischief::ForgedByUnknownKey => scene.signed_by(&Identity::generate("office", Algorithm::P256)?)?,
            Mischief::ForgedByBorrowedKeyId => {
                let victim = scene.office.identity().certificate().clone();
                scene.signed_by(&forgery::impersonating(&victim)?)?
            }
            Mischief::TamperedOutside => scene.tampered_outside()?,
            Mischief::TamperedInside => scene.tampered_inside()?,
            Mischief::UnknownSender => scene.unknown_sender()?,
            Mischief::ForAnotherCentre => scene.for_another_centre()?,
            Mischief::Garbage => scene.garbage(),
            Mischief::NoContainer => scene.no_container(),
            answered => {
                let Some(letter) = scene.own_letter(answered)? else { return Ok(None) };
                let packed = scene.office.seal(&letter)?;
                scene.office.remember(&packed)?;
                let mail = scene.mail(&packed.document);
                return Ok(Some(Bad { mail, refusal: self.refusal(), answered: Some(packed) }));
            }
        };
        Ok(Some(Bad { mail, refusal: self.refusal(), answered: None }))
    }
}

impl Scene<'_> {
    /// Makes the mail of a document. Each mail gets a random name, since several mails may carry the same letter.
    fn mail(&mut self, document: &[u8]) -> Outgoing {
        let name = self.dice.uuid().simple().to_string();
        self.office.mail_of(&name, document)
    }

    fn births(&mut self) -> Records {
        self.register.births(1, self.dice)
    }

    fn letter(&mut self) -> Result<Letter, PackError> {
        let records = self.births();
        Ok(self.office.compose(records)?)
    }

    /// Writes a bad letter that this office itself signs.
    fn own_letter(&mut self, mischief: Mischief) -> Result<Option<Letter>, PackError> {
        let Some(records) = self.own_records(mischief) else { return Ok(None) };
        let letter = self.office.compose(records)?;
        Ok(self.spoilt(mischief, letter))
    }

    fn own_records(&mut self, mischief: Mischief) -> Option<Records> {
        Some(match mischief {
            Mischief::OutOfCredit => self.register.marriages(1, self.dice),
            Mischief::SumsWrong => self.register.results(1, self.dice),
            Mischief::SameRecordOtherContent => {
                let Request::Export(records) = &self.former?.request else { return None };
                records.clone()
            }
            _ => self.births(),
        })
    }

    /// Changes a good letter so that it is bad in the way of this kind.
    fn spoilt(&self, mischief: Mischief, mut letter: Letter) -> Option<Letter> {
        let Request::Export(records) = &mut letter.request else { return None };
        match mischief {
            Mischief::ForgedByAgency => letter.from.agency = self.other,
            Mischief::UnknownColumn => {
                let table = records.tables.first_mut()?;
                table.columns.push("Signature".to_owned());
                table.values.push(vec![json!("illisible"); table.row_count()]);
            }
            Mischief::MissingColumn => {
                let table = records.tables.first_mut()?;
                let at = table.columns.iter().position(|column| column == "Officier")?;
                table.columns.remove(at);
                table.values.remove(at);
            }
            Mischief::UnknownTable => "ActeBapteme".clone_into(&mut records.tables.first_mut()?.table),
            Mischief::WrongType => set(records, &["DateNaissance"], |_| json!("hier"))?,
            Mischief::OutOfScope => {
                let code = format!("C{}", self.other);
                set(records, &["CentreCode"], |_| json!(code))?;
            }
            Mischief::SumsWrong => set(records, &["Exprimes"], |value| json!(value.as_i64().unwrap_or(0) + 1))?,
            Mischief::WrongServer => letter.to.push_str("-annexe"),
            Mischief::WrongMode => {
                letter.mode = if letter.mode == Mode::Test { Mode::Live } else { Mode::Test };
            }
            Mischief::SameIdOtherContent => {
                let former = self.former?;
                (letter.id, letter.sequence) = (former.id, former.sequence);
            }
            Mischief::SameNumberOtherContent => letter.sequence = self.former?.sequence,
            Mischief::SameRecordOtherContent => set(records, &["Officier", "President"], |_| json!("Surchargé"))?,
            _ => {}
        }
        Some(letter)
    }

    fn signed_by(&mut self, forger: &Identity) -> Result<Outgoing, PackError> {
        let letter = self.letter()?;
        let document = forgery::sealed(self.office, &letter, forger)?;
        Ok(self.mail(&document))
    }

    fn tampered_outside(&mut self) -> Result<Outgoing, PackError> {
        let letter = self.letter()?;
        let packed = self.office.seal(&letter)?;
        let document = Document::parse(&packed.document, &DocumentLimits::default()).map_err(PackError::Unreadable)?;
        let mut der = document.der().to_vec();
        // The last octets are GCM's authentication tag (RFC 5083). A changed bit in the tag makes decryption fail, as a changed bit of the
        // encrypted content would.
        if let Some(last) = der.last_mut() {
            *last ^= 1 << self.dice.below(8);
        }
        let document = Document::render(&der, Some(self.office.matricule()));
        Ok(self.mail(&document))
    }

    fn tampered_inside(&mut self) -> Result<Outgoing, PackError> {
        let letter = self.letter()?;
        let octets = payload::write_letter(&letter, &PayloadLimits::default()).map_err(PackError::Unreadable)?;
        let mut signed = cms::sign(&octets, self.office.identity().key())?;
        let content = signed.windows(octets.len()).position(|window| window == octets);
        let at = content.unwrap_or(0) + self.dice.below(octets.len());
        if let Some(octet) = signed.get_mut(at) {
            *octet ^= 1 << self.dice.below(8);
        }
        let document = forgery::enveloped(self.office, &signed)?;
        Ok(self.mail(&document))
    }

    fn unknown_sender(&mut self) -> Result<Outgoing, PackError> {
        let mut letter = self.letter()?;
        let unknown = u32::try_from(self.dice.between(900_000, 999_999)).unwrap_or(900_000);
        if let Ok(matricule) = Matricule::try_from(unknown) {
            letter.from.agency = matricule;
        }
        let sealed = forgery::sealed(self.office, &letter, &Identity::generate("stranger", Algorithm::P256)?)?;
        let document = Document::parse(&sealed, &DocumentLimits::default()).map_err(PackError::Unreadable)?;
        let document = Document::render(document.der(), Some(letter.from.agency));
        Ok(Outgoing {
            subject: format!("SDC 1 agency={}", letter.from.agency),
            from: STRANGER.to_owned(),
            ..self.mail(&document)
        })
    }

    fn for_another_centre(&mut self) -> Result<Outgoing, PackError> {
        let letter = self.letter()?;
        let octets = payload::write_letter(&letter, &PayloadLimits::default()).map_err(PackError::Unreadable)?;
        let other = Identity::generate("another centre", Algorithm::P256)?;
        let key = self.office.identity().key();
        let der = cms::seal(&octets, key, other.certificate(), ContentCipher::Aes256Gcm)?;
        let document = Document::render(&der, Some(self.office.matricule()));
        Ok(self.mail(&document))
    }

    fn garbage(&mut self) -> Outgoing {
        // A document begins with an ASN.1 SEQUENCE (0x30); the octet 0xFF makes sure that it does not parse.
        let noise: Vec<u8> = [0xFF].into_iter().chain((0..40).flat_map(|_| self.dice.bits().to_be_bytes())).collect();
        self.mail(&Document::render(&noise, None))
    }

    fn no_container(&mut self) -> Outgoing {
        let text = "Bonjour,\nveuillez trouver ci-joint le registre du mois.\nCordialement\n";
        Outgoing { subject: "Registre du mois".to_owned(), ..self.mail(text.as_bytes()) }
    }
}

/// Changes the value in the first row of the first table, in the first column that has one of these names. Returns `None` where no column
/// has one of them.
fn set(records: &mut Records, names: &[&str], change: impl Fn(&Value) -> Value) -> Option<()> {
    let table = records.tables.first_mut()?;
    let at = table.columns.iter().position(|column| names.contains(&column.as_str()))?;
    let value = table.values.get_mut(at)?.first_mut()?;
    *value = change(value);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agency::office::Centre;
    use mail::extract::{MailLimits, extract};
    use sdc::letter;

    use super::*;
    use crate::office::MemoryRegister;

    fn identity() -> Identity {
        Identity::generate("x", Algorithm::P256).unwrap()
    }

    /// Returns the code with which a centre refuses this mail. The centre of the test knows this one office only, and does not check the
    /// records against tables.
    fn judged(bad: &Bad, centre: &Identity, office: &Office) -> Option<RefusalCode> {
        let mail = extract(&bad.mail.render().unwrap(), &MailLimits::default()).unwrap();
        let Some(container) = mail.containers.first() else { return Some(RefusalCode::NoContainer) };
        let judge = || {
            let document = Document::parse(container, &DocumentLimits::default())?;
            let opened = cms::open(&document, centre.opening())?;
            let registered = office.identity().certificate();
            if !registered.signer_ids().contains(opened.signer()) {
                return Err(sdc::refusal::Refusal::new(RefusalCode::UnknownSigner));
            }
            opened.verify(registered)
        };
        judge().err().map(|refusal| refusal.code)
    }

    #[test]
    fn every_kind_is_refused_for_its_own_reason_or_verified() {
        let centre = identity();
        let sender = letter::Office { agency: Matricule::try_from(42).unwrap(), installation: "pc-1".to_owned() };
        let told = Centre {
            name: "centre-x".to_owned(),
            mode: Mode::Test,
            address: "centre@example.org".to_owned(),
            recipient: centre.certificate().clone(),
            signers: Vec::new(),
        };
        let mut office = Office::new(sender, "office@example.org", identity(), Arc::new(told), MemoryRegister::new(1));
        let mut register = Register::new("C000042").with_bureaux(vec!["B000042-1".to_owned()]);
        let mut dice = Dice::new(1);
        let former = office.compose(register.births(1, &mut dice)).unwrap();
        for mischief in Mischief::ALL {
            let other = Matricule::try_from(43).unwrap();
            let mut scene =
                Scene { office: &mut office, register: &mut register, former: Some(&former), other, dice: &mut dice };
            let bad = mischief.commit(&mut scene).unwrap().unwrap();
            let expected = (!mischief.refusal().is_answered()).then(|| mischief.refusal());
            assert_eq!(judged(&bad, &centre, &office), expected, "{mischief:?}");
            assert_eq!(bad.answered.is_some(), mischief.refusal().is_answered(), "{mischief:?}");
        }
    }
}
