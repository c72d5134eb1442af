//! How fast the processors are while something runs: the same small piece of work, timed now and then.
//!
//! Processors of a shared machine change their speed from one minute to the next. What was measured in two of these minutes
//! can be compared once it is known how long the same piece of work took in each.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use sdc::cms;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::CentreKeys;

use crate::processes::thread_time;
use crate::stock::{Stock, container_of};

/// Pause between two readings: of the letters of stations they take six thousandths of one processor.
const PAUSE: Duration = Duration::from_millis(50);
/// Times that the work is done for a reading, after a first time that brings it into the caches and does not count.
const TIMES: u32 = 2;

/// A thread that opens the first letter of a stock now and then.
#[derive(Debug)]
pub struct Yardstick {
    /// Dropped, the thread ends.
    wanted: Sender<()>,
    thread: JoinHandle<Result<f64>>,
}

impl Yardstick {
    /// Begins to take readings.
    ///
    /// # Errors
    /// The stock is damaged: remove its folder.
    pub fn lay(stock: &Stock) -> Result<Yardstick> {
        let keys = stock.keys()?;
        let mut first = Vec::new();
        stock.for_each_mail(1, |_, mail| {
            first.extend_from_slice(mail);
            Ok(())
        })?;
        let (wanted, ended) = channel();
        let thread = std::thread::spawn(move || readings(&first, &keys, &ended));
        Ok(Yardstick { wanted, thread })
    }

    /// Ends, and returns the mean processor time of the work in microseconds.
    ///
    /// # Errors
    /// The letter cannot be opened.
    pub fn read(self) -> Result<f64> {
        drop(self.wanted);
        let Ok(taken) = self.thread.join() else { bail!("the yardstick's thread panicked") };
        taken
    }
}

fn readings(mail: &[u8], keys: &Arc<CentreKeys>, ended: &Receiver<()>) -> Result<f64> {
    let (mut taken, mut times) = (Duration::ZERO, 0);
    loop {
        work(mail, keys)?;
        let begun = thread_time()?;
        for _ in 0..TIMES {
            work(mail, keys)?;
        }
        taken += thread_time()? - begun;
        times += TIMES;
        if ended.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return Ok(taken.as_secs_f64() * 1e6 / f64::from(times));
        }
    }
}

/// Takes a letter out of its mail and decrypts it.
fn work(mail: &[u8], keys: &Arc<CentreKeys>) -> Result<()> {
    let container = container_of(mail)?;
    let document = Document::parse(&container, &DocumentLimits::default()).map_err(|refusal| anyhow!("{refusal:?}"))?;
    cms::open(&document, keys).map_err(|refusal| anyhow!("{refusal:?}"))?;
    Ok(())
}
