//! Letters that are pushed to the engine over many connections at once, by LMTP or HTTPS, instead of being collected from mailboxes.
//!
//! One thread sends them all, since the engine needs the processors and the sender should take little of them. A run fails unless every
//! letter is settled once and every sender is told so.

mod carried;
mod lmtp;
mod outcome;
mod receipts;
mod sending;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use scenarios::sender::stuffed;
use scenarios::servers::{Certificate, Port};
use sdc::document::{Document, DocumentLimits};
use sdc::letter::Matricule;
use serde::Serialize;
use tempfile::TempDir;

use crate::burst;
use crate::centre::{Centre, Hardship, LONGEST};
use crate::examination::Examination;
use crate::figures::{Figures, Report, percentile};
use crate::mix::Mix;
use crate::options::Options;
use crate::reading::load_average;
use crate::stock::{Stock, container_of};
use crate::yardstick::Yardstick;

use carried::Carried;
pub use outcome::Push;
use sending::{Sent, To};

/// The protocol by which letters are pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// LMTP, as a mail server hands mail on. Answers go out by mail.
    Lmtp,
    /// HTTPS, as the program of an office posts letters. The reply to a letter is its receipt.
    Https,
}

impl By {
    /// Returns the number of connections for which the project has bounds.
    fn connections(self) -> usize {
        match self {
            By::Lmtp => 400,
            By::Https => 64,
        }
    }

    /// Returns the code of the reply that tells a sender that its letter is settled.
    fn settled(self) -> u16 {
        match self {
            By::Lmtp => 250,
            By::Https => 200,
        }
    }
}

/// What is asked of the command.
#[derive(Args)]
pub struct Asked {
    /// Letters, each of an agency of its own
    #[arg(long, default_value_t = Size::LETTERS)]
    letters: usize,
    /// How they are pushed
    #[arg(long, value_enum)]
    by: By,
    /// Connections, each with one letter at a time [default: 400 by LMTP, 64 by HTTPS]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=5000))]
    connections: Option<u16>,
    /// A burst before and one after, to which the speed is compared
    #[arg(long)]
    beside_burst: bool,
    /// Three nats-servers carry the letters; before it a run without them, to which the speed is compared
    #[arg(long, conflicts_with = "beside_burst")]
    carrier: bool,
    /// Posts the documents without the hint before them that names the agency; by LMTP the subject of the mail has it
    #[arg(long)]
    without_hint: bool,
    /// What every command is told
    #[command(flatten)]
    options: Options,
}

/// The number of letters, and how they are pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Number of letters.
    pub letters: usize,
    /// Protocol by which they are pushed.
    pub by: By,
    /// Number of connections.
    pub connections: usize,
    /// Whether documents have a hint that names their agency.
    pub with_hint: bool,
}

impl Size {
    /// The smallest number of letters at which the bounds are checked.
    const LETTERS: usize = 20_000;

    /// Says whether the run is one for which the project has bounds.
    fn is_full(self) -> bool {
        self.letters >= Size::LETTERS && self.connections == self.by.connections() && self.with_hint
    }
}

impl Asked {
    /// Runs the command. Returns a description of each problem.
    ///
    /// # Errors
    /// A program does not start or ends early; letters are not settled in time; a file cannot be written.
    pub async fn run(self) -> Result<Vec<String>> {
        let connections = self.connections.map_or(self.by.connections(), usize::from);
        let with_hint = !(self.without_hint && self.by == By::Https);
        let size = Size { letters: self.letters, by: self.by, connections, with_hint };
        let stock = self.options.stock(self.letters, Mix::default()).await?;
        let outcome = match self.carrier {
            true => run_carried(&stock, size).await?,
            false => run(&stock, size, self.beside_burst).await?,
        };
        self.options.tell(&outcome)?;
        Ok(outcome.problems())
    }
}

/// Pushes the letters of the stock; with `beside_burst` between two bursts of the same letters.
///
/// # Errors
/// See [`burst::run`] and [`Centre::wait`].
pub async fn run(stock: &Stock, size: Size, beside_burst: bool) -> Result<Push> {
    let load_average = load_average()?;
    let burst = async || burst::run(stock, Hardship::default(), false).await;
    let mut bursts = Vec::new();
    if beside_burst {
        bursts.push(burst().await?);
    }
    let mut outcome = push(stock, size, None).await?;
    if beside_burst {
        bursts.push(burst().await?);
    }
    outcome.compare(bursts, load_average);
    Ok(outcome)
}

/// Pushes the letters of the stock without a carrier, and then with one.
///
/// # Errors
/// See [`run`]; the nats-servers do not start.
async fn run_carried(stock: &Stock, size: Size) -> Result<Push> {
    let load_average = load_average()?;
    let without = push(stock, size, None).await?;
    let carried = Carried::start()?;
    let mut outcome = push(stock, size, Some(&carried)).await?;
    outcome.compare_with_uncarried(without.push, load_average);
    Ok(outcome)
}

