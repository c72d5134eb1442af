//! Settles the readings of accepted letters: marks the readings as settled, and counts them for the quota of the day.

use std::collections::BTreeMap;

use sdc::letter::Matricule;

use crate::database::fault::Fault;
use crate::database::statement::Bind;
use crate::reading::Usage;
use crate::settle::batch::Case;
use crate::settle::decide::usage_of;
use crate::settle::verdict::VerdictRow;
use crate::settle::written::Written;

impl Written {
    /// Marks the stored readings as settled. If a reading was deleted while its letter waited, this returns a fault, and the answer is read
    /// again.
    pub(super) async fn take_readings(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let read: Vec<_> = verdicts.iter().filter_map(|verdict| Some((verdict, verdict.staged.as_ref()?))).collect();
        if read.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Uuids(read.iter().map(|(_, staged)| Some(staged.id)).collect()),
            Bind::Matricules(read.iter().map(|(verdict, _)| Some(verdict.agency)).collect()),
            Bind::Uuids(read.iter().map(|(verdict, _)| Some(verdict.key.letter_id)).collect()),
            Bind::Smallints(read.iter().map(|(verdict, _)| Some(verdict.key.attempt)).collect()),
            Bind::Timestamptzs(read.iter().map(|(verdict, _)| Some(verdict.decided_at)).collect()),
        ];
        let text = "UPDATE xm.readings r SET attempt = n.attempt, settled_at = n.settled_at
                      FROM unnest(?, ?, ?, ?, ?) AS n (id, agency, letter_id, attempt, settled_at)
                     WHERE r.id = n.id AND r.agency = n.agency AND r.letter_id = n.letter_id AND r.settled_at IS NULL";
        if self.execute(text, &binds).await? != read.len() {
            let message = "what was read for a letter is staged no longer".to_owned();
            return Err(Fault::Busy { sqlstate: String::new(), message });
        }
        self.count_usage().await
    }

    async fn count_usage(&self) -> Result<(), Fault> {
        let mut used: BTreeMap<Matricule, Usage> = BTreeMap::new();
        let accepted = |case: &Case| Some((case.agency()?, usage_of(&case.acceptance()?.work)));
        for (agency, usage) in self.batch.iter().filter_map(accepted).filter(|(_, usage)| *usage != Usage::default()) {
            let sum = used.entry(agency).or_default();
            *sum = sum.plus(usage);
        }
        if used.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Matricules(used.keys().map(|agency| Some(*agency)).collect()),
            Bind::Bigints(used.values().map(|usage| Some(usage.acts)).collect()),
            Bind::Bigints(used.values().map(|usage| Some(usage.bytes)).collect()),
        ];
        let text = "INSERT INTO xm.read_usage AS u (agency, day, acts, bytes)
                    SELECT n.agency, (now() AT TIME ZONE s.zone)::date, n.acts, n.bytes
                      FROM unnest(?, ?, ?) AS n (agency, acts, bytes), xm.server s
                    ON CONFLICT (agency, day) DO UPDATE SET acts = u.acts + excluded.acts, bytes = u.bytes + excluded.bytes";
        self.execute(text, &binds).await?;
        Ok(())
    }
}
