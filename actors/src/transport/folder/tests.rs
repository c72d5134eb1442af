//! Which files of a folder are fetched, which are not touched, and which are never lost.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::SystemTime;

use tempfile::TempDir;
use tokio::runtime::Handle;

use super::*;
use crate::transfer_folder::watch::{Quiet, Watch};

struct Stand {
    place: TempDir,
    folder: TransferFolder,
}

impl Stand {
    fn new(quiet: impl Into<Quiet>) -> Stand {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join(IN)).unwrap();
        let folder = TransferFolder::new(place.path(), Handle::current(), quiet);
        Stand { place, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(IN).join(name)
    }

    /// Writes a file and sets its modification time to `seconds_ago` seconds ago.
    fn put(&self, name: &str, octets: &[u8], seconds_ago: u64) {
        fs::write(self.file(name), octets).unwrap();
        let file = fs::File::options().write(true).open(self.file(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds_ago)).unwrap();
    }

    /// Writes a file whose status change is later, for the file system, than that of the file `before`.
    fn put_after(&self, name: &str, before: &str, octets: &[u8], seconds_ago: u64) {
        let changed = |name: &str| fs::metadata(self.file(name)).map(|file| (file.ctime(), file.ctime_nsec())).unwrap();
        self.put(name, octets, seconds_ago);
        while changed(name) <= changed(before) {
            self.put(name, octets, seconds_ago);
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.place.path().join(IN)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn session(&self) -> (Box<dyn Session>, Vec<Candidate>) {
        let mut session = self.folder.open_session().await;
        let listing = session.list().await.unwrap();
        (session, listing.candidates)
    }
}

impl TransferFolder {
    async fn open_session(&self) -> Box<dyn Session> {
        Transport::open(self).await.unwrap()
    }
}

fn tokens(candidates: &[Candidate]) -> Vec<&str> {
    candidates.iter().filter_map(|candidate| candidate.token.as_deref()).collect()
}

async fn fetch(session: &mut dyn Session, wanted: &[Candidate], bytes_max: u64) -> Vec<FetchOutcome> {
    let mut fetching = session.fetch(wanted, bytes_max).await.unwrap();
    let mut outcomes = Vec::new();
    while let Some(taken) = fetching.next().await.unwrap() {
        outcomes.push(taken.outcome);
    }
    outcomes
}

#[tokio::test]
async fn letters_are_listed_as_they_were_written_and_nothing_else_is() {
    let stand = Stand::new(Duration::ZERO);
    stand.put("early.sdc", b"11", 10);
    stand.put_after("LATE.SDC", "early.sdc", b"2", 20);
    for other in ["letter.sdc.part", "note.txt", ".hidden.sdc", ".sdc"] {
        stand.put(other, b"x", 30);
    }
    let (_, candidates) = stand.session().await;
    assert_eq!(tokens(&candidates), ["early.sdc", "LATE.SDC"], "by a time that no sender sets");
    assert_eq!(candidates.iter().map(|candidate| candidate.size_bytes).collect::<Vec<_>>(), [2, 1]);
}

const NEVER: Duration = Duration::from_secs(86_400);

/// Runs sessions until one lists a candidate.
async fn listed_at_last(stand: &Stand) -> Vec<Candidate> {
    loop {
        let (_, candidates) = stand.session().await;
        if !candidates.is_empty() {
            return candidates;
        }
    }
}

#[tokio::test]
async fn what_a_writer_says_of_its_time_does_not_make_a_file_quiet() {
    let stand = Stand::new(NEVER);
    for seconds_ago in [0, 10, 1_000_000] {
        stand.put(&format!("{seconds_ago}.sdc"), b"-----END SDC-----", seconds_ago);
    }
    for _ in 0..3 {
        let mut session = stand.folder.open_session().await;
        let listing = session.list().await.unwrap();
        assert_eq!((listing.candidates, listing.left_out), (Vec::new(), 3), "not listed is not gone");
    }
}

#[tokio::test]
async fn a_letter_that_is_copied_slowly_is_not_taken_half() {
    let stand = Stand::new(Quiet { whole: Duration::from_millis(1), unfinished: NEVER });
    stand.put("half.sdc", b"-----BEGIN SDC-----\nAAAA", 60);
    stand.put("empty.sdc", b"", 60);
    stand.put("whole.sdc", &[b"-----BEGIN SDC-----\nAAAA\n-----END SDC-----\n", &vec![b' '; 60_000][..]].concat(), 60);
    for _ in 0..3 {
        assert_eq!(tokens(&listed_at_last(&stand).await), ["whole.sdc"]);
    }
    fs::remove_file(stand.file("whole.sdc")).unwrap();
    stand.put("half.sdc", b"-----BEGIN SDC-----\nAAAA\nAAAA\n-----END SDC-----\n", 60);
    assert_eq!(tokens(&listed_at_last(&stand).await), ["half.sdc"]);

    let stand = Stand::new(Quiet { whole: Duration::from_millis(1), unfinished: Duration::from_millis(2) });
    stand.put("prose.sdc", b"Bonjour.", 0);
    assert_eq!(tokens(&listed_at_last(&stand).await), ["prose.sdc"], "in the end it is told of");
}

#[test]
fn a_file_is_quiet_once_nothing_of_it_has_changed_for_long_enough() {
    let (second, start) = (Duration::from_secs(1), Instant::now());
    let quiet = Quiet { whole: 2 * second, unfinished: 900 * second };
    let one = Version { size_bytes: 7, written: (5, 0), changed: (9, 0) };
    let mut watch = Watch::new(quiet);
    let mut look = |version, at: u32, is_whole| {
        let mut looked = watch.begin();
        let is_ready = looked.is_ready(OsStr::new("a.sdc"), version, start + at * second, || is_whole);
        looked.end();
        is_ready
    };
    assert!(!look(one, 0, None) && !look(one, 1, None));
    for (at, change) in [(10, Version { size_bytes: 8, ..one }), (20, Version { written: (6, 0), ..one })] {
        assert!(!look(change, at, Some(true)) && !look(change, at + 1, Some(true)), "{change:?}");
        assert!(look(change, at + 2, Some(true)));
    }
    let changed = Version { changed: (9, 1), ..one };
    assert!(!look(changed, 30, None) && !look(changed, 32, None), "there was no time for a look");
    assert!(!look(changed, 33, Some(false)) && !look(changed, 929, None));
    assert!(look(changed, 930, None));
    watch.begin().end();
    let mut looked = watch.begin();
    let is_ready = looked.is_ready(OsStr::new("a.sdc"), changed, start + 990 * second, || Some(true));
    assert!(!is_ready, "it was away meanwhile");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_of_and_comes_last() {
    let stand = Stand::new(Duration::ZERO);
    stand.put("two-names.sdc", b"x", 30);
    fs::hard_link(stand.file("two-names.sdc"), stand.file("other-name")).unwrap();
    stand.put_after("letter.sdc", "two-names.sdc", b"letter", 10);
    let (mut session, candidates) = stand.session().await;
    assert_eq!(tokens(&candidates), ["letter.sdc", "two-names.sdc"]);
    let outcomes = fetch(&mut *session, &candidates, 100).await;
    assert!(matches!(outcomes.as_slice(), [FetchOutcome::Mail(_), FetchOutcome::Refused(_)]), "{outcomes:?}");

    let stat = nix::sys::stat::stat(&stand.file("letter.sdc")).unwrap();
    assert_eq!(Kind::of(&stat, Ok(())), Kind::Letter);
    assert_eq!(Kind::of(&stat, Err(Errno::EACCES)), Kind::Odd, "another user's");
    let stat = nix::sys::stat::stat(&stand.file("two-names.sdc")).unwrap();
    assert_eq!(Kind::of(&stat, Ok(())), Kind::Odd);
}

#[test]
fn of_more_than_is_listed_at_a_time_those_that_came_first_are() {
    let mut first = First::new(2);
    for changed in [5, 3, 9, 1, 7] {
        let version = Version { size_bytes: 1, written: (0, 0), changed: (changed, 0) };
        first.add(Found { changed: version.changed, name: format!("{changed}.sdc").into(), version });
    }
    let names: Vec<OsString> = first.found.into_sorted_vec().into_iter().map(|found| found.name).collect();
    assert_eq!((names, first.beyond), (vec!["1.sdc".into(), "3.sdc".into()], 3));
}

#[test]
fn a_disk_too_full_for_another_name_is_emptied_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let letters: OwnedFd = fs::File::open(place.path()).unwrap().into();
    let settled = Seen { digest: Digest::of(b"letter"), bytes_max: 100 };
    let name = OsStr::new("a.sdc");
    for (octets, errno, result, stays) in [
        ("letter", Errno::EACCES, Err(Errno::EACCES), true),
        ("LETTER", Errno::ENOSPC, Ok(()), true),
        ("letter", Errno::ENOSPC, Ok(()), false),
        ("letter", Errno::EDQUOT, Ok(()), false),
    ] {
        fs::write(place.path().join(name), octets).unwrap();
        assert_eq!(unlink_in_place(&letters, name, settled, errno), result);
        assert_eq!(place.path().join(name).exists(), stays, "{octets} {errno}");
    }
}

#[test]
fn a_settled_file_that_cannot_be_read_again_is_told_of() {
    let place = tempfile::tempdir().unwrap();
    let letters: OwnedFd = fs::File::open(place.path()).unwrap().into();
    fs::write(place.path().join("a.sdc"), "letter").unwrap();
    fs::hard_link(place.path().join("a.sdc"), place.path().join("b")).unwrap();
    let settled = Seen { digest: Digest::of(b"letter"), bytes_max: 100 };
    assert!(remove(&letters, OsStr::new("a.sdc"), settled).is_err(), "it has two names by now");
    assert_eq!(remove(&letters, OsStr::new("c.sdc"), settled), Ok(()), "somebody has removed it");
}

#[tokio::test]
async fn no_link_is_followed_and_what_is_no_file_is_refused_by_its_name() {
    let stand = Stand::new(Duration::ZERO);
    let secret = stand.place.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    symlink(&secret, stand.file("link.sdc")).unwrap();
    fs::create_dir(stand.file("folder.sdc")).unwrap();
    nix::unistd::mkfifo(&stand.file("pipe.sdc"), Mode::S_IRWXU).unwrap();
    let (mut session, candidates) = stand.session().await;
    let outcomes = fetch(&mut *session, &candidates, 100).await;
    assert_eq!(outcomes.len(), 3);
    for (outcome, candidate) in outcomes.iter().zip(&candidates) {
        let FetchOutcome::Refused(words) = outcome else { panic!("{outcome:?}") };
        assert!(words.contains(candidate.token.as_deref().unwrap()) && words.contains("remove it"), "{words}");
    }
    let numbers: Vec<u32> = candidates.iter().map(|candidate| candidate.number).collect();
    session.delete(&numbers).await.unwrap();
    session.close().await.unwrap();
    assert_eq!((stand.names().len(), fs::read(&secret).unwrap()), (3, b"secret".to_vec()), "none was fetched");
}

#[tokio::test]
async fn a_file_replaced_by_a_link_between_listing_and_reading_gives_nothing() {
    let stand = Stand::new(Duration::ZERO);
    stand.put("a.sdc", b"letter", 9);
    let secret = stand.place.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let (mut session, candidates) = stand.session().await;
    fs::remove_file(stand.file("a.sdc")).unwrap();
    symlink(&secret, stand.file("a.sdc")).unwrap();
    let outcomes = fetch(&mut *session, &candidates, 100).await;
    assert!(matches!(outcomes.as_slice(), [FetchOutcome::Refused(_)]), "{outcomes:?}");
}

#[tokio::test]
async fn a_folder_that_is_a_link_itself_is_not_entered() {
    let stand = Stand::new(Duration::ZERO);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::remove_dir(stand.place.path().join(IN)).unwrap();
    symlink(elsewhere.path(), stand.place.path().join(IN)).unwrap();
    let fault = Transport::open(&stand.folder).await.err().unwrap();
    assert_eq!(fault.step, "folder");
    assert!(fault.words.contains(": in: "), "{fault}");
}

#[tokio::test]
async fn what_is_settled_is_gone_and_what_is_too_large_gives_its_head() {
    let stand = Stand::new(Duration::ZERO);
    stand.put("a.sdc", b"first", 9);
    stand.put("b.sdc", &vec![b'x'; 40_000], 8);
    stand.put("c.sdc", b"third", 7);
    let (mut session, candidates) = stand.session().await;
    let outcomes = fetch(&mut *session, &candidates, 30_000).await;
    let [FetchOutcome::Mail(first), FetchOutcome::OverSize { head, size_bytes }, FetchOutcome::Mail(third)] =
        &outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert_eq!((&first[..], head.len(), *size_bytes, &third[..]), (&b"first"[..], 16 << 10, 40_000, &b"third"[..]));
    assert_eq!(session.delete(&[1, 2]).await, Ok(Vec::new()));
    session.close().await.unwrap();
    assert_eq!(stand.names(), ["c.sdc"]);
}

#[tokio::test]
async fn another_file_that_has_the_name_of_a_settled_one_is_listed_again() {
    let stand = Stand::new(Duration::ZERO);
    for (name, how) in [("replaced.sdc", 0), ("grown.sdc", 1), ("removed.sdc", 2)] {
        stand.put(name, b"letter", 9);
        let (mut session, candidates) = stand.session().await;
        fetch(&mut *session, &candidates, 100).await;
        match how {
            0 => stand.put(name, b"LETTER", 9),
            1 => stand.put(name, b"letter and more", 9),
            _ => fs::remove_file(stand.file(name)).unwrap(),
        }
        assert_eq!(session.delete(&[1]).await, Ok(Vec::new()));
        drop(session);
        let (mut session, candidates) = stand.session().await;
        let outcomes = fetch(&mut *session, &candidates, 100).await;
        match how {
            0 => assert_eq!(outcomes, [FetchOutcome::Mail(b"LETTER".to_vec())]),
            1 => assert_eq!(outcomes, [FetchOutcome::Mail(b"letter and more".to_vec())]),
            _ => assert!(outcomes.is_empty(), "{outcomes:?}"),
        }
        let numbers: Vec<u32> = candidates.iter().map(|candidate| candidate.number).collect();
        session.delete(&numbers).await.unwrap();
        assert!(stand.names().is_empty(), "{name}: {:?}", stand.names());
    }
}

#[tokio::test]
async fn a_folder_that_goes_away_and_comes_back_is_a_fault_and_then_none() {
    let stand = Stand::new(Duration::ZERO);
    stand.put("a.sdc", b"letter", 9);
    let away = stand.place.path().join("away");
    fs::rename(stand.place.path().join(IN), &away).unwrap();
    let fault = Transport::open(&stand.folder).await.err().unwrap();
    assert!(fault.words.contains(": in: No such file"), "{fault}");
    fs::rename(&away, stand.place.path().join(IN)).unwrap();
    let (mut session, candidates) = stand.session().await;
    fs::rename(stand.place.path().join(IN), &away).unwrap();
    let outcomes = fetch(&mut *session, &candidates, 100).await;
    assert_eq!(outcomes, [FetchOutcome::Mail(b"letter".to_vec())], "an open folder is the same under any name");
}

#[test]
fn a_name_is_its_own_token_where_it_is_plain_and_short() {
    assert_eq!(&*token(OsStr::new("pc1-7.sdc")), "pc1-7.sdc");
    let long = "x".repeat(80) + ".sdc";
    for odd in ["é.sdc", "a b.sdc", "~.sdc", &long] {
        let token = token(OsStr::new(odd));
        assert!(token.len() == 65 && token.starts_with('~'), "{token}");
    }
    assert_ne!(token(OsStr::new("é.sdc")), token(OsStr::new("è.sdc")));
}
