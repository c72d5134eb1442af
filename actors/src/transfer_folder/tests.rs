//! A disk that hangs is reported, and blocks only its own threads.

use std::sync::mpsc::channel;

use super::*;
use crate::transport::Transport;

fn folder(patience: Duration, at_once_max: usize) -> TransferFolder {
    TransferFolder::with("/srv/transfer".into(), Handle::current(), Duration::ZERO.into(), (at_once_max, patience))
}

#[tokio::test]
async fn a_disk_that_hangs_is_left_behind_and_keeps_no_more_than_its_own_threads() {
    let folder = folder(Duration::from_millis(20), 2);
    let mut letting_go = Vec::new();
    for free in [1, 0] {
        let (let_go, held) = channel::<()>();
        letting_go.push(let_go);
        let hung = folder.on_disk(IN, move |_| Ok(held.recv().is_ok())).await;
        assert!(matches!(hung, Err(Trouble::Hangs(..))), "{hung:?}");
        assert_eq!(folder.0.letters_at_once.available_permits(), free);
        // While fewer than the allowed pieces of work hang, other work can run.
        assert_eq!(folder.on_disk(IN, |_| Ok(7)).await.is_ok(), free > 0);
        assert!(folder.on_disk(OUT, |_| Ok(7)).await.is_ok(), "answers do not wait for letters");
    }
    drop(letting_go);
    while folder.on_disk(IN, |_| Ok(7)).await.is_err() {}
}

#[tokio::test]
async fn what_panics_on_the_disk_panics_in_who_asked_for_it() {
    let folder = folder(Duration::from_secs(60), 1);
    let asking =
        tokio::spawn(async move { folder.on_disk(IN, |_| -> Result<(), Trouble> { panic!("planted") }).await });
    assert!(asking.await.unwrap_err().is_panic());
}

#[test]
fn a_command_does_not_wait_for_a_disk_that_hangs() {
    let (_never, held) = channel::<()>();
    let hung = within(Path::new("/srv/transfer"), Duration::from_millis(1), move || Ok(held.recv().is_ok()));
    assert!(matches!(hung, Err(Trouble::Hangs(..))), "{hung:?}");
    let away = open_within(Path::new("/nowhere/at/all"), IN, Duration::from_secs(60)).unwrap_err();
    assert!(matches!(away, Trouble::Folder { .. }), "{away}");
}

#[test]
fn a_file_system_without_a_sync_of_folders_has_done_what_it_can() {
    assert!(has_no_sync(Errno::EINVAL) && has_no_sync(Errno::ENOTSUP) && !has_no_sync(Errno::EIO));
}

#[tokio::test]
async fn no_listing_begins_while_another_runs() {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join(IN)).unwrap();
    let folder = TransferFolder::new(place.path(), Handle::current(), Duration::ZERO);
    let listed = async || Transport::open(&folder).await.unwrap().list().await;
    let (runs, is_running) = channel();
    let (let_go, held) = channel::<()>();
    let other = folder.clone();
    let hung = std::thread::spawn(move || {
        let _watch = other.watch().unwrap();
        runs.send(()).unwrap();
        held.recv().ok();
    });
    is_running.recv().unwrap();
    let fault = listed().await.unwrap_err();
    assert!(fault.words.contains("the listing before"), "{fault}");
    drop(let_go);
    hung.join().unwrap();
    listed().await.unwrap();
}
