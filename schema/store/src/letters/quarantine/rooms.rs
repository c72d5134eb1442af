//! Rooms: limits on the bytes that the quarantine keeps of containers without a known signer. Each reason of refusal has a room of its own.
//! Besides these, the room `vouched` is for mails in which a registered agency signed another letter: that agency vouches for the mail, and
//! may use only a part of the room. The sizes of all rooms add up to `stranger_bytes_max`.

use std::collections::{BTreeMap, HashMap};

use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::settle::SettlingSettings;

/// Key in `xm.quarantine_usage` of the room for mails in which a registered agency signed another letter. The keys of all other rooms are
/// reasons of refusal.
const VOUCHED: &str = "vouched";

/// Number of bytes that the quarantine keeps in each room that a batch may use, and for each agency that vouches for a mail of the batch.
/// The rows of the rooms stay locked until the transaction ends, so that no other batch counts on the same free bytes.
pub struct Rooms {
    kept: HashMap<String, i64>,
    of_agencies: HashMap<Matricule, i64>,
}

impl Rooms {
    /// Locks the rows in `xm.quarantine_usage` of the rooms that a batch may use: those of its `reasons`, and the row `vouched` if agencies
    /// vouch for mails of the batch (`vouchers`). Reads how many bytes are kept in each room and for each of these agencies.
    pub async fn lock(
        connection: &mut AsyncPgConnection,
        reasons: impl Iterator<Item = &'static str>,
        vouchers: Vec<Option<Matricule>>,
    ) -> Result<Rooms, Fault> {
        let vouched = (!vouchers.is_empty()).then_some(VOUCHED);
        let binds = [Bind::Texts(reasons.chain(vouched).map(Some).collect())];
        // The row of a room in `xm.quarantine_usage` is the room's lock, so that two batches cannot both use its last free bytes. Every
        // batch locks the rows in the order of reasons, to avoid a deadlock.
        let text = "INSERT INTO xm.quarantine_usage (reason, bytes_kept) SELECT reason, 0 FROM unnest(?) AS n (reason)
                     ORDER BY reason ON CONFLICT (reason) DO NOTHING";
        Statement::<()>::new(text, &binds).execute(connection).await?;
        let text =
            "SELECT reason, bytes_kept FROM xm.quarantine_usage WHERE reason = ANY(?) ORDER BY reason FOR UPDATE";
        let kept: Vec<(String, i64)> = Statement::<(Text, BigInt)>::new(text, &binds).load(connection).await?;
        let mut of_agencies = HashMap::new();
        if vouched.is_some() {
            let text = "SELECT agency, bytes_kept FROM xm.quarantine_vouched WHERE agency = ANY(?)";
            let binds = [Bind::Matricules(vouchers)];
            let known: Vec<(Matricule, i64)> =
                Statement::<(Integer, BigInt)>::new(text, &binds).load(connection).await?;
            of_agencies.extend(known);
        }
        Ok(Rooms { kept: kept.into_iter().collect(), of_agencies })
    }

    /// Reserves bytes in the room `vouched` for a mail in which this agency signed another letter. If the bytes exceed the limit of the
    /// agency or of the whole room, reserves nothing and returns `false`.
    pub fn take_vouched(&mut self, agency: Matricule, bytes: i64, settings: &SettlingSettings) -> bool {
        let of_agency = self.of_agencies.entry(agency).or_default();
        let all = self.kept.entry(VOUCHED.to_owned()).or_default();
        let (of_agency_with_it, all_with_it) = (of_agency.saturating_add(bytes), all.saturating_add(bytes));
        let fits = of_agency_with_it <= ceiling(settings.vouched_bytes_of_agency())
            && all_with_it <= ceiling(settings.vouched_bytes_max());
        if fits {
            (*of_agency, *all) = (of_agency_with_it, all_with_it);
        }
        fits
    }

