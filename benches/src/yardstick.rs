//! Measures how fast the processors are during a run: a thread times the same small piece of work at intervals.
//!
//! The processors of a machine that others use too change their speed from minute to minute. Where the same piece of work took longer in
//! one run than in another, the figures of the two can be corrected for it and compared.

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

/// Pause between two readings. With this pause, the readings take about six thousandths of one processor's time.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a reading does the work. Before that the thread does it once without timing, to bring it into the processor's caches: the
/// first time would be slower than the rest.
const TIMES: u32 = 2;
/// Octets to encrypt, about as many as the letter of a polling station has.
const LETTER: [u8; 1400] = [b'x'; 1400];

/// A thread that at intervals agrees on a key and encrypts, which is most of the work of opening a letter. It calls OpenSSL and no code of
/// the engine, so a change of the engine does not change the yardstick.
#[derive(Debug)]
pub struct Yardstick {
    /// Dropping this sender ends the thread.
    wanted: Sender<()>,
    thread: JoinHandle<Result<f64>>,
}

impl Yardstick {
    /// Starts the thread that takes readings.
    ///
    /// # Errors
    /// OpenSSL fails.
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
    /// OpenSSL fails.
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
