//! A letter of the visitor, who is the user at the keyboard: the visitor types a name, the demo makes a key and signs a letter with the
//! name, and the stock `openssl` command opens the receipt. Then the same letter with one octet changed is refused.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agency::identity::{Algorithm, Identity};
use anyhow::{Context, bail};
use chrono::Utc;
use mail::smtp::{Outgoing, Relay};
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::keys::RegisteredCertificate;
use sdc::letter::{FORMAT_VERSION, Letter, Matricule, Mode, Office};
use sdc::refusal::RefusalCode;
use sdc::request::Request;
use serde_json::{Value, json};
use simulation::dice::Dice;
use simulation::post_office::PostOffice;
use simulation::records::Register;
use simulation::{memory, rules, town};
use store::certificates::{CertificateFields, spoken};
use store::letters::quarantine;
use tokio::process::Command;
use tokio::time::Instant;
use uuid::Uuid;

use super::arguments::{CENTRE_ADDRESS, SERVER};
use super::keyboard::Keyboard;
use super::layout::{self, Paper};
use super::words::words;
use crate::authority::CENTRE_PAIRS;
use crate::configuration::Configuration;
use crate::database::{OpenDatabase, Purpose};
use crate::folder::DataFolder;
use crate::show;
use crate::speech::said;

/// Longest wait for a receipt or a refusal.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// Number of leading octets of the key's fingerprint that the demo prints.
const OCTETS_SHOWN: usize = 8;
/// Longest name, in characters, that the visitor can give; the rest is cut off.
const NAME_MAX: usize = 60;
/// The `openssl` commands that open a receipt, the same as in FORMAT.md.
const OPEN_RECEIPT: [&str; 2] = [
    "cms -decrypt -binary -inform PEM -in receipt.eml -recip office.crt -inkey office.key -out receipt.signed",
    "cms -verify -binary -inform DER -in receipt.signed -nointern -certfile centre.crt -noverify -out receipt.json",
];

/// Everything that is needed to make, send and check the visitor's letters.
pub struct Counter<'a> {
    /// Configuration of the demo's centre.
    pub configuration: &'a Configuration,
    /// Post office that carries the mail.
    pub post_office: &'a PostOffice,
    /// Number of agencies in the town; the visitor's agency gets the next number.
    pub agencies: u64,
    /// Width and colours of the terminal that the visitor reads.
    pub paper: Paper,
}

/// The office that the demo makes for the visitor: its key, its folder, and the number of its next letter.
struct OwnOffice {
    folder: PathBuf,
    matricule: Matricule,
    address: String,
    identity: Identity,
    centre: RegisteredCertificate,
    register: Register,
    sequence: u64,
}

