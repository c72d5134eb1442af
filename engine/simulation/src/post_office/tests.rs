//! Tests that talk with a post office over raw sockets, one command or fault after another.

mod faults;
mod pop3;
mod smtp;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::*;

const DEADLINE: Duration = Duration::from_secs(60);

/// A client that sends exactly what the test gives it, and reads replies octet by octet.
struct Client<T> {
    stream: T,
    input: Vec<u8>,
}

impl Client<TcpStream> {
    /// Connects, and expects a greeting that begins with `greeting`.
    fn connect(address: SocketAddr, greeting: &str) -> Client<TcpStream> {
        let mut client = Client { stream: socket(address), input: Vec::new() };
        assert!(client.line().starts_with(greeting));
        client
    }

    fn pop3(office: &PostOffice) -> Client<TcpStream> {
        Client::connect(office.pop3_address(), "+OK")
    }

    fn signed_in(office: &PostOffice, address: &str) -> Client<TcpStream> {
        let mut client = Client::pop3(office);
        client.send(&format!("USER {address}\r\nPASS secret\r\n"));
        assert_eq!(client.line(), "+OK");
        client.expect_start("+OK ");
        client
    }

    fn smtp(office: &PostOffice) -> Client<TcpStream> {
        let mut client = Client::connect(office.smtp_address(), "220 ");
        client.hello();
        client
    }
}

impl<T: Read + Write> Client<T> {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Sends a command and returns the first line of the reply.
    fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n"));
        self.line()
    }

    fn hello(&mut self) -> Vec<String> {
        self.send("EHLO client.example\r\n");
        let mut lines = vec![self.line()];
        while lines.last().unwrap().starts_with("250-") {
            lines.push(self.line());
        }
        lines
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8(self.input[..end].to_vec()).unwrap();
                self.input.drain(..end + 2);
                return line;
            }
            assert!(self.fill(), "the connection ended within {:?}", String::from_utf8_lossy(&self.input));
        }
    }

    #[track_caller]
    fn expect_start(&mut self, start: &str) {
        let line = self.line();
        assert!(line.starts_with(start), "expected {start}, found {line}");
    }

    /// Reads lines until the line with the single dot. Doubled dots stay doubled.
    fn listing(&mut self) -> Vec<String> {
        std::iter::from_fn(|| Some(self.line()).filter(|line| line != ".")).collect()
    }

    /// Reads everything until the server closes the connection.
    fn rest(mut self) -> Vec<u8> {
        while self.fill() {}
        self.input
    }

    fn fill(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(length) => {
                self.input.extend_from_slice(&piece[..length]);
                length > 0
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn socket(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Waits until the condition holds, and fails at the deadline. Between two checks it yields to other threads.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "{what}");
        std::thread::yield_now();
    }
}

fn office() -> PostOffice {
    office_with(|_| {})
}

/// Starts a post office with the accounts `centre@example.org` and `agency@example.org`, both with the password `secret`.
fn office_with(change: impl FnOnce(&mut PostOfficeSettings)) -> PostOffice {
    let accounts = Accounts::listed([("centre@example.org", "secret"), ("agency@example.org", "secret")]);
    let mut settings = PostOfficeSettings { accounts, ..PostOfficeSettings::default() };
    change(&mut settings);
    PostOffice::start(settings).unwrap()
}

/// Makes a certificate for `localhost`. Returns the TLS configurations of a server that uses it and of a client that trusts it.
fn certificate() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![issued.cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (Arc::new(server), Arc::new(client.with_root_certificates(roots).with_no_client_auth()))
}

fn protect(stream: TcpStream, config: Arc<ClientConfig>) -> Client<StreamOwned<ClientConnection, TcpStream>> {
    let connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    Client { stream: StreamOwned::new(connection, stream), input: Vec::new() }
}

