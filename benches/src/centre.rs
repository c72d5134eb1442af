//! The programs of one run: a Dovecot with the letters in its mailboxes, an SMTP server that discards the receipts, and the engine as a
//! process.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use scenarios::engine::{Engine, Posts};
use scenarios::servers::{Account, Dovecot, Port};
use simulation::process::{Process, rss_mb_max};
use tokio_postgres::Client;

use crate::database;
use crate::figures::Figures;
use crate::lag;
use crate::processes::cpu_seconds;
use crate::stock::{CENTRE_ADDRESS, Stock};
use crate::strangers;

/// Number of mailboxes, among which the letters are spread evenly.
pub const MAILBOXES: usize = 8;
/// The password of each mailbox.
pub const PASSWORD: &str = "mailbox";
const BIG_MAIL_BYTES: usize = 5_000_000;
/// The longest time that a run waits for one condition, such as that every letter is settled.
pub const LONGEST: Duration = Duration::from_secs(1800);
/// Pause between two queries of the engine's metrics.
pub const LOOK: Duration = Duration::from_millis(250);

/// Conditions that make a burst harder than letters alone. The default is none of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hardship {
    /// Round-trip time of a simulated line to the mail server; with `None` the engine connects to it directly.
    pub round_trip: Option<Duration>,
    /// Number of mails of five megabytes each, which lie in the mailboxes before the letters.
    pub big_mails: usize,
    /// Number of hostile mails of each kind of [`strangers::kinds`], which lie in the mailboxes before the letters.
    pub hostile_mails: usize,
    /// Whether the letters of readers lie in the mailboxes before all other letters, so that imports are under way when those are fetched.
    pub with_readers: bool,
}

impl Hardship {
    /// Counts the mails from unknown senders (large and hostile ones) that lie in the mailboxes before the letters.
    pub fn mails(&self) -> u64 {
        (self.big_mails + self.hostile_mails * strangers::kinds().len()) as u64
    }
}

/// The running programs of one run. When this value is dropped, they are stopped.
pub struct Centre {
    /// The engine.
    pub engine: Engine,
    /// The time at which the engine was started.
    pub started: Instant,
    /// The port of the relay.
    _smtp: Port,
    _sink: Process,
    /// The Dovecot with the mailboxes from which the engine collects.
    pub dovecot: Dovecot,
    /// Processor seconds that Dovecot had used before the engine was started. They are subtracted from its figure, which counts from that
    /// start.
    dovecot_before: f64,
}

/// The process ids of an engine and of its PostgreSQL.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    engine: u32,
    postgres: u32,
}

/// Processor seconds that an engine and its PostgreSQL have used since the engine was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Processor seconds of the engine without its PostgreSQL.
    pub engine: f64,
    /// Processor seconds of PostgreSQL.
    pub postgres: f64,
}

impl Processes {
    /// Returns the processor time used so far.
    ///
    /// # Errors
    /// A process has ended.
    pub fn used(self) -> Result<Used> {
        let postgres = cpu_seconds(self.postgres)?;
        // PostgreSQL is a child process of the engine, so its time is also in the engine's and is taken off.
        Ok(Used { engine: cpu_seconds(self.engine)? - postgres, postgres })
    }
}

/// Returns the address of the mailbox with this number.
pub fn address(mailbox: usize) -> String {
    format!("box{mailbox}@example.org")
}

/// Starts a Dovecot with empty mailboxes.
///
/// # Errors
/// Dovecot does not start.
pub fn empty_dovecot() -> Result<Dovecot> {
    let accounts: Vec<Account> = (0..MAILBOXES).map(|mailbox| Account::new(address(mailbox), PASSWORD)).collect();
    Dovecot::start(&accounts)
}

/// Starts a Dovecot whose mailboxes hold the first `letters` letters of the stock, or all where the stock has fewer.
///
/// # Errors
/// Dovecot does not start, or the disk is full.
pub fn filled_dovecot(stock: &Stock, letters: usize) -> Result<Dovecot> {
    let dovecot = empty_dovecot()?;
    stock.for_each_mail(letters, |at, mail| dovecot.deliver(&address(at % MAILBOXES), mail))?;
    Ok(dovecot)
}

