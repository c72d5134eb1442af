//! Stands (sources as their senders see them) for mail that is pushed by LMTP and for documents that are posted over HTTP. The senders use
//! real connections. Each sender has one mail, and sends it again until it is told that the mail is settled.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::admission::lender::{Expected, Lender, PushedMail};
use actors::answer_desk::AnswerDesk;
use actors::transport::http::{HttpIntake, HttpSettings};
use actors::transport::intake::MailIntake;
use actors::transport::pushed::Pushed;
use actors::transport::{Form, TransportFacts, TransportFault};
use cluster::Port;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mail::intake::{Content, IntakeSettings, Listener, Outcome, Protocol, Recipient};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::transports::{Stand, Way, World};

const ADDRESS: &str = "centre@example.org";
/// How long a sender waits before it sends its mail again.
const SENDER_PAUSE: Duration = Duration::from_millis(10);

/// Senders of pushed mail, and the intakes of all processes that they may push to.
pub struct PushingStand {
    runtime: Handle,
    senders: Mutex<JoinSet<()>>,
    shared: Arc<Shared>,
    /// Makes the transport of a process, which listens at the address.
    make: fn(SocketAddr, &Handle) -> Arc<dyn Pushed>,
    protocol: By,
}

/// Protocol of the senders.
#[derive(Clone, Copy)]
enum By {
    Lmtp,
    Http,
}

#[derive(Default)]
struct Shared {
    ports: Mutex<Vec<Port>>,
    turns: AtomicUsize,
    held: AtomicUsize,
    is_cut: watch::Sender<bool>,
}

impl PushingStand {
    /// A stand with an intake for LMTP.
    pub fn lmtp(world: &World) -> PushingStand {
        PushingStand::of(world, By::Lmtp, |address, runtime| {
            let listener = Listener::new(settings(address)).unwrap();
            Arc::new(MailIntake { name: "source".to_owned(), listener, runtime: runtime.clone() })
        })
    }

    /// A stand whose intake answers each mail before its fate is known.
    pub fn hasty(world: &World) -> PushingStand {
        PushingStand::of(world, By::Lmtp, |address, runtime| {
            Arc::new(Hasty { listener: Listener::new(settings(address)).unwrap(), runtime: runtime.clone() })
        })
    }

    /// A stand with an intake for documents that are posted over HTTP.
    pub fn http(world: &World) -> PushingStand {
        PushingStand::of(world, By::Http, |address, _runtime| {
            let mut settings = HttpSettings::new(address);
            settings.requests_per_minute_max = 1_000_000;
            Arc::new(HttpIntake::new(HttpSettings { name: "source".to_owned(), ..settings }))
        })
    }

    fn of(world: &World, protocol: By, make: fn(SocketAddr, &Handle) -> Arc<dyn Pushed>) -> PushingStand {
        let runtime = world.runtime.handle().clone();
        PushingStand { runtime, senders: Mutex::default(), shared: Arc::default(), make, protocol }
    }
}

fn settings(address: SocketAddr) -> IntakeSettings {
    IntakeSettings { addresses: vec![ADDRESS.to_owned()], ..IntakeSettings::new(Protocol::Lmtp, address) }
}

impl Stand for PushingStand {
    fn put(&self, mail: &[u8]) {
        self.shared.held.fetch_add(1, Ordering::SeqCst);
        let sending = Arc::clone(&self.shared).send(mail.to_vec(), self.protocol);
        self.senders.lock().unwrap().spawn_on(sending, &self.runtime);
    }

    fn held(&self) -> usize {
        self.shared.held.load(Ordering::SeqCst)
    }

    fn cut(&self) {
        self.shared.is_cut.send_replace(true);
    }

    fn mend(&self) {
        self.shared.is_cut.send_replace(false);
    }

    fn has_tasks(&self) -> bool {
        true
    }

