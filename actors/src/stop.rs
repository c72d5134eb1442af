//! A flag that is set once, and that any number of tasks can wait for.

use tokio::sync::watch;

/// The flag, as the tasks that wait for it have it.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Sets the flag.
#[derive(Debug)]
pub struct StopTeller(watch::Sender<bool>);

/// Makes a flag and its teller.
pub fn stop() -> (StopTeller, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopTeller(sender), Stop(receiver))
}

impl StopTeller {
    /// Sets the flag, for ever.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Says whether the flag is set.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the flag is set, or its teller is dropped.
    pub async fn told(&self) {
        let mut receiver = self.0.clone();
        // An error means that the teller is dropped, which ends the wait as well.
        drop(receiver.wait_for(|told| *told).await);
    }
}