/// Starts a Dovecot whose mailboxes hold every letter of the stock. Before the letters lie the mails of `hardship`, then the letters of the
/// stock's hostile agencies.
///
/// # Errors
/// Dovecot does not start, or the disk is full.
pub fn dovecot_in_hardship(stock: &Stock, hardship: Hardship) -> Result<Dovecot> {
    let dovecot = empty_dovecot()?;
    deliver_big_mails(&dovecot, hardship.big_mails)?;
    for number in 0..hardship.hostile_mails {
        for (at, (_, mail)) in strangers::kinds().iter().enumerate() {
            dovecot.deliver(&address((number + at) % MAILBOXES), &strangers::numbered(mail, number))?;
        }
    }
    if hardship.with_readers {
        deliver_reader_letters(stock, &dovecot)?;
    }
    deliver_hostile_letters(stock, &dovecot)?;
    stock.for_each_mail(usize::MAX, |at, mail| dovecot.deliver(&address(at % MAILBOXES), mail))?;
    Ok(dovecot)
}

/// Delivers the letters of the stock's hostile agencies into the mailboxes.
///
/// # Errors
/// The disk is full; the stock is damaged.
pub fn deliver_hostile_letters(stock: &Stock, dovecot: &Dovecot) -> Result<()> {
    stock.for_each_hostile_mail(|at, mail| dovecot.deliver(&address(at % MAILBOXES), mail))
}

/// Delivers the letters of the agencies that ask for records into the mailboxes.
///
/// # Errors
/// The disk is full; the stock is damaged.
pub fn deliver_reader_letters(stock: &Stock, dovecot: &Dovecot) -> Result<()> {
    stock.for_each_reader_mail(|at, mail| dovecot.deliver(&address(at % MAILBOXES), mail))
}

/// Delivers mails of five megabytes each from unknown senders into the mailboxes. By turns they hold plain text, and a block that claims to
/// be a letter of an agency.
///
/// # Errors
/// The disk is full.
fn deliver_big_mails(dovecot: &Dovecot, mails: usize) -> Result<()> {
    let line = format!("{}\r\n", "A".repeat(76));
    let body = line.repeat(BIG_MAIL_BYTES / line.len());
    let head = "From: station-1@stations.example\r\nTo: centre@example.org\r\nSubject: SDC 1 agency=000001\r\n";
    let words = format!("{head}\r\n{body}");
    let block = format!("{head}\r\n-----BEGIN CMS-----\r\n{body}-----END CMS-----\r\n");
    for mailbox in 0..MAILBOXES {
        let share = (mails + MAILBOXES - 1 - mailbox) / MAILBOXES;
        for (mail, copies) in [(&words, share.div_ceil(2)), (&block, share / 2)] {
            if copies > 0 {
                dovecot.deliver_copies(&address(mailbox), mail.as_bytes(), copies)?;
            }
        }
    }
    Ok(())
}

impl Centre {
    /// Starts the engine on a copy of the stock's centre. The engine begins to collect mail at once.
    ///
    /// # Errors
    /// A program does not start.
    pub async fn start(stock: &Stock, dovecot: Dovecot, hardship: Hardship) -> Result<Centre> {
        let mailboxes: Vec<String> = (0..MAILBOXES).map(address).collect();
        Centre::start_with(stock, dovecot, hardship, (&mailboxes, "")).await
    }

    /// Starts the engine as [`Centre::start`] does, but without mailboxes. Letters are pushed to it at the addresses that `further`
    /// configures.
    ///
    /// # Errors
    /// A program does not start.
    pub async fn start_for_pushing(stock: &Stock, further: &str) -> Result<Centre> {
        Centre::start_with(stock, empty_dovecot()?, Hardship::default(), (&[], further)).await
    }

    async fn start_with(
        stock: &Stock,
        dovecot: Dovecot,
        hardship: Hardship,
        (mailboxes, further): (&[String], &str),
    ) -> Result<Centre> {
        let smtp = Port::hold()?;
        let posts = Posts {
            dovecot: &dovecot,
            mailboxes,
            password: PASSWORD,
            relay: smtp.address(),
            address: CENTRE_ADDRESS,
            further,
        };
        let mut engine = Engine::configured(&posts)?;
        if let Some(round_trip) = hardship.round_trip {
            let (near, file) = (dovecot.pop3_address(), engine.data().join("xmserver.toml"));
            let far = lag::start(near, round_trip).await?;
            let configuration = std::fs::read_to_string(&file)?;
            std::fs::write(&file, configuration.replace(&near.port().to_string(), &far.port().to_string()))?;
        }
        stock.copy_centre(&engine.data())?;
        if let Some(readers) = stock.readers() {
            readers.filled.fill(&engine.data()).await?;
        }
        let mut command = Command::new("/usr/sbin/smtp-sink");
        command.args(["-u", "nobody", &smtp.address().to_string(), "256"]).stdout(Stdio::null()).stderr(Stdio::null());
        let sink = Process::start(&mut command).context("smtp-sink, of the package postfix")?;
        let dovecot_before = cpu_seconds(dovecot.process_id()?)?;
        let started = Instant::now();
        engine.start()?;
        Ok(Centre { engine, started, _smtp: smtp, _sink: sink, dovecot, dovecot_before })
    }

