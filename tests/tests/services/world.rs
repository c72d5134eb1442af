//! A centre with a transfer folder, and the desks (installations) of offices that write to it with keys of their own.

use std::collections::BTreeMap;
use std::fs;

use agency::identity::{Algorithm, Identity};
use anyhow::Result;
use chrono::Utc;
use scenarios::database::OwnDatabase;
use scenarios::engine::{Engine, Posts};
use scenarios::program::xmserver;
use scenarios::servers::{Account, Dovecot, Postfix};
use scenarios::town::{CENTRE_ADDRESS, PASSWORD, SERVER, address, found};
use scenarios::transfer::Transfer;
use sdc::answer::notice::NoticeContent;
use sdc::answer::part::Part;
use sdc::answer::receipt::Receipt;
use sdc::answer::{Answer, CentreLetter};
use sdc::cms::{self, ContentCipher};
use sdc::digest::Digest;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::RegisteredCertificate;
use sdc::letter::{FORMAT_VERSION, Letter, Mode, Office};
use sdc::payload::{self, PayloadForm, PayloadLimits};
use sdc::request::Request;
use serde_json::Value;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Names of the centre's two users: the one who set the centre up, and a second one.
pub const SUPERVISEUR: &str = "superviseur";
pub const MBOME: &str = "mbome";

/// A centre with a transfer folder and perhaps a mailbox, and its database, which tests may query and change.
pub struct World {
    pub engine: Engine,
    pub transfer: Transfer,
    /// The relay, and the Dovecot with the mailboxes into which the relay delivers; `None` where the centre has only its folder.
    pub mail: Option<(Postfix, Dovecot)>,
    database: OwnDatabase,
    runtime: Runtime,
    account: String,
}

/// A letter that a desk has written.
pub struct Sent {
    pub letter: Uuid,
    pub sequence: u64,
    pub digest: Digest,
    pub document: Vec<u8>,
}

/// An installation of an office. It packs its letters in one form, and keeps the signed octets of the files that it has collected.
pub struct Desk {
    sender: Office,
    form: PayloadForm,
    centre: RegisteredCertificate,
    /// The present key last, after the former keys. A former key opens the answers to the letters that it signed.
    identities: Vec<Identity>,
    sequence: u64,
    files: BTreeMap<String, Vec<u8>>,
}

impl World {
    /// Sets up a centre with a transfer folder only. Without `has_authority`, the centre cannot issue certificates: the key of its
    /// authority is removed, as where somebody else is the authority.
    pub fn found(has_authority: bool) -> World {
        let world = World::between(|further| {
            Engine::of(xmserver().unwrap(), PASSWORD, |http| format!("[server]\nhttp_address = \"{http}\"\n{further}"))
        });
        if !has_authority {
            fs::remove_file(world.engine.data().join("keys/authority.key")).unwrap();
        }
        world
    }

    /// Sets up a centre that also has mail, with a mailbox for each of these offices.
    pub fn with_mail(numbers: &[u32]) -> World {
        let addresses = numbers.iter().map(|number| address(*number)).chain([CENTRE_ADDRESS.to_owned()]);
        let accounts: Vec<Account> = addresses.map(|address| Account::new(address, PASSWORD)).collect();
        let dovecot = Dovecot::start(&accounts).unwrap();
        let postfix = Postfix::start(&dovecot).unwrap();
        let (relay, mailboxes) = (postfix.smtp_address(), [CENTRE_ADDRESS.to_owned()]);
        let engine = |further: &str| {
            let (password, address) = (PASSWORD, CENTRE_ADDRESS);
            Engine::configured(&Posts { dovecot: &dovecot, mailboxes: &mailboxes, password, relay, address, further })
        };
        let mut world = World::between(engine);
        world.mail = Some((postfix, dovecot));
        world
    }

    fn between(engine: impl FnOnce(&str) -> Result<Engine>) -> World {
        let (runtime, transfer) = (Runtime::new().unwrap(), Transfer::make().unwrap());
        let database = OwnDatabase::start(&runtime).unwrap();
        let url = database.cluster.url();
        let reader_url = database.cluster.reader_url_of(url.rsplit_once('/').unwrap().1);
        let folder = transfer.configuration();
        let further = format!("[database]\nurl = \"{url}\"\nreader_url = \"{reader_url}\"\n{folder}");
        let engine = engine(&further).unwrap();
        found(&engine).unwrap();
        let users: Value = serde_json::from_str(&engine.operate(&["user", "list", "--json"]).unwrap()).unwrap();
        let account = users[0]["accounts"][0]["name"].as_str().unwrap().to_owned();
        let world = World { engine, transfer, mail: None, database, runtime, account };
        world.run("INSERT INTO xm.users (name, privilege, password_hash, is_commission) VALUES ('mbome', 3, '', true)");
        world
    }

