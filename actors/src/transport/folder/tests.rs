//! What is taken of a folder, what is left alone, and what is never lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tempfile::TempDir;
use tokio::runtime::Handle;

use super::*;

struct Stand {
    place: TempDir,
    folder: TransferFolder,
}

impl Stand {
    fn new(quiet: Duration) -> Stand {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join(IN)).unwrap();
        let folder = TransferFolder::new(place.path(), Handle::current(), quiet);
        Stand { place, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(IN).join(name)
    }

    /// Writes a file, so many seconds ago.
    fn put(&self, name: &str, octets: &[u8], seconds_ago: u64) {
        fs::write(self.file(name), octets).unwrap();
        let file = fs::File::options().write(true).open(self.file(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds_ago)).unwrap();
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

async fn fetch(session: &mut dyn Session, wanted: &[Candidate], bytes_max: u64) -> Vec<Outcome> {
    let mut fetching = session.fetch(wanted, bytes_max).await.unwrap();
    let mut outcomes = Vec::new();
    while let Some(taken) = fetching.next().await.unwrap() {
        outcomes.push(taken.outcome);
    }
    outcomes
}

#[tokio::test]
async fn letters_are_listed_as_they_were_written_and_nothing_else_is() {
    let stand = Stand::new(Duration::from_secs(2));
    stand.put("late.sdc", b"2", 10);
    stand.put("EARLY.SDC", b"11", 20);
    stand.put("still-written.sdc", b"half", 0);
    for other in ["letter.sdc.part", "note.txt", ".hidden.sdc", ".sdc"] {
        stand.put(other, b"x", 30);
    }
    stand.put("two-names.sdc", b"x", 30);
    fs::hard_link(stand.file("two-names.sdc"), stand.file("other-name")).unwrap();
    let (_, candidates) = stand.session().await;
    assert_eq!(tokens(&candidates), ["EARLY.SDC", "late.sdc"]);
    assert_eq!(candidates.iter().map(|candidate| candidate.size_bytes).collect::<Vec<_>>(), [2, 1]);
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
        let Outcome::Refused(words) = outcome else { panic!("{outcome:?}") };
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
    assert!(matches!(outcomes.as_slice(), [Outcome::Refused(_)]), "{outcomes:?}");
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
    let [Outcome::Mail(first), Outcome::OverSize { head, size_bytes }, Outcome::Mail(third)] = &outcomes[..] else {
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
            0 => assert_eq!(outcomes, [Outcome::Mail(b"LETTER".to_vec())]),
            1 => assert_eq!(outcomes, [Outcome::Mail(b"letter and more".to_vec())]),
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
    assert_eq!(outcomes, [Outcome::Mail(b"letter".to_vec())], "an open folder is the same under any name");
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
