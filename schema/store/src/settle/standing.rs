//! The standing of a batch: what is stored about its agencies and letters, read under the agencies' locks.

#[cfg(test)]
mod model;

use std::collections::{BTreeSet, HashMap};

use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::join;
use sdc::letter::Matricule;
use uuid::Uuid;

use super::account::Account;
use super::arrival::Content;
use super::batch::Case;
use super::judge::Key;
use super::services::Services;
use super::settings::SettlingSettings;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::planted::{self, Bug};
use crate::reading::{self, Usage};

/// The sequence numbers of one installation: the highest number used, and the floor. At and below the floor, the centre has deleted the
/// records by which it would recognise a letter that comes again. So a letter with such a number is refused as expired, unless its verdict
/// is still stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    pub highest: i64,
    pub floor: i64,
}

/// A letter that has a verdict already.
#[derive(Clone, Debug)]
pub struct KnownLetter {
    pub digest: Vec<u8>,
    /// The number of the latest attempt at the letter.
    pub attempt: i16,
    /// Whether the latest attempt was accepted. An accepted letter is final: no other attempt is made at it.
    pub is_accepted: bool,
}

/// Everything that is read for deciding one batch.
#[derive(Debug, Default)]
pub struct Standing {
    pub catalogue_revision: i64,
    revisions: HashMap<Matricule, i64>,
    accounts: HashMap<Matricule, Account>,
    numbers: HashMap<(Matricule, String), Numbers>,
    by_id: HashMap<(Matricule, Uuid), KnownLetter>,
    by_sequence: HashMap<(Matricule, String, i64), KnownLetter>,
    /// Stored data for the services that write no records.
    pub services: Services,
    /// Records and octets that agencies received today, which count against their quotas. They are read only for agencies whose letters of
    /// this batch ask for records.
    usage: HashMap<Matricule, Usage>,
}

impl Standing {
    /// Locks the accounts of agencies in the order of their matricules. Reads everything that does not depend on the letters' keys.
    /// Reserves one journal id for each letter.
    ///
    /// The account row serves as the agency's lock, because every agency has exactly one and settling changes it anyway. It makes batches
    /// of one agency wait for each other across mailboxes, transports and replicas. Statements after the lock read the newest committed
    /// state. A join in the locking statement itself would show the state from before the wait.
    pub async fn lock(
        mut connection: &AsyncPgConnection,
        agencies: BTreeSet<Matricule>,
        letters: usize,
    ) -> Result<(Standing, Vec<i64>), Fault> {
        let agencies: Vec<Option<Matricule>> = agencies.into_iter().map(Some).collect();

        let text = "SELECT agency, id, balance, credit_limit FROM xm.accounts WHERE agency = ANY(?)
                     ORDER BY agency FOR NO KEY UPDATE";
        let binds = [Bind::Matricules(agencies)];
        let rows: Vec<(Option<Matricule>, i32, i64, i64)> =
            Statement::<(Nullable<Integer>, Integer, BigInt, BigInt)>::new(text, &binds).load(&mut connection).await?;
        let account = |(agency, id, balance, credit_limit): (Option<Matricule>, _, _, _)| {
            agency.map(|agency| (agency, Account { id, balance, credit_limit }))
        };
        let (server, revisions) = join!(read_server(connection, letters), read_revisions(connection, &binds));
        let (catalogue_revision, journal_ids) = server?;
        let standing = Standing {
            catalogue_revision,
            revisions: revisions?,
            accounts: rows.into_iter().filter_map(account).collect(),
            ..Standing::default()
        };
        Ok((standing, journal_ids))
    }

    /// Reads what depends on the letters' keys: the numbers of their installations, and the letters that have a verdict already.
    pub async fn read_by_keys(&mut self, connection: &AsyncPgConnection, batch: &[Case]) -> Result<(), Fault> {
        let (numbers, by_id) = join!(read_numbers(connection, batch), read_by_id(connection, batch));
        (self.numbers, self.by_id) = (numbers?, by_id?);
        let reads = batch.iter().filter(|case| case.arrival.read.is_some());
        self.usage = reading::read_usage(connection, reads.filter_map(Case::agency).collect()).await?;
        self.read_by_sequence(connection, batch).await
    }