    /// Reserves bytes in the room of a reason of refusal. If the bytes exceed the room's limit, reserves nothing and returns `false`. If
    /// `has_to_be` is set, the bytes are reserved even beyond the limit.
    pub fn take(&mut self, reason: &str, bytes: i64, settings: &SettlingSettings, has_to_be: bool) -> bool {
        let kept = self.kept.entry(reason.to_owned()).or_default();
        let with_it = kept.saturating_add(bytes);
        let fits = has_to_be || with_it <= ceiling(settings.stranger_bytes_of_reason());
        if fits {
            *kept = with_it;
        }
        fits
    }
}

fn ceiling(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Bytes of the quarantine entries that a batch has inserted, by room and by vouching agency, before [`Booked::write`] adds them in the
/// database.
#[derive(Default)]
pub struct Booked {
    rooms: BTreeMap<&'static str, i64>,
    of_agencies: BTreeMap<Matricule, i64>,
}

impl Booked {
    /// Adds the bytes of an entry to the room `vouched` and its agency, or to the room of its reason if `vouched_by` is `None`.
    pub fn add(&mut self, reason: &'static str, vouched_by: Option<Matricule>, bytes: i64) {
        if let Some(agency) = vouched_by {
            *self.of_agencies.entry(agency).or_default() += bytes;
        }
        *self.rooms.entry(if vouched_by.is_some() { VOUCHED } else { reason }).or_default() += bytes;
    }

    /// Adds the counted bytes to the rows of the rooms in `xm.quarantine_usage`, and of the agencies in `xm.quarantine_vouched`.
    pub async fn write(self, connection: &mut AsyncPgConnection) -> Result<(), Fault> {
        let (rooms, bytes) = self.rooms.iter().map(|(room, bytes)| (Some(*room), Some(*bytes))).unzip();
        let text = "UPDATE xm.quarantine_usage u SET bytes_kept = u.bytes_kept + n.bytes
                      FROM unnest(?, ?) AS n (reason, bytes) WHERE u.reason = n.reason";
        Statement::<()>::new(text, &[Bind::Texts(rooms), Bind::Bigints(bytes)]).execute(connection).await?;
        if self.of_agencies.is_empty() {
            return Ok(());
        }
        let (agencies, bytes) = self.of_agencies.iter().map(|(agency, bytes)| (Some(*agency), Some(*bytes))).unzip();
        let text = "INSERT INTO xm.quarantine_vouched AS v (agency, bytes_kept) SELECT * FROM unnest(?, ?)
                        ON CONFLICT (agency) DO UPDATE SET bytes_kept = v.bytes_kept + excluded.bytes_kept";
        Statement::<()>::new(text, &[Bind::Matricules(agencies), Bind::Bigints(bytes)]).execute(connection).await?;
        Ok(())
    }
}

/// Subtracts the bytes of an entry whose original is about to be deleted: from the room `vouched` and the agency that vouches for the mail,
/// or from the room of the reason if `vouched_by` is `None`.
///
/// # Errors
/// A fault of the database.
pub async fn give_back(
    connection: &mut AsyncPgConnection,
    reason: &str,
    vouched_by: Option<Matricule>,
    bytes: i64,
) -> Result<(), Fault> {
    let room = if vouched_by.is_some() { VOUCHED } else { reason };
    let text = "UPDATE xm.quarantine_usage u SET bytes_kept = greatest(0, u.bytes_kept - n.bytes)
                  FROM unnest(?, ?) AS n (reason, bytes) WHERE u.reason = n.reason";
    let binds = [Bind::Texts(vec![Some(room)]), Bind::Bigints(vec![Some(bytes)])];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    if vouched_by.is_some() {
        let text = "UPDATE xm.quarantine_vouched v SET bytes_kept = greatest(0, v.bytes_kept - n.bytes)
                      FROM unnest(?, ?) AS n (agency, bytes) WHERE v.agency = n.agency";
        let binds = [Bind::Matricules(vec![vouched_by]), Bind::Bigints(vec![Some(bytes)])];
        Statement::<()>::new(text, &binds).execute(connection).await?;
    }
    Ok(())
}
