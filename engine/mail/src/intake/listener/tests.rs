//! Tests of connections with TLS from their first octet, and of clients that cannot or do not use TLS there.

use std::path::PathBuf;
use std::sync::Mutex;

use cluster::Port;
use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::intake::{Content, Outcome, Protocol};

const PATIENCE: Duration = Duration::from_secs(120);
const ADDRESS: &str = "centre@example.org";
const NAME: &str = "localhost";

/// Takes every mail.
#[derive(Clone, Default)]
struct Taker(Arc<Mutex<Vec<Vec<u8>>>>);

impl Recipient for Taker {
    type Expected = ();

    fn expect(&self) {}

    async fn take(&self, content: Content) -> Outcome {
        self.0.lock().unwrap().push(content.mail);
        Outcome::Taken
    }

    async fn leaving(&self) {
        std::future::pending::<()>().await;
    }
}

fn certified() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap()
}

/// An intake with `security = "tls"`.
struct Intake {
    port: Port,
    certificate: CertificateDer<'static>,
    taker: Taker,
    connections: watch::Receiver<Option<usize>>,
    listening: JoinSet<String>,
    _folder: TempDir,
}

impl Intake {
    async fn start() -> Intake {
        let (folder, port, issued) = (tempfile::tempdir().unwrap(), Port::hold().unwrap(), certified());
        let settings = settings(&port, &folder, &issued.cert.pem(), &issued.signing_key.serialize_pem());
        let listener = Listener::new(settings).unwrap();
        listener.check_files().unwrap();
        let (count, mut connections) = watch::channel(None);
        let (taker, mut listening) = (Taker::default(), JoinSet::new());
        let takes = taker.clone();
        listening.spawn(async move {
            let count = |taken| {
                count.send_replace(Some(taken));
            };
            listener.run(takes, count).await
        });
        timeout(PATIENCE, connections.wait_for(Option::is_some)).await.unwrap().unwrap();
        Intake { port, certificate: issued.cert.der().clone(), taker, connections, listening, _folder: folder }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.port.address()).await.unwrap()
    }

    /// Connects as a client that trusts `trusted` and expects the name `name` in the server's certificate.
    async fn protected(
        &self,
        trusted: &CertificateDer<'static>,
        name: &'static str,
        version: &'static SupportedProtocolVersion,
    ) -> io::Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(name).unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, self.connect().await);
        Ok(Client(BufReader::new(timeout(PATIENCE, connecting).await.expect("the handshake ends")?)))
    }

    /// Waits until no connection has a place.
    async fn until_empty(&mut self) {
        let empty = self.connections.wait_for(|taken| *taken == Some(0));
        timeout(PATIENCE, empty).await.expect("every connection gives its place back").unwrap();
    }

    /// Pushes a mail as a correct client does, and checks that the session ends in order.
    async fn takes_a_mail(&mut self, version: &'static SupportedProtocolVersion) {
        let taken = self.taker.0.lock().unwrap().len();
        let mut client = self.protected(&self.certificate, NAME, version).await.unwrap();
        assert_eq!(client.reply().await, "220 localhost LMTP ready\r\n");
        let hello = client.say("LHLO sender.example.org").await;
        assert!(hello.starts_with("250-") && !hello.contains("STARTTLS"), "{hello}");
        assert!(client.say("STARTTLS").await.starts_with("502 "), "it is protected");
        for said in ["MAIL FROM:<>", "RCPT TO:<centre@example.org>"] {
            assert!(client.say(said).await.starts_with("250 "), "{said}");
        }
        assert!(client.say("DATA").await.starts_with("354 "));
        assert!(client.say("Subject: a\r\n\r\nb\r\n.").await.starts_with("250 "));
        assert_eq!(self.taker.0.lock().unwrap()[taken..], [b"Subject: a\r\n\r\nb\r\n".to_vec()]);
        assert!(client.say("QUIT").await.starts_with("221 "));
        let mut rest = Vec::new();
        timeout(PATIENCE, client.0.read_to_end(&mut rest)).await.unwrap().expect("the server says that it closes");
        assert!(rest.is_empty(), "{rest:?}");
        self.until_empty().await;
    }
}

