//! Letters and answers on a memory stick, in both directions, with the layout of the centre's transfer folder (FORMAT.md, Documents as
//! files). Several offices may use one stick.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agency::platform;
use sdc::document::Document;

use super::{Away, Carried, NoWay, Taken, finished, take};
use crate::desk::{Desk, now};
use crate::settings::Setting;

/// Largest file that is read, in bytes: no answer is larger (FORMAT.md).
const FILE_BYTES_MAX: u64 = 5 << 20;

/// Takes the office's answers from a stick, and puts on it what is due. Answers that were taken are removed.
///
/// # Errors
/// The folder is not there; the stick cannot be read or written, or was pulled out ([`Away`]); the database cannot be written. What was
/// done before the error stays done.
pub fn by_stick(desk: &Desk, folder: &Path) -> anyhow::Result<Carried> {
    if !folder.is_dir() {
        return Err(NoWay::Stick(folder.display().to_string()).into());
    }
    let mut carried = Carried::default();
    let done = both(desk, folder, &mut carried);
    finished(desk, "folder", done, carried)
}

fn both(desk: &Desk, folder: &Path, carried: &mut Carried) -> anyhow::Result<()> {
    let matricule = desk.database.kit()?.matricule.to_string();
    let answers = folder.join("out").join(&matricule);
    for path in files(&answers).map_err(|error| away(&answers, error))? {
        let octets = fs::read(&path).map_err(|error| away(&path, error))?;
        if let Taken::Ours = take(desk, &octets, carried)? {
            carried.bytes_received += u64::try_from(octets.len()).unwrap_or(u64::MAX);
            fs::remove_file(&path).map_err(|error| away(&path, error))?;
        }
    }
    let due = desk.database.due(chrono::Utc::now())?;
    if due.is_empty() {
        return Ok(());
    }
    let letters = folder.join("in");
    fs::create_dir_all(&letters).map_err(|error| away(&letters, error))?;
    let installation = desk.database.required(Setting::Installation)?;
    for letter in due {
        let path = letters.join(format!("{matricule}-{installation}-{}.sdc", letter.sequence));
        // A file has no subject that could carry the hint, so it stands before the block.
        let document = hinted(&letter.document, &matricule);
        platform::replace_shared(&path, &document).map_err(|error| away(&path, error))?;
        desk.database.note_sent(letter.sequence, &now())?;
        carried.sent.push(letter.sequence);
        carried.bytes_sent += u64::try_from(document.len()).unwrap_or(u64::MAX);
    }
    Ok(())
}

fn hinted(document: &[u8], matricule: &str) -> Vec<u8> {
    let mut text = format!("SDC 1 agency={matricule}\n").into_bytes();
    text.extend_from_slice(document);
    debug_assert!(
        Document::parse(&text, &sdc::document::DocumentLimits::default()).is_ok(),
        "a hint is admitted there"
    );
    text
}

/// Lists the letters in a folder in the order of their names: regular files of a possible size. A folder that is not there has none.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_letter = path.extension().is_some_and(|extension| extension == "sdc") && platform::is_plain_file(&path);
        if is_letter && fs::metadata(&path)?.len() <= FILE_BYTES_MAX {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn away(path: &Path, error: io::Error) -> Away {
    Away::of(StickError { path: path.to_path_buf(), error })
}

/// Error: a file of the stick cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
struct StickError {
    path: PathBuf,
    error: io::Error,
}
