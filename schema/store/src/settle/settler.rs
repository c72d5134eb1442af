//! The settler: opens the transaction of a batch, judges its letters under the agencies' locks, and writes their rows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use diesel_async::AsyncPgConnection;
use futures_util::join;
use sdc::letter::Matricule;
use tokio::task::yield_now;

use super::arrival::Arrival;
use super::batch::{Batch, Case};
use super::bodies::Bodies;
use super::corrections::look_up::look_up;
use super::decide::Knowledge;
use super::groups::Groups;
use super::life::Life;
use super::retry::Retry;
use super::rounds::Rounds;
use super::settings::SettlingSettings;
use super::settled::{Settled, Unsettled};
use super::standing::Standing;
use super::transaction::OpenTransaction;
use super::withheld::Withheld;
use super::written::Written;
use super::{defaults, enrolments, groups, judge};
use crate::centre::identity::with_revision;
use crate::certificates::signers::{self, Signer};
use crate::database::fault::Fault;
use crate::database::{Connection, Database};
use crate::tables::catalogue::Catalogue;

/// Settles batches. A `Settler` can be shared cheaply. It caches the catalogue, and every transaction checks that the cached copy is
/// current.
pub struct Settler {
    database: Database,
    settings: SettlingSettings,
    catalogue: ArcSwapOption<Catalogue>,
    life: Life,
    pub(super) withheld: Arc<Withheld>,
}

impl Settler {
    /// Makes a settler.
    pub fn new(database: Database, settings: SettlingSettings) -> Settler {
        Settler {
            database,
            settings,
            catalogue: ArcSwapOption::empty(),
            life: Life::default(),
            withheld: Arc::default(),
        }
    }

    /// Opens the transaction, decides every letter and writes the rows of the accepted letters.
    ///
    /// # Errors
    /// [`Unsettled`] with the batch; the transaction is rolled back.
    pub async fn write(&self, batch: Vec<Arrival>) -> Result<Written, Unsettled> {
        self.write_as(batch, None).await
    }

    /// Writes as [`Settler::write`] does, but tries refused and held letters again.
    ///
    /// # Errors
    /// [`Unsettled`], as for [`Settler::write`].
    pub async fn write_again(&self, batch: Vec<Arrival>, retry: Retry) -> Result<Written, Unsettled> {
        self.write_as(batch, Some(retry)).await
    }

    /// Settles a batch: writes its rows, writes its verdicts, and commits.
    ///
    /// # Errors
    /// [`Unsettled`], as for [`Settler::write`] and [`Written::post`].
    pub async fn settle(&self, batch: Vec<Arrival>) -> Result<Settled, Unsettled> {
        self.write(batch).await?.post().await
    }

    async fn write_as(&self, mut arrivals: Vec<Arrival>, retry: Option<Retry>) -> Result<Written, Unsettled> {
        let (connection, catalogue, epoch) = match self.connect().await {
            Ok(connected) => connected,
            Err(fault) => return Err(Unsettled { fault, batch: arrivals }),
        };
        let mut transaction = OpenTransaction::on(connection);
        let has_enrolments = arrivals.iter().any(|arrival| arrival.enrolment.is_some());
        let mut enrolments_locked = Vec::new();
        if has_enrolments {
            match self.admit(&mut transaction, &mut arrivals, &catalogue).await {
                Ok(locked) => enrolments_locked = locked,
                Err(fault) => return Err(Unsettled { fault, batch: arrivals }),
            }
        }
        let (locked, batch) = begin(&transaction, has_enrolments, arrivals, &catalogue).await;
        let (standing, journal_ids) = match locked {
            Ok(locked) => locked,
            Err(fault) => return Err(Unsettled { fault, batch: batch.into_arrivals() }),
        };
        let (bodies, settings, withheld) = (Bodies::new(), self.settings.clone(), Arc::clone(&self.withheld));
        let mut written = Written {
            transaction,
            batch,
            bodies,
            standing,
            catalogue,
            settings,
            withheld,
            retry,
            enrolments_locked,
            epoch,
        };
        match self.write_rows(&mut written, journal_ids).await {
            Ok(()) => Ok(written),
            Err(fault) => Err(Unsettled { fault, batch: written.batch.into_arrivals() }),
        }
    }

    /// Begins a transaction and judges the enrolments. This happens before all other letters are judged, so that the letter of an admitted
    /// sender is settled like any other. Returns the agencies whose enrolment code was locked now, because too many wrong codes were sent
    /// in their name.
    async fn admit(
        &self,
        transaction: &mut OpenTransaction,
        arrivals: &mut [Arrival],
        catalogue: &Catalogue,
    ) -> Result<Vec<Matricule>, Fault> {
        transaction.begin().await?;
        enrolments::admit(transaction.connection(), arrivals, &catalogue.server, &self.settings).await
    }

