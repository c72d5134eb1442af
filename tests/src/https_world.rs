//! A running centre that takes letters over HTTPS only, and an office of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use agency::office::Received;
use sdc::answer::receipt::Verdict;
use sdc::digest::Digest;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::engine::{Engine, Posts};
use crate::poster::{Poster, Reply};
use crate::program::{xmserver, xmserver_nemesis};
use crate::servers::{Account, Certificate, Dovecot, Port};
use crate::town::{CENTRE_ADDRESS, PASSWORD, Resident, address, found};

/// Matricule of the office.
pub const OFFICE: u32 = 7;

/// A running centre that takes letters over HTTPS only, or over plain HTTP where [`World::certificate`] is `None`.
pub struct World {
    /// The runtime for the connections of the test.
    pub runtime: Runtime,
    /// The centre.
    pub engine: Engine,
    /// The address at which the centre takes letters.
    pub https: SocketAddr,
    /// File with the centre's certificate for TLS; `None` where its connections are plain.
    pub certificate: Option<PathBuf>,
    _port: Port,
    _folder: TempDir,
    _dovecot: Dovecot,
}

impl World {
    /// Opens a centre with TLS, and an office. `further` has more keys of the section `[https]`, and more sections.
    ///
    /// # Panics
    /// The centre cannot be started.
    pub fn open(further: &str) -> (World, Resident) {
        World::of(xmserver().unwrap(), true, further)
    }

    /// Opens a centre without TLS, as behind a proxy on the same machine, and an office.
    ///
    /// # Panics
    /// The centre cannot be started.
    pub fn plain(further: &str) -> (World, Resident) {
        World::of(xmserver().unwrap(), false, further)
    }

    /// Opens a centre without TLS whose program obeys orders, for example to be killed at a given place, and an office.
    ///
    /// # Panics
    /// The centre cannot be started.
    pub fn breakable() -> (World, Resident) {
        World::of(xmserver_nemesis().unwrap(), false, "")
    }

    fn of(program: &Path, has_tls: bool, further: &str) -> (World, Resident) {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::make(folder.path()).unwrap();
        let port = Port::hold().unwrap();
        let dovecot = Dovecot::start(&[Account::new(address(OFFICE), PASSWORD)]).unwrap();
        let security = match has_tls {
            true => {
                let Certificate { certificate_path, key_path } = &certificate;
                format!("certificate_file = {certificate_path:?}\nkey_file = {key_path:?}")
            }
            false => "security = \"none\"".to_owned(),
        };
        let https = format!("[https]\nlisten = \"{}\"\n{security}\n{further}", port.address());
        let posts = Posts {
            dovecot: &dovecot,
            mailboxes: &[],
            password: PASSWORD,
            // A configuration needs the address of a relay. Nothing listens at this one, so an answer that wrongly left by mail would stay
            // in the outbox, and the test would find it there.
            relay: port.address(),
            address: CENTRE_ADDRESS,
            further: &https,
        };
        let mut engine = Engine::configured_for(program, &posts).unwrap();
        found(&engine).unwrap();
        let resident = Resident::settle(&engine, OFFICE).unwrap();
        engine.start().unwrap();
        engine.wait_until_ready().unwrap();
        engine.wait_until("it accepts", |engine| Ok(engine.get("/accept/http").starts_with("HTTP/1.1 200"))).unwrap();
        let (runtime, https) = (Runtime::new().unwrap(), port.address());
        let certificate = has_tls.then_some(certificate.certificate_path);
        (World { runtime, engine, https, certificate, _port: port, _folder: folder, _dovecot: dovecot }, resident)
    }

    /// Opens a connection.
    ///
    /// # Panics
    /// The centre does not answer.
    pub fn connect(&self) -> Poster {
        self.runtime.block_on(Poster::connect(self.https, self.certificate.as_deref())).unwrap()
    }

    /// Posts a document over a connection of its own.
    ///
    /// # Panics
    /// No reply comes.
    pub fn post(&self, document: &[u8]) -> Reply {
        let mut connection = self.connect();
        self.runtime.block_on(connection.post(document)).unwrap()
    }

    /// Asks for the answer to a letter of the office.
    ///
    /// # Panics
    /// No reply comes.
    pub fn answer(&self, letter: Uuid, query: &str, digest: &str) -> Reply {
        let mut connection = self.connect();
        self.runtime.block_on(connection.answer(&format!("/v1/answers/{OFFICE}/{letter}{query}"), digest)).unwrap()
    }

    /// Counts the lines of the journal that have this outcome.
    ///
    /// # Panics
    /// The journal cannot be read.
    pub fn journal(&self, outcome: &str) -> usize {
        let journal = self.engine.operate(&["journal", "list", "--limit", "1000", "--json"]).unwrap();
        let journal: Vec<Value> = serde_json::from_str(&journal).unwrap();
        journal.iter().filter(|line| line["outcome"] == outcome).count()
    }
}

/// Opens the documents of a reply as the office does, and returns the digests of the letters that they answer.
///
/// # Panics
/// The reply has no documents, or a document that is not the answer to an accepted letter.
pub fn opened(resident: &mut Resident, reply: &Reply) -> Vec<Digest> {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let mut answered = Vec::new();
    for document in reply.documents() {
        match resident.office.receive(&document).unwrap() {
            Received::Answered(answer) => {
                assert_eq!(answer.answer.receipt.verdict, Verdict::Accepted);
                answered.push(answer.letter);
            }
            other => panic!("{other:?}"),
        }
    }
    answered
}
