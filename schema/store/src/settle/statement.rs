//! The statement of an account at the moment when one letter takes effect. It has the committed entries, and the entries of those letters
//! of the batch that take effect before this letter. So a statement up to today closes with the balance in the letter's receipt.

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use diesel::sql_types::{BigInt, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::answer::statement::{self, EntryKind, Statement, StatementEntry};
use sdc::letter::Matricule;
use sdc::request::Period;
use uuid::Uuid;

use super::account::Account;
use super::batch::Case;
use super::decision::Decision;
use super::work::STATEMENT_ENTRIES_MAX;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement as Sql};

/// The first and last day of a statement, with the moments at which they begin and end.
struct Days {
    from: NaiveDate,
    to: NaiveDate,
    begins_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

/// An entry of the account, without the balance after it. `amount` is in minor units, and negative for a charge.
struct Movement {
    at: DateTime<Utc>,
    kind: EntryKind,
    amount: i64,
    letter: Option<Uuid>,
    note: String,
}

/// An accepted letter that requests a statement.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    pub batch: &'a [Case],
    /// The letter's place in the batch.
    pub place: usize,
    /// The agency whose key signed the letter.
    pub agency: Matricule,
    /// The agency's account after the letter's charge.
    pub account: &'a Account,
    pub period: Period,
}

/// The subject of a statement: its agency, its period, and the moment for which it is made.
struct Subject<'a> {
    agency: Matricule,
    account: &'a Account,
    period: Period,
    as_of: DateTime<Utc>,
    currency: &'a str,
    /// Largest number of entries that are listed. If there are more, the newest are listed.
    entries_max: usize,
}

/// Reads the statement that a letter requests.
///
/// # Errors
/// A fault of the database.
pub async fn read(connection: &AsyncPgConnection, asking: Asking<'_>, currency: &str) -> Result<Statement, Fault> {
    let Asking { batch, place, agency, account, period } = asking;
    let as_of = batch[place].arrival.received_at;
    let subject = Subject { agency, account, period, as_of, currency, entries_max: STATEMENT_ENTRIES_MAX };
    tell(connection, subject, before(batch, place)).await
}

/// Reads an agency's statement from the committed entries; `None` if the agency has no account. The caller's transaction must use one
/// snapshot. Otherwise an entry posted meanwhile could be listed without being part of the balance.
///
/// # Errors
/// A fault of the database.
pub(crate) async fn of_agency(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    period: Period,
    entries_max: usize,
) -> Result<Option<Statement>, Fault> {
    type Row = (Integer, BigInt, BigInt, Text, Timestamptz);
    let text =
        "SELECT a.id, a.balance, a.credit_limit, s.currency, now() FROM xm.accounts a, xm.server s WHERE a.agency = ?";
    let rows: Vec<(i32, i64, i64, String, DateTime<Utc>)> =
        Sql::<Row>::new(text, &[Bind::Matricule(agency)]).load(connection).await?;
    let Some((id, balance, credit_limit, currency, as_of)) = rows.into_iter().next() else { return Ok(None) };
    let account = &Account { id, balance, credit_limit };
    let subject = Subject { agency, account, period, as_of, currency: &currency, entries_max };
    tell(connection, subject, Vec::new()).await.map(Some)
}

/// Makes the statement from the committed entries and the movements in `beside`, which take effect after them.
async fn tell(connection: &AsyncPgConnection, subject: Subject<'_>, beside: Vec<Movement>) -> Result<Statement, Fault> {
    let Subject { agency, account, period, as_of, currency, entries_max } = subject;
    let days = read_days(connection, period, as_of).await?;
    let (total, after) = read_sums(connection, agency, account, &days).await?;
    let mut movements = read_movements(connection, agency, account, &days, entries_max).await?;
    let (of_batch, later): (Vec<Movement>, Vec<Movement>) =
        beside.into_iter().partition(|movement| movement.at < days.ends_at);
    let of_batch: Vec<Movement> = of_batch.into_iter().filter(|movement| movement.at >= days.begins_at).collect();
    let total = total.saturating_add(i64::try_from(of_batch.len()).unwrap_or(i64::MAX));
    movements.extend(of_batch);
    movements.drain(..movements.len().saturating_sub(entries_max));

    let after = later.iter().fold(after, |sum, movement| sum.saturating_add(movement.amount));
    let closing = account.balance.saturating_sub(after);
    let opening = movements.iter().fold(closing, |balance, movement| balance.saturating_sub(movement.amount));
    let mut balance = opening;
    let entry = |Movement { at, kind, amount, letter, note }| {
        balance = balance.saturating_add(amount);
        let note = Some(note).filter(|note| !note.is_empty());
        StatementEntry { at: at.trunc_subsecs(0), kind, amount, balance, letter, note }
    };
    Ok(Statement {
        from: days.from,
        to: days.to,
        currency: currency.to_owned(),
        opening,
        closing,
        credit_limit: account.credit_limit,
        entries_total: u32::try_from(total).unwrap_or(u32::MAX),
        entries: movements.into_iter().map(entry).collect(),
    })
}