#[test]
fn it_refuses_while_away_and_comes_back_with_its_mail_on_the_same_ports() {
    let office = office();
    office.deliver("centre@example.org", "Subject: a\r\n\r\n").unwrap();
    for _ in 0..20 {
        let (pop3, smtp) = (Client::signed_in(&office, "centre@example.org"), Client::smtp(&office));
        office.go_away();
        assert_eq!((pop3.rest().len(), smtp.rest().len()), (0, 0), "connections are cut");
        for address in [office.pop3_address(), office.smtp_address()] {
            assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        office.come_back();
        assert_eq!(Client::signed_in(&office, "centre@example.org").ask("STAT"), "+OK 1 14");
        assert_eq!(Client::smtp(&office).ask("NOOP"), "250 2.0.0 OK");
    }
}

#[test]
fn dropping_it_ends_connections_and_frees_the_ports() {
    let office = office();
    let (pop3, smtp) = (Client::pop3(&office), Client::smtp(&office));
    let addresses = [office.pop3_address(), office.smtp_address()];
    drop(office);
    assert_eq!((pop3.rest().len(), smtp.rest().len()), (0, 0));
    for address in addresses {
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn one_connection_too_many_is_told_so() {
    let office = office_with(|settings| settings.connections_max = 2);
    let held = [Client::pop3(&office), Client::pop3(&office)];
    let mut third = Client { stream: socket(office.pop3_address()), input: Vec::new() };
    assert_eq!(third.line(), "-ERR [SYS/TEMP] too many connections");
    drop(held);
    wait_until("the places of closed connections are free again", || {
        let mut next = Client { stream: socket(office.pop3_address()), input: Vec::new() };
        next.line().starts_with("+OK")
    });
}

#[test]
fn a_silent_client_is_let_go() {
    let office = office_with(|settings| settings.idle_timeout = Duration::from_millis(50));
    assert!(Client::pop3(&office).rest().is_empty());
}

#[test]
fn a_full_post_office_says_so_and_takes_mail_again_once_collected() {
    let office = office_with(|settings| settings.stored_bytes_max = 2000);
    let mail = "x".repeat(998);
    office.deliver("centre@example.org", mail.clone()).unwrap();
    let full = office.deliver("centre@example.org", mail.clone()).unwrap_err();
    assert_eq!(full, Full { stored_bytes: 1256, stored_bytes_max: 2000 });
    let mut smtp = Client::smtp(&office);
    let transaction = format!("MAIL FROM:<>\r\nRCPT TO:<centre@example.org>\r\nDATA\r\n{mail}\r\n.\r\n");
    for (answer, stored) in [("452 4.3.1", 1), ("250 2.0.0", 1)] {
        smtp.send(&transaction);
        for start in ["250", "250", "354", answer] {
            smtp.expect_start(start);
        }
        assert_eq!(office.take("centre@example.org").len(), stored);
    }
    assert_eq!(office.stored_bytes(), 0);
}

#[test]
fn ports_may_be_chosen_and_one_that_is_taken_is_named() {
    let held = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [pop3_port, smtp_port] = [0, 1].map(|at: usize| held[at].local_addr().unwrap().port());
    let settings = PostOfficeSettings { pop3_port, smtp_port, ..PostOfficeSettings::default() };
    let taken = PostOffice::start(settings.clone()).unwrap_err().to_string();
    assert!(taken.contains(&format!("port {pop3_port} of 127.0.0.1")), "{taken}");
    drop(held);
    let office = PostOffice::start(settings).unwrap();
    assert_eq!((office.pop3_address().port(), office.smtp_address().port()), (pop3_port, smtp_port));
}

#[tokio::test]
async fn waiting_ends_when_the_mail_is_there() {
    let office = office();
    let waiting = office.wait_for("centre@example.org", 2);
    let delivering = async {
        office.deliver("centre@example.org", "one").unwrap();
        tokio::task::yield_now().await;
        office.deliver("centre@example.org", "two").unwrap();
    };
    tokio::time::timeout(DEADLINE, async { tokio::join!(waiting, delivering) }).await.unwrap();
    let mails = office.take("centre@example.org");
    assert_eq!([&*mails[0].bytes, &*mails[1].bytes], [b"one\r\n", b"two\r\n"]);
}

/// Measures and prints how many mails the post office can carry: over eight connections, mails come in by SMTP and go out by POP3, both
/// with pipelined commands.
#[test]
fn it_carries_mail_as_fast_as_the_demo_sends() {
    const CONNECTIONS: usize = 8;
    const MAILS: usize = 1000;
    let office = PostOffice::start(PostOfficeSettings::default()).unwrap();
    let mail = format!("Subject: load\r\n\r\n{}\r\n.\r\n", "0123456789abcdef\r\n".repeat(120));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (office, mail) = (&office, &mail);
            scope.spawn(move || {
                let mut smtp = Client::smtp(office);
                for _ in 0..MAILS {
                    smtp.send(&format!("MAIL FROM:<a@x>\r\nRCPT TO:<box{connection}@x>\r\nDATA\r\n"));
                    assert_eq!(
                        [smtp.line(), smtp.line(), smtp.line()].map(|line| line[..1].to_owned()),
                        ["2", "2", "3"]
                    );
                    smtp.send(mail);
                    smtp.expect_start("250");
                }
            });
        }
    });
    let sent = started.elapsed();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (office, mail) = (&office, &mail);
            scope.spawn(move || {
                let mut pop3 = Client::signed_in(office, &format!("box{connection}@x"));
                for window in (1..=MAILS).collect::<Vec<usize>>().chunks(50) {
                    pop3.send(&window.iter().map(|number| format!("RETR {number}\r\n")).collect::<String>());
                    let length = window.len() * ("+OK 2177 octets\r\n".len() + mail.len());
                    while pop3.input.len() < length && pop3.fill() {}
                    assert!(pop3.input.ends_with(b"\r\n.\r\n"));
                    pop3.input.clear();
                    pop3.send(&window.iter().map(|number| format!("DELE {number}\r\n")).collect::<String>());
                    window.iter().for_each(|_| pop3.expect_start("+OK"));
                }
                assert_eq!(pop3.ask("QUIT"), format!("+OK {MAILS} mails deleted"));
            });
        }
    });
    let rate = |elapsed: Duration| (CONNECTIONS * MAILS) as f64 / elapsed.as_secs_f64();
    println!("in by SMTP: {:.0} mails/s; out by POP3: {:.0} mails/s", rate(sent), rate(started.elapsed()));
    assert_eq!(office.stored_bytes(), 0);
}
