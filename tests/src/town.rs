//! A few offices with real keys and mailboxes. They are registered at a centre by operators' commands.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::Arc;

use agency::identity::{Algorithm, Identity};
use agency::office::{Centre, Received};
use agency::packed::Packed;
use anyhow::{Context, Result};
use mail::extract::{MailLimits, extract};
use mail::smtp::Outgoing;
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::keys::RegisteredCertificate;
use sdc::letter::{self, Matricule, Mode};
use sdc::request::{Certified, Import, Request, Selection};
use simulation::dice::Dice;
use simulation::office::{MemoryRegister, Office};
use simulation::records::Register;
use store::certificates::CertificateFields;

use crate::engine::Engine;

/// Name of the server.
pub const SERVER: &str = "centre-x";
/// Mail address of the centre, which is also the name of its mailbox.
pub const CENTRE_ADDRESS: &str = "centre@example.org";
/// Password of every mailbox.
pub const PASSWORD: &str = "maildrop";
/// Price of a row, in minor units.
pub const PRICE: i64 = 100;

/// Returns the e-mail address of an office.
pub fn address(number: u32) -> String {
    format!("office-{number}@example.org")
}

/// Makes a centre in a configured folder: database, tables and a tariff.
///
/// # Errors
/// A command fails; the error has what the command printed.
pub fn found(engine: &Engine) -> Result<()> {
    engine.operate(&["init", "--name", SERVER, "--mode", "test"])?;
    engine.operate(&["sample", "restore", "ecr"])?;
    engine.operate(&["tariff", "set", "export", "--per-act", &PRICE.to_string()])?;
    Ok(())
}

/// Adds an agency, grants its scope and registers the certificate in the file `certificate`.
///
/// # Errors
/// A command fails; the error has what the command printed.
pub fn enrol(engine: &Engine, number: u32, certificate: &str, fingerprint: &str) -> Result<()> {
    let (matricule, email, code) = (number.to_string(), address(number), format!("C{number}"));
    engine.operate(&["agency", "add", "--matricule", &matricule, "--name", "Mairie", "--email", &email])?;
    engine.operate(&["agency", "grant", &matricule, "CentreCode", &code])?;
    engine.operate(&["cert", "register", &matricule, certificate, "--fingerprint", fingerprint])?;
    Ok(())
}

/// Allows every agency to import and certify its own birth records, and sets a price for both.
///
/// # Errors
/// A command fails; the error has what the command printed.
pub fn let_read(engine: &Engine) -> Result<()> {
    for arguments in [
        &["plan", "edit", "standard", "--table", "ecr.ActeNaissance", "--may-read", "own", "--may-certify", "own"][..],
        &["tariff", "set", "import", "--per-act", "2"],
        &["tariff", "set", "certify", "--per-act", "50"],
    ] {
        engine.operate(arguments)?;
    }
    Ok(())
}

/// An office with the letters that it has sent and the receipts for them.
pub struct Resident {
    /// The part of the office that seals letters and verifies answers.
    pub office: Office,
    register: Register,
    scope: String,
    dice: Dice,
    /// Receipts of the sent letters, by the letter's digest; `None` while the receipt has not arrived.
    pub letters: HashMap<sdc::digest::Digest, Option<Receipt>>,
    seen: HashSet<Vec<u8>>,
}

impl Resident {
    /// Makes an office with a key, and registers it at the centre.
    ///
    /// # Errors
    /// A key cannot be made; a command fails.
    pub fn settle(engine: &Engine, number: u32) -> Result<Resident> {
        let identity = Identity::generate(&format!("office {number}"), Algorithm::P256)?;
        let fields = CertificateFields::from(identity.certificate());
        let file = engine.place().join(format!("office-{number}.der"));
        fs::write(&file, &fields.der)?;
        let file = file.to_str().context("the temporary folder's name is no text")?;
        let fingerprint: Vec<String> = fields.fingerprint.iter().map(|octet| format!("{octet:02x}")).collect();
        enrol(engine, number, file, &fingerprint.concat())?;
        Resident::open(engine, number, identity)
    }

    /// Makes an office with a key that the centre does not know.
    ///
    /// # Errors
    /// A key cannot be made; the centre's certificate cannot be read.
    pub fn newcomer(engine: &Engine, number: u32) -> Result<Resident> {
        Resident::open(engine, number, Identity::generate(&format!("office {number}"), Algorithm::P256)?)
    }

    fn open(engine: &Engine, number: u32, identity: Identity) -> Result<Resident> {
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
            scope: format!("C{number}"),
            dice: Dice::of(1, u64::from(number)),
            letters: HashMap::new(),
            seen: HashSet::new(),
        })
    }

    /// Makes a letter with one birth, and returns it with its mail.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn write(&mut self) -> Result<(Packed, Outgoing)> {
        let records = self.register.births(1, &mut self.dice);
        let packed = self.office.pack(records)?;
        self.letters.insert(packed.digest, None);
        let mail = self.office.mail(&packed);
        Ok((packed, mail))
    }

    /// Packs a request of any service into a letter, and returns the letter's mail.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn ask(&mut self, request: Request) -> Result<Outgoing> {
        let packed = self.office.ask(request)?;
        self.letters.insert(packed.digest, None);
        Ok(self.office.mail(&packed))
    }

    /// Makes the mail of a letter that imports all births which the office has sent.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn import(&mut self) -> Result<Outgoing> {
        let selection =
            Selection { application: "ecr".to_owned(), table: "ActeNaissance".to_owned(), changed_since: None };
        self.ask(Request::Import(Import::Table { selection, estimate: false }))
    }

    /// Makes the mail of a letter that asks to certify one birth record. No office has sent this record, so the letter is accepted with the
    /// result that the centre does not have it.
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn certify(&mut self) -> Result<Outgoing> {
        self.ask(Request::Certify(Certified {
            application: "ecr".to_owned(),
            table: "ActeNaissance".to_owned(),
            key: ["CentreCode", "AnneeRegistre", "NumeroActe"].map(str::to_owned).to_vec(),
            keys: vec![vec![self.scope.clone().into()], vec![1900.into()], vec![1.into()]],
            columns: Vec::new(),
            values: Vec::new(),
        }))
    }

    /// Reads the new mails in the office's mailbox. The office must be able to verify every answer in them.
    ///
    /// # Errors
    /// An answer was not signed by the centre, or contradicts an earlier answer.
    pub fn read(&mut self, mails: Vec<Vec<u8>>) -> Result<()> {
        for mail in mails {
            if !self.seen.insert(mail.clone()) {
                continue;
            }
            for container in extract(&mail, &MailLimits::default()).map(|mail| mail.containers).unwrap_or_default() {
                let Received::Answered(answered) = self.office.receive(&container)? else { continue };
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
