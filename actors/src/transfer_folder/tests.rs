//! A disk that hangs is told of, and holds up nothing but its own threads.

use std::sync::mpsc::channel;

use super::*;

fn folder(patience: Duration, at_once_max: usize) -> TransferFolder {
    TransferFolder(Arc::new(Parts {
        path: "/srv/transfer".into(),
        runtime: Handle::current(),
        at_once: Arc::new(Semaphore::new(at_once_max)),
        patience,
        quiet: Duration::ZERO,
    }))
}

#[tokio::test]
async fn a_disk_that_hangs_is_left_behind_and_keeps_no_more_than_its_own_threads() {
    let folder = folder(Duration::from_millis(20), 2);
    let mut letting_go = Vec::new();
    for free in [1, 0] {
        let (let_go, held) = channel::<()>();
        letting_go.push(let_go);
        let hung = folder.on_disk(move |_| Ok(held.recv().is_ok())).await;
        assert!(matches!(hung, Err(Trouble::Hangs(..))), "{hung:?}");
        assert_eq!(folder.0.at_once.available_permits(), free);
        // While there is a turn left, other work goes on.
        assert_eq!(folder.on_disk(|_| Ok(7)).await.is_ok(), free > 0);
    }
    drop(letting_go);
    while folder.on_disk(|_| Ok(7)).await.is_err() {}
}

#[tokio::test]
async fn what_panics_on_the_disk_panics_in_who_asked_for_it() {
    let folder = folder(Duration::from_secs(60), 1);
    let asking = tokio::spawn(async move { folder.on_disk(|_| -> Result<(), Trouble> { panic!("planted") }).await });
    assert!(asking.await.unwrap_err().is_panic());
}
