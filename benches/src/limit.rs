//! Measures what this machine could do at best: the processor time that each step of the work takes by itself, without queues between the
//! steps. The limit is measured right after the run that is compared with it, since the machine's speed changes.
//!
//! The steps run at the same time, and letters are opened again and again until the other steps have ended. So all processors are busy, as
//! in a burst: a processor whose neighbour is idle would be faster than it can be in a burst. The limit has no time for receipts, since the
//! run that is compared with it has none either.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster::Cluster;
use mail::pop3::{Mailbox, Outcome};
use mail::settings::{MailboxSettings, Secret, Security};
use scenarios::servers::Dovecot;
use sdc::cms;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::{CentreKeys, RegisteredCertificate};
use tokio_postgres::Client;

use crate::centre::{self, MAILBOXES};
use crate::figures::Limit;
use crate::processes::{cpu_seconds, thread_time};
use crate::stock::{Stock, container_of};
use crate::yardstick::Yardstick;

/// The number of letters with which each step is measured; all letters of the stock where it has fewer.
const SAMPLE: usize = 30_000;
/// The number of letters in a full batch: as many as the engine settles in one transaction by default.
const BATCH: usize = 300;
/// The number of mails that the client requests before it waits for the first of them.
const WINDOW: usize = 256;

const PREPARE: &str = include_str!("../reference/prepare.sql");
const SETTLE: &str = include_str!("../reference/settle.sql");

/// Measures every step. The cluster must hold the database of a run in which the same stock was settled.
///
/// # Errors
/// A program does not start, a letter cannot be opened.
pub async fn measure(stock: &Stock, cluster: &Cluster, client: &Client) -> Result<Limit> {
    let settings = format!("SET reference.letters = {SAMPLE}; SET reference.letters_per_batch = {BATCH}");
    client.batch_execute(&settings).await?;
    client.batch_execute(PREPARE).await?;
    // After the preparation, PostgreSQL has no statistics of the tables, and changed pages that it must still write to disk. It would do
    // that work while it settles, and the time would count. So ANALYZE and CHECKPOINT have it done first.
    client.batch_execute("ANALYZE").await?;
    client.batch_execute("CHECKPOINT").await?;
    let dovecot = centre::filled_dovecot(stock, SAMPLE)?;
    let sealed = Sealed::read(stock, client).await?;
    let yardstick = Yardstick::lay()?;
    let others_ended = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&others_ended);
    let opening = tokio::task::spawn_blocking(move || sealed.open_until(&ended));
    // An error of the other steps is returned only after the flag is set. Otherwise the task that opens letters would wait for the flag for
    // ever.
    let others = async { anyhow::Ok((settling(cluster, client).await?, fetching(stock, &dovecot).await?)) }.await;
    others_ended.store(true, Ordering::Relaxed);
    let (mime_us, crypto_us) = opening.await??;
    let (postgres_us, dovecot_us) = others?;
    let yardstick_us = yardstick.read()?;
    let all = dovecot_us + mime_us + crypto_us + postgres_us;
    let processors = std::thread::available_parallelism()?.get() as f64;
    let letters_per_second = processors * 1e6 / all;
    Ok(Limit { dovecot_us, mime_us, crypto_us, postgres_us, yardstick_us, letters_per_second })
}

/// Lets PostgreSQL settle the sample without the engine. Returns the microseconds for one letter.
async fn settling(cluster: &Cluster, client: &Client) -> Result<f64> {
    let postgres = u32::try_from(cluster.pid().context("PostgreSQL has ended")?)?;
    let letters: i64 = client.query_one("SELECT count(*) FROM reference.batches", &[]).await?.get(0);
    ensure!(letters > 0, "no letter was accepted: there is nothing to measure the limit with");
    let before = cpu_seconds(postgres)?;
    client.batch_execute(SETTLE).await?;
    let taken = cpu_seconds(postgres)? - before;
    let settled: i64 = client.query_one("SELECT count(*) FROM reference.letters", &[]).await?.get(0);
    ensure!(settled == letters, "the reference script settled {settled} of {letters} letters");
    Ok(taken * 1e6 / letters as f64)
}

