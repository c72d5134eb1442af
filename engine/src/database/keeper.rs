//! Keeps the private PostgreSQL of a running centre alive: starts it again whenever it ends.
//!
//! No letter is lost meanwhile, because a letter that is not committed is still in its mailbox. Each change of the PostgreSQL's state is
//! logged once.

use std::time::{Duration, Instant};

use cluster::Cluster;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::OpenDatabase;

/// First pause before PostgreSQL is started again; each later pause is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause before PostgreSQL is started again.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Least time that PostgreSQL must have run to be started again without a pause. One that has ended sooner is likely to end soon again.
const SOUND: Duration = Duration::from_secs(60);

/// The task that keeps PostgreSQL running; `None` where a database is configured.
pub struct Keeper(Option<(oneshot::Sender<()>, JoinHandle<()>)>);

impl OpenDatabase {
    /// Starts the task that keeps the private PostgreSQL running, where this process runs one.
    pub fn keep(self, runtime: &Handle) -> Keeper {
        Keeper(self.cluster.map(|cluster| {
            let (stop, stopped) = oneshot::channel();
            (stop, runtime.spawn(keep(cluster, stopped)))
        }))
    }
}

impl Keeper {
    /// Stops PostgreSQL, and waits until it has ended.
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

/// Tries to start PostgreSQL until it starts. The pause between attempts grows while PostgreSQL ends again soon after each start.
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