/// Divides a statement into at most `parts_max` parts. `fits` says whether entries with this number of octets of JSON fit into a part. An
/// entry that does not fit into any part gets a part of its own. If there are more entries than fit into all parts, the oldest are left
/// out.
pub fn divide(whole: Statement, parts_max: usize, fits: impl Fn(usize) -> bool) -> Vec<Statement> {
    let Statement { from, to, currency, mut opening, closing, credit_limit, entries_total, entries } = whole;
    // Parts are filled from the newest entry back. If not all entries fit, the oldest are then the ones that are left out.
    let mut parts: Vec<Vec<StatementEntry>> = vec![Vec::new()];
    let mut octets = 0;
    for entry in entries.into_iter().rev() {
        // In the JSON, each entry but the last has a comma after it, hence one octet more.
        let own = serde_json::to_vec(&entry).map_or(usize::MAX, |json| json.len() + 1);
        let open = parts.last_mut().filter(|part| part.is_empty() || fits(octets + own));
        if let Some(part) = open {
            octets += own;
            part.push(entry);
        } else if parts.len() < parts_max {
            octets = own;
            parts.push(vec![entry]);
        } else {
            opening = entry.balance;
            break;
        }
    }
    let part = |mut entries: Vec<StatementEntry>| {
        entries.reverse();
        Statement { from, to, currency: currency.clone(), opening, closing, credit_limit, entries_total, entries }
    };
    parts.into_iter().rev().map(part).collect()
}

/// Returns a copy of the statement without entries, to find out how much room a part needs besides its entries: the JSON of the copy is at
/// least as long as the JSON of any part without the part's entries.
pub fn widest_frame(whole: &Statement) -> Statement {
    let Statement { from, to, ref currency, closing, credit_limit, entries_total, .. } = *whole;
    let currency = currency.clone();
    Statement { from, to, currency, opening: i64::MIN, closing, credit_limit, entries_total, entries: Vec::new() }
}

/// Reads the days that the letter requests, in the centre's time zone.
async fn read_days(
    mut connection: &AsyncPgConnection,
    period: Period,
    received_at: DateTime<Utc>,
) -> Result<Days, Fault> {
    let text =
        "SELECT d.first, d.last, d.first::timestamp AT TIME ZONE d.zone, (d.last + 1)::timestamp AT TIME ZONE d.zone
                  FROM (SELECT l.zone, l.last, coalesce(l.first, date_trunc('month', l.last)::date) AS first
                          FROM (SELECT s.zone, a.first[1] AS first,
                       coalesce(a.last[1], greatest(a.first[1], (a.taken AT TIME ZONE s.zone)::date)) AS last
                                  FROM xm.server s, (SELECT ? AS first, ? AS last, ? AS taken) a) l) d";
    let binds = [Bind::Dates(vec![period.from]), Bind::Dates(vec![period.to]), Bind::Timestamptz(received_at)];
    let rows: Vec<(NaiveDate, NaiveDate, DateTime<Utc>, DateTime<Utc>)> =
        Sql::<(Date, Date, Timestamptz, Timestamptz)>::new(text, &binds).load(&mut connection).await?;
    let (from, to, begins_at, ends_at) = rows.into_iter().next().ok_or(Fault::NoServer)?;
    Ok(Days { from, to, begins_at, ends_at })
}