    /// Reads the stored data for the services that write no records.
    pub async fn read_services(
        &mut self,
        connection: &AsyncPgConnection,
        batch: &[Case],
        settings: &SettlingSettings,
    ) -> Result<(), Fault> {
        self.services = Services::read(connection, batch, settings).await?;
        Ok(())
    }

    /// Finds the letters of the batch whose sequence number has a verdict already.
    async fn read_by_sequence(&mut self, mut connection: &AsyncPgConnection, batch: &[Case]) -> Result<(), Fault> {
        if planted::has(Bug::NoUniqueKey) {
            return Ok(());
        }
        let (mut agencies, mut installations, mut sequences) = (Vec::new(), Vec::new(), Vec::new());
        for (agency, key) in batch.iter().filter_map(Case::claimed_key) {
            // A number above the installation's highest number has no verdict. So this statement is needed only for letters that are sent
            // again, and for offices that use a number twice.
            if let Some(sequence) = key.sequence
                && sequence <= self.numbers(agency, &key.installation).highest
            {
                agencies.push(Some(agency));
                installations.push(Some(key.installation.as_str()));
                sequences.push(Some(sequence));
            }
        }
        if sequences.is_empty() {
            return Ok(());
        }
        let text = "SELECT l.agency, l.installation, l.sequence, l.digest, l.attempt, l.verdict = 'accepted'
                      FROM unnest(?, ?, ?) AS w (agency, installation, sequence)
                      JOIN xm.letters l USING (agency, installation, sequence)";
        let binds = [Bind::Matricules(agencies), Bind::Texts(installations), Bind::Bigints(sequences)];
        let rows: Vec<(Matricule, String, i64, Vec<u8>, i16, bool)> =
            Statement::<(Integer, Text, BigInt, Bytea, SmallInt, Bool)>::new(text, &binds)
                .load(&mut connection)
                .await?;
        for (agency, installation, sequence, digest, attempt, is_accepted) in rows {
            self.by_sequence.insert((agency, installation, sequence), KnownLetter { digest, attempt, is_accepted });
        }
        Ok(())
    }

    /// Returns an agency's revision; `None` if the agency was not read.
    pub fn revision(&self, agency: Matricule) -> Option<i64> {
        self.revisions.get(&agency).copied()
    }

    /// Returns an agency's account; `None` if the agency was not read.
    pub fn account(&self, agency: Matricule) -> Option<Account> {
        self.accounts.get(&agency).copied()
    }

    /// Returns the records and octets that an agency received today.
    pub fn usage(&self, agency: Matricule) -> Usage {
        self.usage.get(&agency).copied().unwrap_or_default()
    }

    /// Returns an installation's numbers; zeros for an unknown installation.
    pub fn numbers(&self, agency: Matricule, installation: &str) -> Numbers {
        self.numbers.get(&(agency, installation.to_owned())).copied().unwrap_or_default()
    }

    /// Returns the letter with this id that already has a verdict.
    pub fn known_by_id(&self, agency: Matricule, letter_id: Uuid) -> Option<&KnownLetter> {
        self.by_id.get(&(agency, letter_id))
    }

    /// Returns the letter with this sequence number that already has a verdict.
    pub fn known_by_sequence(&self, agency: Matricule, installation: &str, sequence: i64) -> Option<&KnownLetter> {
        self.by_sequence.get(&(agency, installation.to_owned(), sequence))
    }
}