fn settings(port: &Port, folder: &TempDir, certificate: &str, key: &str) -> IntakeSettings {
    let file = |name: &str, text: &str| -> Option<PathBuf> {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let mut settings = IntakeSettings::new(Protocol::Lmtp, port.address());
    settings.security = Security::Tls;
    (settings.certificate_file, settings.key_file) = (file("certificate.pem", certificate), file("key.pem", key));
    settings.addresses = vec![ADDRESS.to_owned()];
    settings
}

/// A client over TLS.
struct Client(BufReader<TlsStream<TcpStream>>);

impl Client {
    /// Reads all lines of a reply.
    async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            timeout(PATIENCE, self.0.read_line(&mut reply)).await.expect("a reply comes").unwrap();
            if reply.as_bytes().get(begin + 3) != Some(&b'-') {
                return reply;
            }
        }
    }

    async fn say(&mut self, said: &str) -> String {
        self.0.write_all(format!("{said}\r\n").as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        self.reply().await
    }
}

/// Reads a plain connection to its end. Returns the octets that came. A reset counts as an end.
async fn until_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut seen = Vec::new();
    if let Err(error) = timeout(PATIENCE, stream.read_to_end(&mut seen)).await.expect("the connection ends") {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    seen
}

#[tokio::test]
async fn mail_comes_by_connections_that_are_protected_from_their_first_octet() {
    let mut intake = Intake::start().await;
    for version in [&TLS12, &TLS13] {
        intake.takes_a_mail(version).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_accept_the_certificate_ends_and_others_go_on() {
    let mut intake = Intake::start().await;
    let foreign = certified().cert.der().clone();
    for version in [&TLS12, &TLS13] {
        let (trusted, name) = (intake.certificate.clone(), "other.example.org");
        for refused in [
            intake.protected(&foreign, NAME, version).await.err(),
            intake.protected(&trusted, name, version).await.err(),
        ] {
            assert_eq!(refused.expect("nobody trusts it").kind(), io::ErrorKind::InvalidData);
        }
        intake.until_empty().await;
    }
    assert!(intake.listening.try_join_next().is_none(), "it listens");
    intake.takes_a_mail(&TLS13).await;
}

#[tokio::test]
async fn a_client_that_speaks_plainly_or_not_at_all_is_cut_off_and_sees_nothing() {
    let mut intake = Intake::start().await;
    let (mut plain, mut silent, mut stalled) = (intake.connect().await, intake.connect().await, intake.connect().await);
    plain.write_all(b"LHLO sender.example.org\r\nMAIL FROM:<>\r\n").await.unwrap();
    // The head of a TLS record that announces 512 octets of a handshake. The client never sends these octets.
    stalled.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
    let (seen, nothing, cut) = tokio::join!(until_end(&mut plain), until_end(&mut silent), until_end(&mut stalled));
    // An alert has at most the head of a record and two octets.
    assert!(seen.len() <= 7 && !seen.starts_with(b"220"), "{}", String::from_utf8_lossy(&seen));
    assert_eq!((nothing, cut), (Vec::new(), Vec::new()));
    intake.until_empty().await;
    assert!(intake.taker.0.lock().unwrap().is_empty());
    intake.takes_a_mail(&TLS12).await;
}

#[tokio::test]
async fn files_that_are_no_certificate_with_its_key_are_told_and_nothing_is_listened_at() {
    let (port, folder) = (Port::hold().unwrap(), tempfile::tempdir().unwrap());
    let (own, other) = (certified(), certified());
    let (certificate, key) = (own.cert.pem(), other.signing_key.serialize_pem());
    for (certificate, key, told) in [
        (certificate.as_str(), key.as_str(), "key_file: "),
        (certificate.as_str(), certificate.as_str(), "key_file: "),
        (key.as_str(), key.as_str(), "certificate_file: "),
        ("", key.as_str(), "certificate_file: "),
    ] {
        let listener = Listener::new(settings(&port, &folder, certificate, key)).unwrap();
        let problem = listener.check_files().unwrap_err();
        assert!(problem.starts_with(told), "{problem}");
        let ended = timeout(PATIENCE, listener.run(Taker::default(), |_| {})).await.expect("it does not listen");
        assert_eq!(ended, problem);
    }
    let mut gone = settings(&port, &folder, &certificate, &key);
    gone.certificate_file = Some(folder.path().join("gone.pem"));
    let problem = Listener::new(gone).unwrap().check_files().unwrap_err();
    assert!(problem.starts_with("certificate_file: cannot read"), "{problem}");
}
