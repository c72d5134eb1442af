//! Carries letters to the centre and answers home: by mail, on a memory stick, or both.
//!
//! Whatever happens on the way, a letter is one letter: its document was sealed once and is carried unchanged, and only a verified receipt
//! settles it.

mod post;
mod stick;

use std::error::Error;
use std::path::Path;

use rusqlite::params;
use serde::Serialize;

use crate::database::{Database, DatabaseError};
use crate::desk::{Desk, KeyError, now};
use crate::letters::{self, LetterError, News};
use crate::settings::Setting;

pub use post::by_mail;
pub use stick::by_stick;

/// What was carried.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Carried {
    /// Numbers of the letters that were given to the relay or the stick.
    pub sent: Vec<i64>,
    /// What the documents that came told.
    pub news: Vec<News>,
    /// Documents that are not for this office, or that nobody vouches for, each with the reason. They stay where they are.
    pub foreign: Vec<String>,
    /// Bytes of mails or files that were sent.
    pub bytes_sent: u64,
    /// Bytes of mails or files that were received.
    pub bytes_received: u64,
}

/// Error: letters cannot be carried now. Nothing is lost: the next try goes on where this one ended.
#[derive(Debug, thiserror::Error)]
#[error("letters cannot be carried now, and stay packed")]
pub struct Away(#[source] Box<dyn Error + Send + Sync>);

impl Away {
    fn of(error: impl Into<Box<dyn Error + Send + Sync>>) -> Away {
        Away(error.into())
    }
}

/// Error: the office has no such way to the centre.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// The kit names no mail.
    #[error("this office has no mail: carry letters on a stick with --folder FOLDER")]
    Mail,
    /// The mailbox's password was never told.
    #[error("the password of the mailbox is not known: run `xmagency mail password`")]
    Password,
    /// The folder is not there.
    #[error("there is no folder {0}: is the stick in its place?")]
    Stick(String),
}

/// What a document turned out to be.
enum Taken {
    /// It is the office's, and what it says is done.
    Ours,
    /// It is not the office's, or nobody vouches for it.
    Foreign,
}

/// Takes a document, and adds what it told.
fn take(desk: &Desk, document: &[u8], carried: &mut Carried) -> anyhow::Result<Taken> {
    match letters::take(desk, document) {
        Ok(News::Known) => Ok(Taken::Ours),
        Ok(news) => {
            carried.news.push(news);
            Ok(Taken::Ours)
        }
        Err(error) if error.is_of_document() => {
            carried.foreign.push(error.to_string());
            Ok(Taken::Foreign)
        }
        // The exit code is that of the database's error.
        Err(LetterError::Database(error) | LetterError::Key(KeyError::Database(error))) => Err(error.into()),
        Err(error) => Err(error.into()),
    }
}

/// Notes what a way has carried, for the count of the month.
fn note_traffic(desk: &Desk, way: &str, carried: &Carried) -> Result<(), DatabaseError> {
    let at = now();
    let month = at.get(..7).unwrap_or_default();
    let statement = "INSERT INTO traffic VALUES (?1, ?2, ?3, ?4) ON CONFLICT (month, way)
                     DO UPDATE SET sent = sent + excluded.sent, received = received + excluded.received";
    let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    desk.database.change(statement, params![month, way, bytes(carried.bytes_sent), bytes(carried.bytes_received)])?;
    Ok(())
}

/// Ends a way: what was carried is counted even where the way then failed; that it was gone is noted only where it was gone to its end.
fn finished(desk: &Desk, way: &str, done: anyhow::Result<()>, carried: Carried) -> anyhow::Result<Carried> {
    let noted = note_traffic(desk, way, &carried);
    // What failed first is what the person is told.
    done?;
    noted?;
    desk.database.set(Setting::CarriedAt, &now())?;
    Ok(carried)
}

/// Carries by the way that is meant: a stick where a folder is named, else mail.
///
/// # Errors
/// There is no such way; it does not work now ([`Away`]); the database cannot be written.
pub async fn carry(desk: &Desk, folder: Option<&Path>) -> anyhow::Result<Carried> {
    match folder {
        Some(folder) => by_stick(desk, folder),
        None => by_mail(desk).await,
    }
}

/// Bytes of a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// The month, `YYYY-MM`.
    pub month: String,
    /// `mail` or `folder`.
    pub way: String,
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
}

impl Database {
    /// Lists the bytes of each month, newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn traffic(&self) -> Result<Vec<Traffic>, DatabaseError> {
        self.list("SELECT month, way, sent, received FROM traffic ORDER BY month DESC, way LIMIT 24", [], |row| {
            Ok(Traffic {
                month: row.get(0)?,
                way: row.get(1)?,
                sent: row.get::<_, i64>(2)?.unsigned_abs(),
                received: row.get::<_, i64>(3)?.unsigned_abs(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::{Person, Role};
    use crate::vault::DatabaseKey;

    #[test]
    fn a_way_that_failed_is_not_noted_as_gone_though_its_bytes_count() {
        let place = tempfile::tempdir().unwrap();
        let database = Database::open(place.path(), &DatabaseKey::generate().unwrap()).unwrap();
        let person = Person { name: "mbome".to_owned(), role: Role::Officer };
        let desk = Desk { folder: place.path().to_path_buf(), database, person, json: true };
        let carried = || Carried { bytes_sent: 7, ..Carried::default() };
        let carried_at = || desk.database.setting(Setting::CarriedAt).unwrap();
        let failed = finished(&desk, "mail", Err(anyhow::anyhow!("the relay is away")), carried()).unwrap_err();
        assert_eq!((failed.to_string().as_str(), carried_at()), ("the relay is away", None));
        finished(&desk, "mail", Ok(()), carried()).unwrap();
        assert!(carried_at().is_some());
        assert_eq!(desk.database.traffic().unwrap().first().map(|month| month.sent), Some(14));
        // The database fails too: the first failure is told all the same.
        desk.database.change("DROP TABLE traffic", []).unwrap();
        let failed = finished(&desk, "mail", Err(anyhow::anyhow!("the relay is away")), carried()).unwrap_err();
        assert_eq!(failed.to_string(), "the relay is away");
    }
}
