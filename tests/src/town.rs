//! A few offices with real keys and maildrops, known to a centre by the commands of operators.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::Arc;

use agency::identity::{Algorithm, Identity};
use agency::office::Centre;
use agency::packed::Packed;
use anyhow::{Context, Result};
use mail::extract::{MailLimits, extract};
use mail::smtp::Outgoing;
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::keys::RegisteredCertificate;
use sdc::letter::{self, Matricule, Mode};
use simulation::dice::Dice;
use simulation::office::{MemoryRegister, Office};
use simulation::records::Register;
use store::certificates::CertificateFields;

use crate::engine::Engine;

/// The server's name.
pub const SERVER: &str = "centre-x";
/// The centre's mailbox and address.
pub const CENTRE_ADDRESS: &str = "centre@example.org";
/// The password of every mailbox.
pub const PASSWORD: &str = "maildrop";
/// What a row costs, in minor units.
pub const PRICE: i64 = 100;

/// Returns the address of an office.
pub fn address(number: u32) -> String {
    format!("office-{number}@example.org")
}

/// Makes a centre out of a configured folder: database, tables, tariff.
///
/// # Errors
/// A command says no.
pub fn found(engine: &Engine) -> Result<()> {
    engine.operate(&["init", "--name", SERVER, "--mode", "test"])?;
    engine.operate(&["sample", "restore", "ecr"])?;
    engine.operate(&["tariff", "set", "export", "--per-act", &PRICE.to_string()])?;
    Ok(())
}

/// Makes an agency known, with its scope and the certificate in a file.
///
/// # Errors
/// A command says no.
pub fn enrol(engine: &Engine, number: u32, certificate: &str, fingerprint: &str) -> Result<()> {
    let (matricule, email, code) = (number.to_string(), address(number), format!("C{number}"));
    engine.operate(&["agency", "add", "--matricule", &matricule, "--name", "Mairie", "--email", &email])?;
    engine.operate(&["agency", "grant", &matricule, "CentreCode", &code])?;
    engine.operate(&["cert", "register", &matricule, certificate, "--fingerprint", fingerprint])?;
    Ok(())
}

/// An office that works, and everything that it sent.
pub struct Resident {
    /// Its program.
    pub office: Office,
    register: Register,
    dice: Dice,
    /// Letters sent and their receipts, by digest.
    pub letters: HashMap<sdc::digest::Digest, Option<Receipt>>,
    seen: HashSet<Vec<u8>>,
}

impl Resident {
    /// Opens an office and enrols it.
    ///
    /// # Errors
    /// A key cannot be made; a command says no.
    pub fn settle(engine: &Engine, number: u32) -> Result<Resident> {
        let identity = Identity::generate(&format!("office {number}"), Algorithm::P256)?;
        let fields = CertificateFields::from(identity.certificate());
        let file = engine.place().join(format!("office-{number}.der"));
        fs::write(&file, &fields.der)?;
        let file = file.to_str().context("the temporary folder's name is no text")?;
        let fingerprint: Vec<String> = fields.fingerprint.iter().map(|octet| format!("{octet:02x}")).collect();
        enrol(engine, number, file, &fingerprint.concat())?;
        let certificate = |name: &str| -> Result<RegisteredCertificate> {
            Ok(RegisteredCertificate::from_pem(&fs::read(engine.data().join("keys").join(name))?)?)
        };
        let centre = Centre {
            name: SERVER.to_owned(),
            mode: Mode::Test,
            address: CENTRE_ADDRESS.to_owned(),
            recipient: certificate("centre-p256.crt")?,
            signers: vec![certificate("centre-p256.crt")?],
        };
        let sender = letter::Office { agency: Matricule::try_from(number)?, installation: "main".to_owned() };
        Ok(Resident {
            office: Office::new(sender, &address(number), identity, Arc::new(centre), MemoryRegister::new(1)),
            register: Register::new(&format!("C{number}")),
            dice: Dice::of(1, u64::from(number)),
            letters: HashMap::new(),
            seen: HashSet::new(),
        })
    }

    /// Writes down a birth and packs it.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn write(&mut self) -> Result<(Packed, Outgoing)> {
        let records = self.register.births(1, &mut self.dice);
        let packed = self.office.pack(records)?;
        self.letters.insert(packed.digest, None);
        let mail = self.office.mail(&packed);
        Ok((packed, mail))
    }

    /// Reads those mails from the office's maildrop that it has not read yet; every answer must be one that it believes.
    ///
    /// # Errors
    /// An answer is not the centre's, or contradicts an earlier one.
    pub fn read(&mut self, mails: Vec<Vec<u8>>) -> Result<()> {
        for mail in mails {
            if !self.seen.insert(mail.clone()) {
                continue;
            }
            for container in extract(&mail, &MailLimits::default()).map(|mail| mail.containers).unwrap_or_default() {
                let answered = self.office.open(&container)?;
                let known =
                    self.letters.get_mut(&answered.letter).context("an answer to a letter of another office")?;
                let receipt = answered.answer.receipt;
                anyhow::ensure!(known.as_ref().is_none_or(|known| *known == receipt), "two answers to one letter");
                *known = Some(receipt);
            }
        }
        Ok(())
    }

    /// Says whether every letter has a receipt.
    pub fn is_answered(&self) -> bool {
        self.letters.values().all(Option::is_some)
    }

    /// Counts the letters that were accepted, according to their receipts.
    pub fn accepted(&self) -> usize {
        let accepted = |receipt: &&Receipt| receipt.verdict == Verdict::Accepted;
        self.letters.values().flatten().filter(accepted).count()
    }
}
