//! Queues answers: those to new verdicts, with their parts, and those to letters that an office has sent again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, runs};
use crate::letters::outbox;
use crate::settle::decision::Decision;
use crate::settle::verdict::VerdictRow;
use crate::settle::written::Written;

impl Written {
    /// Writes the parts of the answers' bodies.
    pub(super) async fn insert_parts(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let parts: Vec<(&VerdictRow, i16, &[u8])> = verdicts
            .iter()
            .flat_map(|verdict| {
                (1..).zip(&verdict.parts).map(move |(part, payload)| (verdict, part, payload.as_slice()))
            })
            .collect();
        for run in runs(&parts, |(_, _, payload)| payload.len()) {
            let binds = [
                Bind::Matricules(run.iter().map(|(verdict, _, _)| Some(verdict.agency)).collect()),
                Bind::Uuids(run.iter().map(|(verdict, _, _)| Some(verdict.key.letter_id)).collect()),
                Bind::Smallints(run.iter().map(|(verdict, _, _)| Some(verdict.key.attempt)).collect()),
                Bind::Smallints(run.iter().map(|(_, part, _)| Some(*part)).collect()),
                Bind::Byteas(run.iter().map(|(_, _, payload)| Some(*payload)).collect()),
                Bind::Timestamptzs(run.iter().map(|(verdict, _, _)| Some(verdict.decided_at)).collect()),
            ];
            let text = "INSERT INTO xm.answer_parts (agency, letter_id, attempt, part, payload, made_at)
                        SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)";
            self.execute(text, &binds).await?;
        }
        Ok(())
    }

    pub(super) async fn queue_answers(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        if verdicts.is_empty() {
            return Ok(());
        }
        // A program of the former version knows only one attempt and no parts. If it found this row under the plain name of the transport,
        // it would send the receipt of the first attempt in place of this answer.
        let is_alone = |verdict: &VerdictRow| verdict.parts.is_empty() && verdict.staged.is_none();
        let transport = |verdict: &VerdictRow| match is_alone(verdict) && verdict.key.is_of_first_attempt() {
            true => Cow::Borrowed(verdict.transport),
            false => Cow::Owned(outbox::parts_transport(verdict.transport)),
        };
        let transports: Vec<Cow<'static, str>> = verdicts.iter().map(transport).collect();
        let mut binds = vec![
            Bind::Matricules(verdicts.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Uuids(verdicts.iter().map(|verdict| Some(verdict.key.letter_id)).collect()),
            Bind::Texts(transports.iter().map(|transport| Some(transport.as_ref())).collect()),
            Bind::Smallints(verdicts.iter().map(|verdict| Some(verdict.key.attempt)).collect()),
            Bind::Smallints(verdicts.iter().map(|verdict| Some(i16::from(!verdict.parts.is_empty()))).collect()),
        ];
        let text = if verdicts.iter().all(|verdict| verdict.email.is_none()) {
            "INSERT INTO xm.outbox (agency, letter_id, transport, attempt, part)
             SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)"
        } else {
            binds.push(Bind::Texts(verdicts.iter().map(|verdict| verdict.email.as_deref()).collect()));
            "INSERT INTO xm.outbox (agency, letter_id, transport, attempt, part, email)
             SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)"
        };
        self.execute(text, &binds).await?;
        Ok(())
    }

    /// Queues the answers to letters that were delivered again. An answer is queued at most once an hour, and not while it is still unsent.
    /// This includes an answer that was given up because it could not be delivered: the office still sends its letter, so it may now be
    /// reached. The answer is sent by the transport of the letter's last delivery, even if it was queued for another transport: an office
    /// that has changed its transport no longer reads the old one.
    pub(super) async fn queue_answers_again(&self) -> Result<(), Fault> {
        // If this batch has several deliveries of a letter, the map keeps the last one, since one statement cannot change a row twice.
        let mut transports = BTreeMap::new();
        for case in self.batch.iter().filter(|case| !case.arrival.source.is_fetched_again) {
            if let (Some(agency), Decision::Duplicate(key)) = (case.agency(), &case.decision) {
                transports.insert((agency, key.letter_id), case.arrival.source.transport);
            }
        }
        if transports.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Matricules(transports.keys().map(|(agency, _)| Some(*agency)).collect()),
            Bind::Uuids(transports.keys().map(|(_, letter)| Some(*letter)).collect()),
            Bind::Texts(transports.values().map(|transport| Some(*transport)).collect()),
        ];
        // If a row is locked, another transaction is marking its answer as sent at this moment. The row is skipped, since the office is
        // getting the answer.
        let text = concat!(
            outbox::queue_anew!(
                "g.transport",
                "JOIN unnest(?, ?, ?) AS g (agency, letter_id, transport) ON g.agency = l.agency AND g.letter_id = l.letter_id"
            ),
            " WHERE l.answered_at IS NULL OR l.answered_at < now() - interval '1 hour'
                 OR EXISTS (SELECT FROM xm.outbox w
                             WHERE w.agency = l.agency AND w.letter_id = l.letter_id AND w.failed_at IS NULL
                               AND w.transport NOT IN (g.transport, g.transport || '-parts'))
                FOR NO KEY UPDATE OF l SKIP LOCKED ",
            outbox::or_make_due!(),
            ", claimed_by = NULL, claimed_until = NULL
              WHERE o.failed_at IS NOT NULL OR replace(o.transport, '-parts', '') <> replace(excluded.transport, '-parts', '')"
        );
        self.execute(text, &binds).await?;
        // An installation reads the transport by which it last sent its newest letter, the one with its highest number. So the centre's
        // notices to it leave by this transport from now on.
        let text = "UPDATE xm.installations i SET transport = g.transport
                      FROM unnest(?, ?, ?) AS g (agency, letter_id, transport)
                      JOIN xm.letters l ON l.agency = g.agency AND l.letter_id = g.letter_id
                     WHERE i.agency = l.agency AND i.name = l.installation AND i.sequence_highest = l.sequence
                       AND i.transport IS DISTINCT FROM g.transport";
        self.execute(text, &binds).await?;
        Ok(())
    }
}