    /// Starts the centre, and returns when it takes letters.
    pub fn open(&mut self) {
        self.engine.start().unwrap();
        self.engine.wait_until_ready().unwrap();
    }

    pub fn run(&self, statements: &str) {
        self.database.run(&self.runtime, statements).unwrap();
    }

    /// Asserts that a boolean SQL expression is true.
    pub fn assert_held(&self, what: &str) {
        self.run(&format!("DO $$ BEGIN ASSERT ({what}); END $$"));
    }

    /// Runs a command of operators that needs one person, and returns its JSON.
    pub fn done(&self, arguments: &[&str]) -> Value {
        let told = self.engine.operate(&[arguments, &["--json"]].concat()).unwrap();
        serde_json::from_str(&told).unwrap()
    }

    /// Makes the account of the machine that runs the test belong to another user of the centre. The centre knows a person by the account
    /// that runs a command. Two people are needed, but the test has one account, so it plays both by turns.
    fn become_user(&self, user: &str) {
        let account = &self.account;
        self.run(&format!(
            "UPDATE xm.system_accounts SET ended_at = now() WHERE account = '{account}' AND ended_at IS NULL;
             INSERT INTO xm.system_accounts (uid, account, user_name)
             SELECT uid, account, '{user}' FROM xm.system_accounts WHERE account = '{account}' LIMIT 1"
        ));
    }

    /// Runs a command that needs two people: one user asks for it, and the other confirms it.
    pub fn agreed(&self, arguments: &[&str]) {
        let (code, told) = self.engine.ask(&[arguments, &["--json"]].concat()).unwrap();
        assert_eq!(code, Some(5), "{arguments:?}: {told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        self.become_user(MBOME);
        self.engine.operate(&["approval", "confirm", &told["approval"]["id"].to_string(), "--yes"]).unwrap();
        self.become_user(SUPERVISEUR);
    }

    /// Adds an agency and grants its code. The agency has no e-mail address, so it is reached only by the folder.
    pub fn add_agency(&self, number: u32) {
        let (matricule, code) = (number.to_string(), format!("C{number}"));
        self.engine.operate(&["agency", "add", "--matricule", &matricule, "--name", "Mairie"]).unwrap();
        self.engine.operate(&["agency", "grant", &matricule, "CentreCode", &code]).unwrap();
    }

    /// Registers a certificate of an agency by its fingerprint.
    pub fn register(&self, number: u32, certificate: &RegisteredCertificate) {
        let file = self.engine.place().join(format!("office-{number}.der"));
        fs::write(&file, certificate.der()).unwrap();
        let (file, fingerprint) = (file.to_str().unwrap(), certificate.fingerprint().to_string());
        let matricule = number.to_string();
        self.engine.operate(&["cert", "register", &matricule, file, "--fingerprint", &fingerprint, "--yes"]).unwrap();
    }

    /// Opens a desk of an agency.
    pub fn desk(&self, number: u32, installation: &str, form: PayloadForm, identity: Identity) -> Desk {
        let centre =
            RegisteredCertificate::from_pem(&fs::read(self.engine.data().join("keys/centre-p256.crt")).unwrap());
        Desk {
            sender: Office { agency: number.try_into().unwrap(), installation: installation.to_owned() },
            form,
            centre: centre.unwrap(),
            identities: vec![identity],
            sequence: 0,
            files: BTreeMap::new(),
        }
    }

    /// Adds an agency with a registered certificate, and opens its desk.
    pub fn settle(&self, number: u32, form: PayloadForm) -> Desk {
        let identity = Identity::generate(&format!("office {number}"), Algorithm::P256).unwrap();
        self.add_agency(number);
        self.register(number, identity.certificate());
        self.desk(number, "main", form, identity)
    }

    /// Sends a letter by the transfer folder.
    pub fn send(&self, desk: &mut Desk, request: Request) -> Sent {
        let sent = desk.write(request);
        self.transfer.send(&sent.letter.to_string(), &sent.document).unwrap();
        sent
    }

    /// Waits for a file in the agency's folder, and returns the signed octets in it.
    pub fn file(&mut self, desk: &mut Desk, name: &str) -> Vec<u8> {
        self.one_of(desk, &[name.to_owned()])
    }

    /// Waits for the first of several files that arrives, and returns the signed octets in it.
    fn one_of(&mut self, desk: &mut Desk, names: &[String]) -> Vec<u8> {
        let World { engine, transfer, .. } = self;
        let mut found = None;
        let waited = engine.wait_until(&format!("{names:?} comes"), |_| {
            for (name, document) in transfer.collect(&desk.sender.agency.to_string())? {
                let octets = desk.open(&document);
                desk.files.insert(name, octets);
            }
            found = names.iter().find_map(|name| desk.files.remove(name));
            Ok(found.is_some())
        });
        waited.unwrap_or_else(|error| panic!("{error:#}: there are {:?}", desk.files.keys()));
        found.unwrap()
    }

    /// Waits for the receipt of a letter. A receipt alone is part 0; a receipt with a body is in part 1.
    pub fn verdict(&mut self, desk: &mut Desk, sent: &Sent) -> Receipt {
        let names = [0, 1].map(|part| format!("{}-{}-1-{part}.sdc", desk.sender.installation, sent.sequence));
        let octets = self.one_of(desk, &names);
        let receipt = payload::read_answer(&octets, &PayloadLimits::default()).unwrap().receipt;
        assert_eq!(receipt.letter, Some(sent.letter));
        receipt
    }

    /// Waits for the answer to an attempt at a letter, or for a part of the answer, and checks that it answers this letter.
    pub fn answer(&mut self, desk: &mut Desk, sent: &Sent, attempt: u16, part: u16) -> Answer {
        let name = format!("{}-{}-{attempt}-{part}.sdc", desk.sender.installation, sent.sequence);
        let octets = self.file(desk, &name);
        let answer = payload::read_answer(&octets, &PayloadLimits::default()).unwrap();
        let Receipt { letter, digest, sequence, .. } = &answer.receipt;
        assert_eq!((*letter, *sequence), (Some(sent.letter), Some(sent.sequence)));
        assert_eq!((digest, answer.receipt.attempt), (&sent.digest.to_string(), attempt));
        assert_eq!((answer.from.as_str(), answer.to.agency), (SERVER, desk.sender.agency));
        assert_eq!(answer.to.installation.as_ref(), Some(&desk.sender.installation));
        answer
    }

    /// Sends a letter whose service returns only a receipt, and returns the receipt.
    pub fn receipt(&mut self, desk: &mut Desk, request: Request) -> Receipt {
        let sent = self.send(desk, request);
        let answer = self.answer(desk, &sent, 1, 0);
        assert!(answer.body.is_none());
        answer.receipt
    }

    /// Waits for a part of the records that were read for a letter. Returns the part with its signed octets.
    pub fn part(&mut self, desk: &mut Desk, name: &str, answers: &Sent) -> (Part, Vec<u8>) {
        let octets = self.file(desk, name);
        let part = payload::read_part(&octets, &PayloadLimits::default()).unwrap();
        assert_eq!(
            (part.head.answers.letter, &part.head.answers.digest),
            (answers.letter, &answers.digest.to_string())
        );
        (part, octets)
    }

    /// Waits for the notice with this number.
    pub fn notice(&mut self, desk: &mut Desk, number: u64) -> NoticeContent {
        let octets = self.file(desk, &format!("{}-notice-{number}.sdc", desk.sender.installation));
        let CentreLetter::Notice(notice) = payload::read_centre_letter(&octets, &PayloadLimits::default()).unwrap()
        else {
            panic!("no notice")
        };
        assert_eq!((notice.number, &notice.to), (number, &desk.sender));
        notice.content
    }
}

impl Desk {
    pub fn installation(&self) -> &str {
        &self.sender.installation
    }