impl Counter<'_> {
    /// Asks for names and sends a letter for each, until the visitor enters an empty line. Without a keyboard nothing is asked.
    ///
    /// # Errors
    /// The centre does not answer as it must; the database does not answer.
    pub async fn receive(&self, keyboard: Option<&mut Keyboard>) -> anyhow::Result<()> {
        let Some(keyboard) = keyboard else { return Ok(()) };
        keyboard.give_back();
        let mut own = None;
        loop {
            self.tell("")?;
            self.tell(&said!("demo-own-letter"))?;
            let Some(line) = keyboard.line().await else { return Ok(()) };
            let name: String = line.trim().chars().filter(|character| !character.is_control()).take(NAME_MAX).collect();
            if name.is_empty() {
                return Ok(());
            }
            let office = match &mut own {
                Some(office) => office,
                None => own.insert(self.open_office().await?),
            };
            self.send(office, &name).await?;
        }
    }

    fn tell(&self, sentence: &str) -> anyhow::Result<()> {
        show::text(&format!("{}\n", layout::wrap(sentence, self.paper.width).join("\n")))
    }

    /// Shows how a key is made, and adds an agency with a certificate of that key.
    async fn open_office(&self) -> anyhow::Result<OwnOffice> {
        let number = u32::try_from(self.agencies + 1).ok().and_then(|number| Matricule::try_from(number).ok());
        let matricule = number.context("no number is left for an agency of your own")?;
        let data = DataFolder::open(&self.configuration.server.data_folder)?;
        let folder = data.path().join("your-office");
        fs::create_dir(&folder).with_context(|| format!("could not make {}", folder.display()))?;
        let centre = fs::read(data.keys().join(format!("{}.crt", CENTRE_PAIRS[0])))?;
        let (key, certificate) = Identity::generate_pem(&format!("agency {matricule}"), Algorithm::P256)?;
        write(&folder.join("office.key"), key.as_bytes())?;
        write(&folder.join("office.crt"), certificate.as_bytes())?;
        write(&folder.join("centre.crt"), &centre)?;
        let identity = Identity::from_pem(key.as_bytes(), certificate.as_bytes())?;
        let fingerprint = spoken(&identity.certificate().fingerprint().as_bytes()[..OCTETS_SHOWN]);
        self.tell(&said!("demo-own-key", agency = matricule.to_string(), fingerprint = fingerprint))?;
        let address = format!("agency-{matricule}@offices.example");
        let register = Register::new(&format!("C{matricule}"));
        let open = OpenDatabase::open(self.configuration, Purpose::Command).await?;
        let fields = CertificateFields::from(identity.certificate());
        let registered = town::register_visitor(&open.database, matricule, &address, &register, &fields).await;
        open.close().await;
        registered?;
        let centre = RegisteredCertificate::from_pem(&centre)?;
        Ok(OwnOffice { folder, matricule, address, identity, centre, register, sequence: 1 })
    }

    async fn send(&self, own: &mut OwnOffice, name: &str) -> anyhow::Result<()> {
        let letter = own.letter(name)?;
        // The letter is plain JSON. The centre answers in the form of the letter, so stock tools can read both the letter and the receipt.
        let der = cms::seal(&letter, own.identity.key(), &own.centre, ContentCipher::Aes256Gcm)?;
        write(&own.folder.join("letter.json"), &letter)?;
        let relay = super::relay::relay(self.post_office)?;
        let began = Instant::now();
        relay_letter(&relay, own, &der).await?;
        let receipt = self.receipt(own).await?;
        let waited = began.elapsed().as_millis();
        write(&own.folder.join("receipt.eml"), &receipt)?;
        self.tell(&said!("demo-own-sent", name = name, milliseconds = waited.to_string()))?;
        self.open_receipt(own).await?;
        let mut changed = der;
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        relay_letter(&relay, own, &changed).await?;
        let reason = self.refusal(own, &changed).await?;
        let meaning = RefusalCode::parse(&reason).map_or_else(|| said!("receipt-refused"), words);
        self.tell(&said!("demo-own-changed", meaning = meaning, reason = reason))
    }

    async fn receipt(&self, own: &OwnOffice) -> anyhow::Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(mail) = self.post_office.take(&own.address).into_iter().next_back() {
                return Ok(mail.bytes.to_vec());
            }
            if Instant::now() > deadline {
                bail!("no receipt came to {} within {} s", own.address, PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Opens the receipt with the stock commands of FORMAT.md, as an office does that has no program of its own.
    async fn open_receipt(&self, own: &OwnOffice) -> anyhow::Result<()> {
        self.tell(&said!("demo-own-open"))?;
        let cd = layout::command(&["cd".to_owned(), own.folder.display().to_string()], self.paper.width - 2);
        show::text(&format!("  {cd}\n"))?;
        for arguments in OPEN_RECEIPT {
            let words: Vec<String> = format!("openssl {arguments}").split(' ').map(str::to_owned).collect();
            show::text(&format!("  {}\n", layout::command(&words, self.paper.width - 2)))?;
            let output = Command::new("openssl").args(arguments.split(' ')).current_dir(&own.folder).output().await;
            let output = match output {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return self.tell(&said!("demo-own-no-openssl"));
                }
                output => output.context("the command openssl could not be started")?,
            };
            if !output.status.success() {
                bail!("openssl does not open the receipt: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
        }
        let answer: Value = serde_json::from_slice(&fs::read(own.folder.join("receipt.json"))?)?;
        let receipt = answer.get("receipt").cloned().context("receipt.json holds no receipt")?;
        self.tell(&said!("demo-own-opened", said = short(&serde_json::from_value(receipt)?)))
    }

    /// Waits until the container of the changed letter is in quarantine, and returns the reason for which it was refused.
    async fn refusal(&self, own: &OwnOffice, der: &[u8]) -> anyhow::Result<String> {
        let document = Document::render(der, Some(own.matricule));
        let container = memory::container(&own.mail(document)).context("the changed letter has no container")?;
        let open = OpenDatabase::open(self.configuration, Purpose::Command).await?;
        let deadline = Instant::now() + PATIENCE;
        let found = loop {
            let mut connection = open.database.get().await?;
            let entries = quarantine::of_container(&mut connection, container.as_bytes()).await?;
            match entries.into_iter().next() {
                None if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
                found => break found,
            }
        };
        open.close().await;
        found.map(|entry| entry.reason).context("the changed letter is not in quarantine")
    }
}

impl OwnOffice {
    /// Makes the JSON of a letter with one birth record, in which the child has the visitor's name.
    fn letter(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut records = self.register.births(1, &mut Dice::new(Uuid::new_v4().as_u64_pair().0));
        for table in &mut records.tables {
            if let Some(at) = table.columns.iter().position(|column| column == "NomEnfant") {
                table.values[at] = vec![json!(name)];
            }
        }
        let letter = Letter {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: Office { agency: self.matricule, installation: rules::INSTALLATION.to_owned() },
            to: SERVER.to_owned(),
            sequence: self.sequence,
            time: Utc::now(),
            mode: Mode::Test,
            seen: None,
            request: Request::Export(records),
        };
        self.sequence += 1;
        Ok(serde_json::to_vec(&letter)?)
    }

    fn mail(&self, document: Vec<u8>) -> Outgoing {
        Outgoing {
            message_id: format!("{}@offices.example", Uuid::now_v7().simple()),
            from: self.address.clone(),
            to: CENTRE_ADDRESS.to_owned(),
            subject: format!("SDC 1 agency={}", self.matricule),
            is_automatic: false,
            documents: vec![("letter.sdc".to_owned(), document)],
        }
    }
}

async fn relay_letter(relay: &Relay, own: &OwnOffice, der: &[u8]) -> anyhow::Result<()> {
    let mail = own.mail(Document::render(der, Some(own.matricule)));
    relay.send(&mail).await.with_context(|| format!("the post office did not take {}", mail.message_id))?;
    Ok(())
}

/// Returns a sentence with the verdict, the number of rows and the cost in a receipt.
fn short(receipt: &Receipt) -> String {
    let rows: u64 = receipt.rows.iter().map(|table| u64::from(table.new)).sum();
    let cost = receipt.account.cost;
    match (&receipt.verdict, &receipt.refusal) {
        (Verdict::Accepted, _) => said!("demo-own-accepted", rows = rows, cost = cost),
        // The visitor's letters contain births only, and no check holds such a letter. Only the compiler needs this arm.
        (Verdict::Refused, None) | (Verdict::Held, _) => said!("demo-own-refused", rows = rows, cost = cost),
        (Verdict::Refused, Some(refusal)) => {
            let (meaning, code) = (words(refusal.code), refusal.code.as_str());
            said!("demo-own-refused-because", meaning = meaning, code = code, rows = rows, cost = cost)
        }
    }
}

/// Writes a file that only its owner may read.
fn write(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    let mut options = fs::File::options();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(octets)).with_context(|| format!("could not write {}", path.display()))
}