    async fn connect(&self) -> Result<(Connection, Arc<Catalogue>, u32), Fault> {
        let mut connection = self.database.get().await?;
        let epoch = self.life.of(&mut connection).await?;
        let catalogue = match self.catalogue.load_full() {
            Some(catalogue) => catalogue,
            None => self.reload_catalogue(&mut connection).await?,
        };
        Ok((connection, catalogue, epoch))
    }

    /// Borrows a connection. Returns it with the catalogue as it is committed now, since the cached one may be outdated.
    pub(super) async fn connect_now(&self) -> Result<(Connection, Arc<Catalogue>), Fault> {
        let (mut connection, catalogue, _epoch) = self.connect().await?;
        let (_server, revision) = with_revision(&mut connection).await?;
        if catalogue.revision == revision {
            return Ok((connection, catalogue));
        }
        let catalogue = self.reload_catalogue(&mut connection).await?;
        Ok((connection, catalogue))
    }

    async fn reload_catalogue(&self, connection: &mut AsyncPgConnection) -> Result<Arc<Catalogue>, Fault> {
        let catalogue = Arc::new(Catalogue::load(connection).await?);
        self.catalogue.store(Some(Arc::clone(&catalogue)));
        Ok(catalogue)
    }

    /// Reads the data that the decisions need while the agencies are locked, decides, and writes the rows of accepted letters.
    async fn write_rows(&self, written: &mut Written, journal_ids: Vec<i64>) -> Result<(), Fault> {
        let Written { transaction, batch, standing, catalogue, .. } = written;
        batch.number(journal_ids)?;
        let connection = transaction.connection();
        if standing.catalogue_revision != catalogue.revision {
            *catalogue = self.reload_catalogue(connection).await?;
            batch.judge_again(catalogue);
        }
        judge_stale_again(connection, batch, standing, catalogue).await?;
        defaults::fill(connection, batch).await?;
        standing.read_by_keys(connection, batch).await?;
        standing.read_services(connection, batch, &self.settings).await?;
        let mut broken = look_up(transaction, batch).await?;
        let Groups { holdings, broken: unread } = groups::hold(transaction, batch, catalogue).await?;
        broken.extend(unread);

        let now = Instant::now();
        for (definition, fault) in &broken {
            self.withheld.add_table(definition, fault, catalogue.revision, now);
        }
        let knowledge = Knowledge {
            holdings,
            withheld: self.withheld.tables(catalogue.revision, now),
            waiting: self.withheld.letters(batch, now),
            retried_at: written.retry.as_ref().map(|retry| retry.decided_at),
            ruling: written.retry.as_ref().map(|retry| retry.ruling.clone()),
            ..Knowledge::default()
        };
        let rounds = Rounds {
            transaction,
            batch,
            standing,
            catalogue,
            withheld: &self.withheld,
            usual: self.database.limits(),
            held_bytes_max: self.settings.held_bytes_max,
            knowledge,
        };
        written.bodies = rounds.run().await?;
        Ok(())
    }
}

/// Begins the transaction and locks the accounts of the letters' agencies. Returns the standing of the agencies, the reserved ids of
/// journal lines, and the batch, in which each letter is judged alone.
async fn begin(
    transaction: &OpenTransaction,
    has_begun: bool,
    arrivals: Vec<Arrival>,
    catalogue: &Catalogue,
) -> (Result<(Standing, Vec<i64>), Fault>, Batch) {
    let agencies = arrivals.iter().filter_map(Arrival::agency).collect();
    let locking = Standing::lock(transaction.shared(), agencies, arrivals.len());
    // Letters are judged while PostgreSQL takes the locks, and the locks are held until the judging ends. The locks delay only operators
    // who change the agency, and other processes that settle letters of the agency.
    let judging = async {
        yield_now().await;
        Batch::judged(arrivals, catalogue)
    };
    let beginning = async { if has_begun { Ok(()) } else { transaction.begin().await } };
    let (begun, locked, batch) = join!(beginning, locking, judging);
    (begun.and(locked), batch)
}

/// Judges some letters again: letters whose agency was changed after its signer was cached, and letters that arrived outside the validity
/// of the cached certificate, since another certificate of the same key may have been valid then.
async fn judge_stale_again(
    connection: &mut AsyncPgConnection,
    batch: &mut [Case],
    standing: &Standing,
    catalogue: &Catalogue,
) -> Result<(), Fault> {
    let is_stale = |arrival: &Arrival, signer: &Signer| {
        standing.revision(signer.matricule) != Some(signer.revision) || signer.may_be_valid_at(arrival.received_at)
    };
    let stale: Vec<&Signer> = batch
        .iter()
        .filter_map(|case| case.signer().map(Arc::as_ref).filter(|signer| is_stale(&case.arrival, signer)))
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    let fresh: HashMap<_, _> = signers::reload(connection, &stale).await?;
    for case in batch {
        if let Some(signer) = case.signer().and_then(|signer| fresh.get(&signer.certificate_id)) {
            case.judged = judge::judge_for(&case.arrival, signer, catalogue);
        }
    }
    Ok(())
}
