//! A flag that is told once and can be waited for by any number of tasks.

use tokio::sync::watch;

/// Told once, for ever.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// The other end.
#[derive(Debug)]
pub struct StopTeller(watch::Sender<bool>);

/// Makes a flag and its teller.
pub fn stop() -> (StopTeller, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopTeller(sender), Stop(receiver))
}

impl StopTeller {
    /// Tells everybody.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Says whether it has been told.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is told. A teller that has gone away has told.
    pub async fn told(&self) {
        let mut receiver = self.0.clone();
        // An error means that the teller is gone, which ends the wait as well.
        drop(receiver.wait_for(|told| *told).await);
    }
}
