//! The carrier of a run: three nats-servers beside the engine, which puts each letter there and takes it out again. One engine does both,
//! so the run shows what the carrier costs, and not what further machines would gain.

use anyhow::{Result, bail};
use scenarios::servers::{NATS_PASSWORD, Nats, nats_server};
use tempfile::TempDir;

use crate::centre::{Centre, LONGEST};

/// The nats-servers of one run.
pub(super) struct Carried {
    nats: Nats,
    folder: TempDir,
}

impl Carried {
    /// Starts the servers.
    ///
    /// # Errors
    /// `make setup` could not install them, or one does not start.
    pub(super) fn start() -> Result<Carried> {
        let Some(program) = nats_server() else { bail!("there is no nats-server: `make setup` installs it") };
        let folder = TempDir::new()?;
        std::fs::write(folder.path().join("password"), NATS_PASSWORD)?;
        Ok(Carried { nats: Nats::start(program, true)?, folder })
    }

    /// Returns the section of the engine's configuration.
    pub(super) fn configured(&self) -> String {
        self.nats.configured("work", &self.folder.path().join("password"))
    }

    /// Makes the stream, and waits until the engine takes letters from it.
    ///
    /// # Errors
    /// The servers refuse; the engine ends.
    pub(super) fn prepare(&self, centre: &mut Centre) -> Result<()> {
        centre.engine.operate(&["carrier", "init"])?;
        centre.wait("it takes from the carrier", LONGEST, |engine| {
            engine.get("/metrics").lines().any(|line| line == "xm_mailbox_up{mailbox=\"carrier\"} 1")
        })
    }

    /// Fails unless every letter went by the carrier: the engine settles itself what the carrier does not take.
    ///
    /// # Errors
    /// Fewer letters were put.
    pub(super) fn require_all(&self, centre: &Centre, letters: usize) -> Result<()> {
        let put = centre.engine.metric("xm_carrier_put_seconds_count");
        if put < letters as f64 {
            bail!("{put} letters went by the carrier, and {letters} were pushed");
        }
        Ok(())
    }
}