/// Reads the revision of the catalogue, and reserves ids of journal lines.
async fn read_server(mut connection: &AsyncPgConnection, letters: usize) -> Result<(i64, Vec<i64>), Fault> {
    let text = "SELECT s.catalogue_revision, ARRAY(SELECT nextval('xm.journal_id') FROM generate_series(1, ?))
                  FROM xm.server s";
    let binds = [Bind::Bigint(i64::try_from(letters).unwrap_or(i64::MAX))];
    let server: Vec<(i64, Vec<i64>)> =
        Statement::<(BigInt, Array<BigInt>)>::new(text, &binds).load(&mut connection).await?;
    server.into_iter().next().ok_or(Fault::NoServer)
}

async fn read_revisions(
    mut connection: &AsyncPgConnection,
    agencies: &[Bind<'_>],
) -> Result<HashMap<Matricule, i64>, Fault> {
    let text = "SELECT matricule, revision FROM xm.agencies WHERE matricule = ANY(?)";
    let rows: Vec<(Matricule, i64)> = Statement::<(Integer, BigInt)>::new(text, agencies).load(&mut connection).await?;
    Ok(rows.into_iter().collect())
}

/// Reads the numbers of the letters' installations.
async fn read_numbers(
    mut connection: &AsyncPgConnection,
    batch: &[Case],
) -> Result<HashMap<(Matricule, String), Numbers>, Fault> {
    let named: BTreeSet<(Matricule, &str)> = batch
        .iter()
        .filter_map(Case::claimed_key)
        .filter(|(_, key)| !key.installation.is_empty())
        .map(|(agency, key)| (agency, key.installation.as_str()))
        .collect();
    let (agencies, names) = named.iter().map(|(agency, name)| (Some(*agency), Some(*name))).unzip();
    let text = "SELECT i.agency, i.name, i.sequence_highest, i.sequence_floor
                  FROM unnest(?, ?) AS n (agency, name)
                  JOIN xm.installations i ON i.agency = n.agency AND i.name = n.name";
    let binds = [Bind::Matricules(agencies), Bind::Texts(names)];
    let rows: Vec<(Matricule, String, i64, i64)> =
        Statement::<(Integer, Text, BigInt, BigInt)>::new(text, &binds).load(&mut connection).await?;
    let numbers = |(agency, name, highest, floor)| ((agency, name), Numbers { highest, floor });
    Ok(rows.into_iter().map(numbers).collect())
}

/// Finds the letters of the batch whose id has a verdict already.
async fn read_by_id(
    mut connection: &AsyncPgConnection,
    batch: &[Case],
) -> Result<HashMap<(Matricule, Uuid), KnownLetter>, Fault> {
    if planted::has(Bug::NoUniqueKey) {
        return Ok(HashMap::new());
    }
    let (mut agencies, mut letters) = (Vec::new(), Vec::new());
    for case in batch {
        let (Content::Signed { signer, digest, .. }, Some(key)) = (&case.arrival.content, case.judged.key()) else {
            continue;
        };
        // If a letter could not use its own id when it first arrived, its verdict is stored under the key made from its digest. So a letter
        // that comes again is searched for under both ids.
        for letter_id in [key.letter_id, Key::of_digest(digest, &key.installation).letter_id] {
            agencies.push(Some(signer.matricule));
            letters.push(Some(letter_id));
        }
    }
    let text = "SELECT l.agency, l.letter_id, l.digest, l.attempt, l.verdict = 'accepted' FROM unnest(?, ?) AS w (agency, letter_id)
                  JOIN xm.letters l ON l.agency = w.agency AND l.letter_id = w.letter_id";
    let binds = [Bind::Matricules(agencies), Bind::Uuids(letters)];
    let rows: Vec<(Matricule, Uuid, Vec<u8>, i16, bool)> =
        Statement::<(Integer, SqlUuid, Bytea, SmallInt, Bool)>::new(text, &binds).load(&mut connection).await?;
    let known = |(agency, letter_id, digest, attempt, is_accepted)| {
        ((agency, letter_id), KnownLetter { digest, attempt, is_accepted })
    };
    Ok(rows.into_iter().map(known).collect())
}
