//! How fast the processors are while something runs: the same small piece of work, timed now and then.
//!
//! Processors of a shared machine change their speed from one minute to the next. Figures that were measured in two different minutes can
//! be compared once it is known how long the same piece of work took in each.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::symm::{Cipher, encrypt_aead};

use crate::processes::thread_time;

/// Pause between two readings: with it, readings take six thousandths of one processor.
const PAUSE: Duration = Duration::from_millis(50);
/// Times that the work is done for a reading. One more time before these brings it into the caches and does not count.
const TIMES: u32 = 2;
/// About as much as the letter of a polling station.
const LETTER: [u8; 1400] = [b'x'; 1400];

/// A thread that agrees on a key and encrypts with it now and then. That is what opening a letter does, but by nothing other than OpenSSL,
/// so it takes the same time beside every version of the engine.
#[derive(Debug)]
pub struct Yardstick {
    /// Dropping this sender ends the thread.
    wanted: Sender<()>,
    thread: JoinHandle<Result<f64>>,
}

impl Yardstick {
    /// Begins to take readings.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn lay() -> Result<Yardstick> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let keys = [PKey::from_ec_key(EcKey::generate(&group)?)?, PKey::from_ec_key(EcKey::generate(&group)?)?];
        let (wanted, ended) = channel();
        let thread = std::thread::spawn(move || readings(&keys, &ended));
        Ok(Yardstick { wanted, thread })
    }

    /// Ends the thread, and returns the mean processor time of the work in microseconds.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn read(self) -> Result<f64> {
        drop(self.wanted);
        let Ok(taken) = self.thread.join() else { bail!("the yardstick's thread panicked") };
        taken
    }
}

fn readings(keys: &[PKey<Private>; 2], ended: &Receiver<()>) -> Result<f64> {
    let (mut taken, mut times) = (Duration::ZERO, 0);
    loop {
        work(keys)?;
        let begun = thread_time()?;
        for _ in 0..TIMES {
            work(keys)?;
        }
        taken += thread_time()? - begun;
        times += TIMES;
        if ended.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
            return Ok(taken.as_secs_f64() * 1e6 / f64::from(times));
        }
    }
}

fn work([own, peer]: &[PKey<Private>; 2]) -> Result<()> {
    let mut deriver = Deriver::new(own)?;
    deriver.set_peer(peer)?;
    let secret = deriver.derive_to_vec()?;
    encrypt_aead(Cipher::aes_256_gcm(), &secret, Some(&[0; 12]), &[], &LETTER, &mut [0; 16])?;
    Ok(())
}