async fn push(stock: &Stock, size: Size, carried: Option<&Carried>) -> Result<Push> {
    let letters = prepared(stock, size)?;
    let mut listening = Listening::prepare(size)?;
    listening.configuration.extend(carried.map(Carried::configured));
    let mut centre = Centre::start_for_pushing(stock, &listening.configuration).await?;
    let start_seconds = centre.wait_ready()?;
    let accepts = format!("/accept/{}", if size.by == By::Lmtp { "smtp" } else { "http" });
    centre.wait("it accepts letters", LONGEST, |engine| engine.get(&accepts).starts_with("HTTP/1.1 200"))?;
    if let Some(carried) = carried {
        carried.prepare(&mut centre)?;
    }
    let yardstick = Yardstick::lay()?;
    let processes = centre.processes()?;
    let (to, connections) = (listening.to.clone(), size.connections);
    let sender = std::thread::spawn(move || sending::send(letters, &to, connections, || processes.used()));
    centre.wait("every letter has its reply", LONGEST, |_| sender.is_finished())?;
    let Ok(sent) = sender.join() else { bail!("the thread that sends letters panicked") };
    let sent = sent?;
    let seconds = (sent.ended - sent.begun).as_secs_f64();
    let yardstick_us = Some(yardstick.read()?);
    if let Some(carried) = carried {
        carried.require_all(&centre, size.letters)?;
    }
    let mut figures = Figures {
        letters: stock.expected.mails,
        seconds,
        letters_per_second: sent.replies.values().sum::<u64>() as f64 / seconds,
        start_seconds,
        yardstick_us,
        p50_ms: milliseconds(&sent, 50),
        p99_ms: milliseconds(&sent, 99),
        ..Figures::default()
    };
    centre.count_processor_time(&mut figures)?;
    let mut outcome = Push::new(size, &sent);
    if outcome.is_every_letter_settled() {
        centre.finish(stock.expected.answered, sent.ended, sent.begun, &mut figures)?;
    } else {
        // A letter that is not settled gets no answer, so the run would wait for it until the time is up. The engine is stopped at once,
        // and the run is reported as wrong.
        eprintln!("not every letter was settled: {:?}\n{}", sent.replies, centre.engine.log_tail());
        centre.engine.stop()?;
    }
    let examination = Examination::begin(&centre, stock).await?;
    examination.count(&mut figures).await?;
    figures.hold_against(examination.limit().await?);
    examination.end().await?;
    if size.by == By::Https {
        (outcome.receipts_read, outcome.receipts_opened) = receipts::check(stock, &sent.answers)?;
    }
    outcome.push = figures;
    Ok(outcome)
}

fn milliseconds(sent: &Sent, hundredths: usize) -> f64 {
    percentile(&sent.waits, hundredths).unwrap_or_default().as_secs_f64() * 1e3
}

/// Returns the octets that are sent for each letter.
fn prepared(stock: &Stock, size: Size) -> Result<Vec<Vec<u8>>> {
    let mut letters = Vec::with_capacity(stock.letters());
    stock.for_each_mail(usize::MAX, |at, mail| {
        letters.push(match size.by {
            By::Lmtp => stuffed(mail),
            By::Https if size.with_hint => document_of(mail, Some(Matricule::try_from(u32::try_from(at + 1)?)?))?,
            By::Https => document_of(mail, None)?,
        });
        Ok(())
    })?;
    Ok(letters)
}

/// Takes the document out of a mail, and puts a hint before it where one is given.
fn document_of(mail: &[u8], hint: Option<Matricule>) -> Result<Vec<u8>> {
    let document = Document::parse(&container_of(mail)?, &DocumentLimits::default())?;
    Ok(Document::render(document.der(), hint))
}

/// A port for the engine to listen at, with the engine's configuration for it and the address for the senders.
struct Listening {
    configuration: String,
    to: To,
    _port: Port,
    _certificate: TempDir,
}

impl Listening {
    fn prepare(size: Size) -> Result<Listening> {
        let (port, folder) = (Port::hold()?, TempDir::new()?);
        let (listen, connections) = (port.address(), size.connections);
        let (configuration, to) = match size.by {
            By::Lmtp => {
                let configuration = format!(
                    "[[intake]]\nname = \"lmtp\"\n[intake.smtp]\nlisten = \"{listen}\"\nsecurity = \"none\"\n\
                     connections_max = {connections}\n"
                );
                (configuration, To::Lmtp(listen))
            }
            By::Https => {
                let certificate = Certificate::make(folder.path())?;
                // The engine limits the requests of each IP address. Here all letters come from one address, unlike in production, so the
                // limit is raised.
                let configuration = format!(
                    "[https]\nlisten = \"{listen}\"\ncertificate_file = {:?}\nkey_file = {:?}\n\
                     connections_max = {connections}\nrequests_per_minute_max = 1000000\n",
                    certificate.certificate_path, certificate.key_path
                );
                (configuration, To::Https(listen, certificate.certificate_path))
            }
        };
        Ok(Listening { configuration, to, _port: port, _certificate: folder })
    }
}