    /// Waits until the engine is ready. Returns the seconds since it was started.
    ///
    /// # Errors
    /// See [`Centre::wait`].
    pub fn wait_ready(&mut self) -> Result<f64> {
        self.wait("the engine is ready", LONGEST, |engine| engine.metric("xm_database_up") > 0.0)?;
        Ok(self.started.elapsed().as_secs_f64())
    }

    /// Waits until every receipt is sent and every mail settled, and stops the engine. `receipts_seconds` counts from `last`, when the last
    /// letter was settled or delivered; `all_seconds` counts from `begun`.
    ///
    /// # Errors
    /// See [`Centre::wait`].
    pub fn finish(&mut self, answers: u64, last: Instant, begun: Instant, figures: &mut Figures) -> Result<()> {
        let mails = (figures.letters + figures.strangers + figures.hostile) as f64;
        self.wait("every receipt is sent", LONGEST, |engine| engine.metric("xm_answers_total") >= answers as f64)?;
        figures.receipts_seconds = last.elapsed().as_secs_f64();
        self.wait("every mail is settled", LONGEST, |engine| engine.metric("xm_letters_total") >= mails)?;
        figures.all_seconds = begun.elapsed().as_secs_f64();
        figures.rss_mb_max = rss_mb_max(self.engine.process_id()?).context("the engine is gone")?;
        self.engine.stop()
    }

    /// Fills in the processor time that the engine, its PostgreSQL and Dovecot have each used since the engine was started.
    ///
    /// # Errors
    /// A program has ended.
    pub fn count_processor_time(&self, figures: &mut Figures) -> Result<()> {
        let used = self.processes()?.used()?;
        (figures.cpu_seconds_engine, figures.cpu_seconds_postgres) = (used.engine, used.postgres);
        figures.cpu_seconds_dovecot = cpu_seconds(self.dovecot.process_id()?)? - self.dovecot_before;
        Ok(())
    }

    /// Returns the processes whose processor time is counted, for threads that have no other part of the centre.
    ///
    /// # Errors
    /// The engine does not run.
    pub fn processes(&self) -> Result<Processes> {
        Ok(Processes { engine: self.engine.process_id()?, postgres: self.postgres_id()? })
    }

    /// Opens a connection to the engine's PostgreSQL, so that a run can query it while the engine uses it.
    ///
    /// # Errors
    /// PostgreSQL does not run.
    pub async fn client(&self) -> Result<Client> {
        database::connect(&self.engine.data()).await
    }

    /// Returns the processor time that the engine and its PostgreSQL have used since the engine was started.
    ///
    /// # Errors
    /// A program has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.engine.process_id()?)
    }

    /// Waits until the query returns `number` or more.
    ///
    /// # Errors
    /// Those of [`Centre::wait`], and errors of PostgreSQL.
    pub async fn wait_for(&mut self, what: &str, client: &Client, query: &str, number: i64) -> Result<()> {
        let begun = Instant::now();
        while client.query_one(query, &[]).await?.get::<_, i64>(0) < number {
            self.engine.check()?;
            if begun.elapsed() > LONGEST {
                bail!("in {} s it did not happen that {what}\n{}", LONGEST.as_secs(), self.engine.log_tail());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Returns the process id of the engine's PostgreSQL.
    fn postgres_id(&self) -> Result<u32> {
        let file = self.engine.data().join("database/data/postmaster.pid");
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(text.lines().next().unwrap_or_default().trim().parse()?)
    }

    /// Waits until the condition holds. Fails where the engine ends or `longest` passes before.
    ///
    /// # Errors
    /// The engine ends, or the time passes; the error has the end of the engine's log.
    pub fn wait(&mut self, what: &str, longest: Duration, mut condition: impl FnMut(&Engine) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !condition(&self.engine) {
            self.engine.check()?;
            if begun.elapsed() > longest {
                bail!("in {} s it did not happen that {what}\n{}", longest.as_secs(), self.engine.log_tail());
            }
            pause();
        }
        Ok(())
    }
}

#[allow(clippy::disallowed_methods, reason = "a tool that looks at another process now and then")]
fn pause() {
    std::thread::sleep(LOOK);
}