    pub fn identity(&self) -> &Identity {
        self.identities.last().unwrap()
    }

    /// Signs with this key from now on.
    pub fn adopt(&mut self, identity: Identity) {
        self.identities.push(identity);
    }

    pub fn write(&mut self, request: Request) -> Sent {
        self.sequence += 1;
        let letter = Letter {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: self.sender.clone(),
            to: SERVER.to_owned(),
            sequence: self.sequence,
            time: Utc::now(),
            mode: Mode::Test,
            seen: None,
            request,
        };
        let limits = PayloadLimits::default();
        let packed = payload::write_letter(&letter, &limits).unwrap();
        let octets = payload::pack_as(payload::unpack(&packed, &limits).unwrap().into_owned(), self.form);
        let der = cms::seal(&octets, self.identity().key(), &self.centre, ContentCipher::Aes256Gcm).unwrap();
        let document = Document::render(&der, None);
        Sent { letter: letter.id, sequence: letter.sequence, digest: Digest::of(&octets), document }
    }

    /// Opens and verifies a file of the centre, and returns its signed octets. They must be packed as this desk's letters are.
    pub fn open(&self, document: &[u8]) -> Vec<u8> {
        let document = Document::parse(document, &DocumentLimits::default()).unwrap();
        let opened = self.identities.iter().rev().find_map(|own| cms::open(&document, own.opening()).ok());
        let verified = opened.unwrap().verify(&self.centre).unwrap();
        assert_eq!(verified.form(), self.form);
        verified.octets().to_vec()
    }
}
