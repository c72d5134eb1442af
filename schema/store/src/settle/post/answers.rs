//! Queues the answers: those to new verdicts with their parts, and those that offices ask for by sending a letter again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, runs};
use crate::letters::outbox;
use crate::settle::decision::Decision;
use crate::settle::verdict::VerdictRow;
use crate::settle::written::Written;

impl Written {
    /// Keeps the parts that answers give beside their receipts.
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
        // Under the plain name a program of the version before, which knows one attempt and no parts, would send the first receipt.
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

    /// Queues the answers of letters delivered again: at most once an hour, never while one is unsent. An answer that could not be
    /// delivered is sent again too, since its office evidently still asks. The answer leaves by the transport by which the letter
    /// came last, even where an unsent one waits for another transport: an office that changes its transport has lost the other.
    pub(super) async fn queue_answers_again(&self) -> Result<(), Fault> {
        // Of a letter that came several times the last arrival counts: one statement cannot change a row twice.
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
        // A row that is locked is being marked as answered at this moment.
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
        // So does what the centre writes first, where it was the letter that was the last.
        let text = "UPDATE xm.installations i SET transport = g.transport
                      FROM unnest(?, ?, ?) AS g (agency, letter_id, transport)
                      JOIN xm.letters l ON l.agency = g.agency AND l.letter_id = g.letter_id
                     WHERE i.agency = l.agency AND i.name = l.installation AND i.sequence_highest = l.sequence
                       AND i.transport IS DISTINCT FROM g.transport";
        self.execute(text, &binds).await?;
        Ok(())
    }
}