    fn way(&self) -> Way {
        let port = Port::hold().unwrap();
        let transport = (self.make)(port.address(), &self.runtime);
        self.shared.ports.lock().unwrap().push(port);
        Way::Pushed(transport)
    }
}

impl Shared {
    /// Sends a mail until it is settled.
    async fn send(self: Arc<Self>, mail: Vec<u8>, by: By) {
        let mut cut = self.is_cut.subscribe();
        loop {
            drop(cut.wait_for(|is_cut| !is_cut).await);
            let port = {
                let ports = self.ports.lock().unwrap();
                let turn = self.turns.fetch_add(1, Ordering::Relaxed);
                ports.get(turn % ports.len().max(1)).map(Port::number)
            };
            let is_settled = match port {
                Some(port) => tokio::select! {
                    code = deliver(by, port, &mail) => [200, 202, 250].contains(&code.unwrap_or(0)),
                    _ = cut.wait_for(|is_cut| *is_cut) => false,
                },
                None => false,
            };
            if is_settled {
                self.held.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            tokio::time::sleep(SENDER_PAUSE).await;
        }
    }
}

/// Sends a mail over a connection of its own. Returns the code of the last reply.
async fn deliver(by: By, port: u16, mail: &[u8]) -> std::io::Result<u16> {
    match by {
        By::Lmtp => push(port, mail).await,
        By::Http => post(port, mail).await,
    }
}

async fn post(port: u16, document: &[u8]) -> std::io::Result<u16> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    let head = format!("POST /v1/letters HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", document.len());
    stream.write_all(&[head.as_bytes(), document].concat()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0))
}

async fn push(port: u16, mail: &[u8]) -> std::io::Result<u16> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    let mut code = reply(&mut stream).await?;
    let stuffed = String::from_utf8_lossy(mail).replace("\r\n.", "\r\n..");
    for said in [
        "LHLO sender.example.org\r\n".to_owned(),
        "MAIL FROM:<>\r\n".to_owned(),
        format!("RCPT TO:<{ADDRESS}>\r\n"),
        "DATA\r\n".to_owned(),
        format!("{stuffed}.\r\n"),
    ] {
        if code >= 400 {
            return Ok(code);
        }
        stream.write_all(said.as_bytes()).await?;
        code = reply(&mut stream).await?;
    }
    Ok(code)
}

async fn reply(stream: &mut BufReader<TcpStream>) -> std::io::Result<u16> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.as_bytes().get(3) {
            Some(b'-') => {}
            Some(_) => return Ok(line[..3].parse().unwrap_or(0)),
            None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Breaks the contract: it answers "taken" as soon as it has a mail.
struct Hasty {
    listener: Listener,
    runtime: Handle,
}

#[derive(Clone)]
struct HastyLending(Lender);

impl Recipient for HastyLending {
    type Expected = Expected;

    fn expect(&self) -> Expected {
        self.0.expect()
    }

    async fn take(&self, content: Content) -> Outcome {
        let lender = self.0.clone();
        let pushed =
            PushedMail { mail: content.mail, over_size_bytes: content.over_size_bytes, answer: None, origin: None };
        tokio::spawn(async move { lender.lend(pushed).await });
        Outcome::Taken
    }

    async fn leaving(&self) {
        self.0.draining().await;
    }
}

impl Pushed for Hasty {
    fn facts(&self) -> TransportFacts {
        TransportFacts { answers_by: "mail", noun: "hasty intake", form: Form::Mail }
    }

    fn listen(&self, lender: Lender, _desk: AnswerDesk) -> BoxFuture<'_, TransportFault> {
        async move {
            let listener = self.listener.clone();
            let mut listening = JoinSet::new();
            listening.spawn_on(async move { listener.run(HastyLending(lender), |_| {}).await }, &self.runtime);
            let words = listening.join_next().await.unwrap().unwrap();
            TransportFault { step: "tcp", words }
        }
        .boxed()
    }
}
