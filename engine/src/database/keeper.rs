//! Keeps the private PostgreSQL of a running centre: starts it again whenever it ends, whoever ended it.
//!
//! Nothing is lost meanwhile: what is not committed is in its mailbox still. Each change of its state is told once.

use std::time::{Duration, Instant};

use cluster::Cluster;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::OpenDatabase;

/// First and longest pause before it is started again.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Having run for so long, it is started again without a pause.
const SOUND: Duration = Duration::from_secs(60);

/// The task that keeps it; nothing where the database is a configured one.
pub struct Keeper(Option<(oneshot::Sender<()>, JoinHandle<()>)>);

impl OpenDatabase {
    /// Keeps the private PostgreSQL, where there is one, from now on.
    pub fn keep(self, runtime: &Handle) -> Keeper {
        Keeper(self.cluster.map(|cluster| {
            let (stop, stopped) = oneshot::channel();
            (stop, runtime.spawn(keep(cluster, stopped)))
        }))
    }
}

impl Keeper {
    /// Stops it, and waits for its end.
    pub async fn close(self) {
        if let Some((stop, task)) = self.0
            && stop.send(()).is_ok()
            && task.await.is_err()
        {
            tracing::warn!("the task that keeps the private PostgreSQL ended early");
        }
    }
}

async fn keep(mut cluster: Cluster, mut stopped: oneshot::Receiver<()>) {
    let mut pause = Duration::ZERO;
    loop {
        let since = Instant::now();
        tokio::select! {
            _ = &mut stopped => break,
            status = cluster.ended() => {
                let status = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
                tracing::error!(status, log = %cluster.log_path().display(), "the private PostgreSQL ended: it is started again");
            }
        }
        if since.elapsed() > SOUND {
            pause = Duration::ZERO;
        }
        tokio::select! {
            _ = &mut stopped => break,
            () = start_again(&mut cluster, &mut pause) => tracing::info!("the private PostgreSQL runs again"),
        }
    }
    cluster.stop().await;
}

/// Starts it, as often as that takes. The pause goes on growing over ends that follow each other closely.
async fn start_again(cluster: &mut Cluster, pause: &mut Duration) {
    let mut told = String::new();
    loop {
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).clamp(PAUSE, PAUSE_MAX);
        let Err(error) = cluster.restart().await else { return };
        let reason = error.to_string();
        if reason != told {
            tracing::error!(reason, "the private PostgreSQL does not start: it is tried again until it does");
            told = reason;
        }
    }
}
