//! The rooms of quarantine for containers without a known signer: one for each reason, and one for mails that an agency vouches for, in
//! which each agency has a part. All rooms together are the total.

use std::collections::{BTreeMap, HashMap};

use diesel::sql_types::{BigInt, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::settle::SettlingSettings;

/// Name, among the reasons, of the room for mails that an agency vouches for.
const VOUCHED: &str = "vouched";

/// What is kept in the rooms that a batch may need, which are locked until its end.
pub struct Rooms {
    kept: HashMap<String, i64>,
    of_agencies: HashMap<Matricule, i64>,
}

impl Rooms {
    /// Locks the rooms that a batch may need, those of its reasons and of the agencies that vouch for mails of it, and reads what is
    /// kept there.
    pub async fn lock(
        connection: &mut AsyncPgConnection,
        reasons: impl Iterator<Item = &'static str>,
        vouchers: Vec<Option<Matricule>>,
    ) -> Result<Rooms, Fault> {
        let vouched = (!vouchers.is_empty()).then_some(VOUCHED);
        let binds = [Bind::Texts(reasons.chain(vouched).map(Some).collect())];
        // The row is the room's lock, taken in the order of reasons, so that two batches cannot both use the last room.
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

    /// Takes room for a mail that an agency vouches for, and says whether that agency's part had enough.
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

    /// Takes room of a reason, and says whether there was enough. With `has_to_be` it is taken beyond the ceiling too.
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

/// Bytes that a batch has added, by room.
#[derive(Default)]
pub struct Booked {
    rooms: BTreeMap<&'static str, i64>,
    of_agencies: BTreeMap<Matricule, i64>,
}

impl Booked {
    /// Adds an entry.
    pub fn add(&mut self, reason: &'static str, vouched_by: Option<Matricule>, bytes: i64) {
        if let Some(agency) = vouched_by {
            *self.of_agencies.entry(agency).or_default() += bytes;
        }
        *self.rooms.entry(if vouched_by.is_some() { VOUCHED } else { reason }).or_default() += bytes;
    }

    /// Adds these bytes to the rooms in the database.
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

/// Gives back the room that an entry has taken, of its reason or of the agency that vouches for it.
///
/// # Errors
/// A fault.
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