/// Returns the number of movements in the period, and the sum of the movements after it in minor units.
async fn read_sums(
    mut connection: &AsyncPgConnection,
    agency: Matricule,
    account: &Account,
    days: &Days,
) -> Result<(i64, i64), Fault> {
    let text = "SELECT count(*) FILTER (WHERE e.posted_at < n.ends_at),
                       coalesce(sum(CASE WHEN e.credit = n.account THEN e.amount ELSE -e.amount END)
                                FILTER (WHERE e.posted_at >= n.ends_at), 0)::bigint
                  FROM (SELECT ? AS account, ? AS agency, ? AS begins_at, ? AS ends_at) n
                  JOIN xm.entries e ON e.agency = n.agency AND e.posted_at >= n.begins_at";
    let binds = [
        Bind::Integer(account.id),
        Bind::Matricule(agency),
        Bind::Timestamptz(days.begins_at),
        Bind::Timestamptz(days.ends_at),
    ];
    let rows: Vec<(i64, i64)> = Sql::<(BigInt, BigInt)>::new(text, &binds).load(&mut connection).await?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// Reads the newest movements of the period, in the order in which they took effect.
async fn read_movements(
    mut connection: &AsyncPgConnection,
    agency: Matricule,
    account: &Account,
    days: &Days,
    entries_max: usize,
) -> Result<Vec<Movement>, Fault> {
    type Row = (Timestamptz, Text, BigInt, Nullable<SqlUuid>, Text);
    type Loaded = (DateTime<Utc>, String, i64, Option<Uuid>, String);
    // The newest movements are found by the index of their times, whose order is nearly the order in which they took effect. They are then
    // listed by their ids, whose order is exactly that order. The two differ because letters of one batch take effect by sequence number,
    // not by arrival.
    let text =
        "SELECT s.posted_at, s.kind, CASE WHEN s.credit = ? THEN s.amount ELSE -s.amount END, s.letter_id, s.note
                  FROM (SELECT * FROM xm.entries WHERE agency = ? AND posted_at >= ? AND posted_at < ?
                         ORDER BY posted_at DESC, id DESC LIMIT ?) s
                 ORDER BY s.id";
    let binds = [
        Bind::Integer(account.id),
        Bind::Matricule(agency),
        Bind::Timestamptz(days.begins_at),
        Bind::Timestamptz(days.ends_at),
        Bind::Bigint(i64::try_from(entries_max).unwrap_or(i64::MAX)),
    ];
    let rows: Vec<Loaded> = Sql::<Row>::new(text, &binds).load(&mut connection).await?;
    let movement = |(at, kind, amount, letter, note): Loaded| {
        // Another tool may have written a note in a form that the readers of statements refuse, so the note is normalized.
        Ok(Movement { at, kind: read_kind(&kind)?, amount, letter, note: statement::note(&note) })
    };
    rows.into_iter().map(movement).collect()
}

fn read_kind(kind: &str) -> Result<EntryKind, Fault> {
    match kind {
        "letter" => Ok(EntryKind::Letter),
        "recharge" => Ok(EntryKind::Recharge),
        "voucher" => Ok(EntryKind::Voucher),
        "manual" => Ok(EntryKind::Manual),
        "reversal" => Ok(EntryKind::Reversal),
        _ => Err(Fault::Unreadable {
            what: "the kind",
            subject: "an entry in xm.entries".to_owned(),
            expected: "expected letter, recharge, voucher, manual or reversal",
        }),
    }
}

/// Returns the charges and credits of those letters in the batch that belong to the same agency as the letter at `place` and take effect
/// before it. The result is in the order in which the letters take effect.
fn before(batch: &[Case], place: usize) -> Vec<Movement> {
    let accepted = move |at: usize| match (&batch[at].decision, batch[at].agency()) {
        (Decision::Accepted { key, acceptance, .. }, Some(agency)) => Some((key, acceptance, agency)),
        _ => None,
    };
    let asking = accepted(place).map(|(key, _, agency)| (agency, key.order_of_effect(place)));
    let before = |at: usize| {
        let (key, acceptance, agency) = accepted(at)?;
        let (of, asking) = asking.as_ref()?;
        let place = key.order_of_effect(at);
        let (credit, charged) = (acceptance.effect.credit(), acceptance.price.amount);
        let is_before = agency == *of && place < *asking && (charged > 0 || credit.is_some());
        is_before.then(|| {
            let at = batch[at].arrival.received_at;
            let movement = match credit {
                // The movement must equal the entry in the ledger. An entry refers to a letter only if it is a charge.
                Some(credit) => Movement {
                    at,
                    kind: EntryKind::Voucher,
                    amount: credit.amount,
                    letter: None,
                    note: credit.note.clone(),
                },
                None => Movement {
                    at,
                    kind: EntryKind::Letter,
                    amount: -charged,
                    letter: Some(key.letter_id),
                    note: String::new(),
                },
            };
            (place, movement)
        })
    };
    let mut movements: Vec<_> = (0..batch.len()).filter_map(before).collect();
    movements.sort_by_key(|(place, _)| *place);
    movements.into_iter().map(|(_, movement)| movement).collect()
}
