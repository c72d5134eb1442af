//! Writes the journal, and stores the original bytes of accepted letters.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sdc::letter::Matricule;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, runs, unnested};
use crate::settle::arrival::{Arrival, Content, Outcome};
use crate::settle::batch::Case;
use crate::settle::decision::{Acceptance, Decision};
use crate::settle::flags::count_new;
use crate::settle::judge::Key;
use crate::settle::written::Written;

/// The line of an arrival in `xm.journal`.
struct JournalLine<'a> {
    id: Option<i64>,
    arrival: &'a Arrival,
    /// Time when the container arrived, or when an operator had it tried again.
    at: DateTime<Utc>,
    agency: Option<Matricule>,
    key: Option<&'a Key>,
    digest: Option<&'a [u8]>,
    service: Option<&'static str>,
    outcome: Outcome,
    /// Number of the attempt at the letter; `None` if there is no letter.
    attempt: Option<i16>,
    rows: usize,
    flags: usize,
    cost: i64,
    skew_seconds: Option<i64>,
}

impl<'a> JournalLine<'a> {
    fn new(case: &'a Case, at: DateTime<Utc>) -> JournalLine<'a> {
        let key = match &case.decision {
            Decision::Stranger(_) | Decision::Deferred => None,
            Decision::Duplicate(key)
            | Decision::Accepted { key, .. }
            | Decision::Refused { key, .. }
            | Decision::Held { key, .. } => Some(key),
        };
        let digest = match &case.arrival.content {
            Content::Stranger(_) => None,
            Content::Signed { digest, .. } => Some(digest.as_bytes().as_slice()),
        };
        let acceptance = case.acceptance();
        JournalLine {
            id: case.journal_id,
            arrival: &case.arrival,
            at,
            agency: case.agency(),
            key,
            digest,
            service: case.letter().map(|letter| letter.request.service().name()),
            outcome: case.outcome(),
            attempt: key.map(|key| key.attempt),
            rows: acceptance.map_or(0, Acceptance::new_rows),
            flags: acceptance.map_or(0, count_new),
            cost: acceptance.map_or(0, |acceptance| acceptance.price.amount),
            skew_seconds: case.skew_seconds(),
        }
    }
}

impl Written {
    /// Writes a journal line for each letter. No line is written for a letter that quarantine only counted (`counted`), for a deferred
    /// letter, or for a settled letter that the centre fetched again although nobody sent it again.
    pub(super) async fn insert_journal(&self, counted: &HashSet<usize>) -> Result<(), Fault> {
        let has_line = |place: usize, case: &Case| {
            !counted.contains(&place) && !matches!(case.outcome(), Outcome::Deferred | Outcome::SettledBefore)
        };
        let cases = self.batch.iter().enumerate().filter(|(place, case)| has_line(*place, case));
        let lines: Vec<JournalLine> =
            cases.map(|(_, case)| JournalLine::new(case, self.decided_at(&case.arrival))).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Bigints(lines.iter().map(|line| line.id).collect()),
            Bind::Timestamptzs(lines.iter().map(|line| Some(line.at)).collect()),
            Bind::Matricules(lines.iter().map(|line| line.agency).collect()),
            Bind::Texts(lines.iter().map(|line| line.key.map(|key| key.installation.as_str())).collect()),
            Bind::Uuids(lines.iter().map(|line| line.key.map(|key| key.letter_id)).collect()),
            Bind::Bigints(lines.iter().map(|line| line.key.and_then(|key| key.sequence)).collect()),
            Bind::Byteas(lines.iter().map(|line| line.digest).collect()),
            Bind::Texts(lines.iter().map(|line| line.service).collect()),
            Bind::Texts(lines.iter().map(|line| Some(line.outcome.as_str())).collect()),
            Bind::Texts(lines.iter().map(|line| Some(line.arrival.source.transport)).collect()),
            Bind::Texts(lines.iter().map(|line| Some(&*line.arrival.source.mailbox)).collect()),
            Bind::Texts(lines.iter().map(|line| Some(line.arrival.source.sender_domain.as_str())).collect()),
            Bind::Integers(lines.iter().map(|line| Some(saturating(line.arrival.rendered_bytes))).collect()),
            Bind::Integers(lines.iter().map(|line| Some(saturating(line.rows))).collect()),
            Bind::Integers(lines.iter().map(|line| Some(saturating(line.flags))).collect()),
            Bind::Bigints(lines.iter().map(|line| Some(line.cost)).collect()),
            Bind::Bigints(lines.iter().map(|line| line.skew_seconds).collect()),
            Bind::Smallints(lines.iter().map(|line| line.attempt).collect()),
        ];
        let text = format!(
            "INSERT INTO xm.journal (id, received_at, agency, installation, letter_id, sequence, digest, service, outcome,
                                     transport, mailbox, sender_domain, container_bytes, row_count, flag_count, cost, skew_seconds, attempt)
             SELECT {}",
            unnested(binds.len())
        );
        self.execute(&text, &binds).await?;
        Ok(())
    }

    /// Stores the original bytes of accepted letters. Quarantine stores the bytes of the other letters.
    pub(super) async fn insert_originals(&self) -> Result<(), Fault> {
        let accepted: Vec<&Case> = self.batch.iter().filter(|case| case.acceptance().is_some()).collect();
        for run in runs(&accepted, |case| case.arrival.container.len()) {
            let binds = [
                Bind::Bigints(run.iter().map(|case| case.journal_id).collect()),
                Bind::Timestamptzs(run.iter().map(|case| Some(self.decided_at(&case.arrival))).collect()),
                Bind::Byteas(run.iter().map(|case| Some(case.arrival.container.as_slice())).collect()),
            ];
            let text =
                "INSERT INTO xm.originals (journal_id, received_at, container) SELECT unnest(?), unnest(?), unnest(?)";
            self.execute(text, &binds).await?;
        }
        Ok(())
    }
}

/// Returns the number as a PostgreSQL `integer`; a larger number becomes the largest `integer`. A mail server may report any size, and the
/// statement must not fail for it.
fn saturating(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