/// The mails of the sample, with the keys that decrypt their letters and the certificates that verify them.
struct Sealed {
    mails: Vec<Vec<u8>>,
    keys: Arc<CentreKeys>,
    certificates: Vec<(i32, Vec<u8>)>,
}

impl Sealed {
    async fn read(stock: &Stock, client: &Client) -> Result<Sealed> {
        let mut mails = Vec::new();
        stock.for_each_mail(SAMPLE, |_, mail| {
            mails.push(mail.to_vec());
            Ok(())
        })?;
        let count = i64::try_from(mails.len())?;
        let text = "SELECT agency, der FROM xm.certificates ORDER BY agency LIMIT $1";
        let rows = client.query(text, &[&count]).await?;
        ensure!(rows.len() == mails.len(), "{} certificates for {} letters", rows.len(), mails.len());
        let certificates = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        Ok(Sealed { mails, keys: stock.keys()?, certificates })
    }

    /// Opens all letters on this one thread, again and again until the other steps have ended. Returns two times in microseconds for one
    /// letter: for taking it out of its mail, and for decrypting and verifying it.
    fn open_until(&self, others_ended: &AtomicBool) -> Result<(f64, f64)> {
        let (mut mime, mut crypto, mut opened) = (Duration::ZERO, Duration::ZERO, 0);
        while opened < self.mails.len() || !others_ended.load(Ordering::Relaxed) {
            let (taking_out, opening) = self.open(opened % self.mails.len())?;
            mime += taking_out;
            crypto += opening;
            opened += 1;
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / opened as f64;
        Ok((each(mime), each(crypto)))
    }

    fn open(&self, at: usize) -> Result<(Duration, Duration)> {
        let (mail, (agency, der)) = (&self.mails[at], &self.certificates[at]);
        ensure!(usize::try_from(*agency)? == at + 1, "the stock's agencies are not in the order of its letters");
        let begun = thread_time()?;
        let container = container_of(mail)?;
        let document = Document::parse(&container, &DocumentLimits::default())
            .map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let taken_out = thread_time()?;
        let certificate = RegisteredCertificate::registered(der)?;
        let verified = cms::open(&document, &self.keys).and_then(|opened| opened.verify(&certificate));
        let verified = verified.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        let ended = thread_time()?;
        ensure!(!verified.octets().is_empty(), "an empty letter");
        Ok((taken_out - begun, ended - taken_out))
    }
}

/// Fetches and deletes the sample's mails over POP3 and does nothing with them. Returns Dovecot's microseconds for one letter.
async fn fetching(stock: &Stock, dovecot: &Dovecot) -> Result<f64> {
    let server = dovecot.process_id()?;
    let before = cpu_seconds(server)?;
    let mut fetched = 0;
    for mailbox in 0..MAILBOXES {
        let mut settings = MailboxSettings::new("127.0.0.1", centre::address(mailbox));
        settings.port = Some(dovecot.pop3_address().port());
        settings.security = Security::None;
        settings.password = Some(Secret::new(centre::PASSWORD));
        let mut session = Mailbox::new(settings)?.open().await?;
        let listing = session.listing().await?.mails;
        for window in listing.chunks(WINDOW) {
            let mut retrieval = session.retrieve(window, u64::MAX).await?;
            while let Some(retrieved) = retrieval.next().await? {
                fetched += usize::from(matches!(retrieved.outcome, Outcome::Mail(_)));
            }
            let numbers: Vec<u32> = window.iter().map(|listed| listed.number).collect();
            session.delete(&numbers).await?;
        }
        session.quit().await?;
    }
    let taken = cpu_seconds(server)? - before;
    ensure!(fetched == SAMPLE.min(stock.letters()), "{fetched} mails were fetched");
    Ok(taken * 1e6 / fetched as f64)
}
