//! A flag that is set once, and that any number of tasks can wait for.

use tokio::sync::watch;

/// The receiving end of the flag, for tasks that wait for it.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// The sending end of the flag. It sets the flag.
#[derive(Debug)]
pub struct StopTeller(watch::Sender<bool>);

/// Makes a flag that is not set, and returns both ends.
pub fn stop() -> (StopTeller, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopTeller(sender), Stop(receiver))
}

impl StopTeller {
    /// Sets the flag. It is never cleared again.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Says whether the flag is set.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the flag is set or its `StopTeller` is dropped.
    pub async fn told(&self) {
        let mut receiver = self.0.clone();
        // An error means that the `StopTeller` was dropped, which also ends the wait.
        drop(receiver.wait_for(|told| *told).await);
    }
}
