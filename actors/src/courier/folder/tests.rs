//! An answer's file is complete in its agency's folder, or it does not exist.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sdc::cms::ContentCipher;
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::*;

fn stand() -> (TempDir, TransferFolder) {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join(OUT)).unwrap();
    let folder = TransferFolder::new(place.path(), Handle::current(), Duration::ZERO);
    (place, folder)
}

fn answer(of_letter: Option<(&str, i64)>, part: i16, document: &str) -> Sealed {
    let answer = LeasedAnswer {
        id: 5,
        agency: 42,
        letter_id: None,
        attempt: 1,
        part,
        payload: Vec::new(),
        certificate: None,
        cipher: ContentCipher::Aes256Gcm,
        email: String::new(),
        of_letter: of_letter.map(|(installation, sequence)| (installation.to_owned(), sequence)),
        notice: None,
        attempts: 1,
        process: Uuid::nil(),
        is_sent_again: false,
    };
    Sealed { answer, document: document.into() }
}

/// Returns every file below a folder, with its contents.
fn files(place: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((entry.path(), fs::read_to_string(entry.path()).unwrap()));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn an_answer_stands_under_its_letters_name_and_the_same_again_takes_its_place() {
    let (place, folder) = stand();
    for document in ["sealed once", "sealed twice"] {
        folder.carry(&[answer(Some(("pc1", 7)), 0, document)]).await.unwrap();
    }
    folder.carry(&[answer(Some(("pc1", 8)), 2, "a part")]).await.unwrap();
    folder.carry(&[answer(None, 0, "from the centre")]).await.unwrap();
    let out = place.path().join("out/000042");
    let expected = [
        (out.join("5.sdc"), "from the centre".to_owned()),
        (out.join("pc1-7-1-0.sdc"), "sealed twice".to_owned()),
        (out.join("pc1-8-1-2.sdc"), "a part".to_owned()),
    ];
    assert_eq!(files(place.path()), expected);
}

#[tokio::test]
async fn without_its_medium_nothing_is_made_and_every_answer_waits() {
    let (place, folder) = stand();
    fs::remove_dir(place.path().join(OUT)).unwrap();
    let refused = folder.carry(&[answer(Some(("pc1", 7)), 0, "x")]).await.unwrap_err();
    assert_eq!(refused.again, Again::OnceBack);
    assert!(refused.words.contains(": out: No such file"), "{refused}");
    assert!(!place.path().join(OUT).exists(), "it would hide under the medium once that is mounted");
    fs::create_dir(place.path().join(OUT)).unwrap();
    folder.carry(&[answer(Some(("pc1", 7)), 0, "x")]).await.unwrap();
}

#[tokio::test]
async fn no_link_is_followed_out_of_the_folder_and_others_get_their_answers() {
    let (place, folder) = stand();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), place.path().join("out/000042")).unwrap();
    let refused = folder.carry(&[answer(Some(("pc1", 7)), 0, "x")]).await.unwrap_err();
    assert_eq!(refused.again, Again::Later, "{refused}");
    assert!(files(elsewhere.path()).is_empty());

    let mut other = answer(Some(("pc1", 7)), 0, "x");
    other.answer.agency = 43;
    folder.carry(&[other]).await.unwrap();
}

#[tokio::test]
async fn a_name_that_a_database_makes_up_stays_in_its_folder() {
    let (place, folder) = stand();
    folder.carry(&[answer(Some(("../../x", 7)), 0, "x")]).await.unwrap();
    assert_eq!(files(place.path())[0].0, place.path().join("out/000042/.._.._x-7-1-0.sdc"));
}

#[tokio::test]
async fn what_the_disk_says_of_one_agency_keeps_no_other_waiting() {
    let (place, folder) = stand();
    folder.carry(&[answer(Some(("pc1", 7)), 0, "x")]).await.unwrap();
    let out = folder.open(OUT).unwrap();
    let below = Place { part: "x.part".to_owned(), ..Place::of(&answer(Some(("pc1", 8)), 0, "x").answer) };
    let of_folder = |errno| told_of(&folder, &out, &below, b"x", errno).is_of_folder();
    assert!(!of_folder(Errno::EDQUOT) && !of_folder(Errno::EIO) && !of_folder(Errno::EACCES), "out itself is well");
    assert_eq!(files(place.path()).len(), 1, "nothing is left of the trial");
    fs::write(place.path().join("out/x.part"), "").unwrap();
    assert!(!of_folder(Errno::ENOSPC), "a trial that fails for another reason says nothing of the disk");
}

#[tokio::test]
async fn an_agencys_folder_is_made_lasting_once_whoever_made_it() {
    let (place, folder) = stand();
    fs::create_dir(place.path().join("out/000042")).unwrap();
    assert!(!folder.is_lasting("000042"));
    folder.carry(&[answer(Some(("pc1", 7)), 0, "x")]).await.unwrap();
    assert!(folder.is_lasting("000042") && !folder.is_lasting("000043"));
}
