//! Posts what was decided: entries, letters, receipts, journal, quarantine and outbox, and commits.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use futures_util::join;
use sdc::payload;
use sdc::refusal::RefusalCode;
use tokio::task::yield_now;
use uuid::Uuid;

use super::arrival::{Arrival, Outcome};
use super::decide::{Decision, place_in_order};
use super::flags;
use super::verdict::{JournalLine, VerdictRow, outcome};
use super::work::Bodies;
use super::{Unsettled, Written};
use crate::database::fault::Fault;
use crate::database::statement::{Bind, STATEMENT_BYTES_MAX, Statement, runs, unnested};
use crate::letters::quarantine;
use crate::letters::{notices, outbox};
use crate::planted::{self, Bug, point};

/// What a committed batch did, in the batch's order.
#[derive(Debug)]
pub struct Settled {
    /// One outcome per arrival.
    pub outcomes: Vec<Outcome>,
    /// Rows written.
    pub rows: usize,
    /// Minor units charged.
    pub charged: i64,
    /// Those that were refused.
    pub refused: Vec<RefusedLetter>,
}

/// What the log names a refused container by: never anything that it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedLetter {
    /// Its line in the journal; it has none where quarantine only counts it.
    pub journal_line: Option<i64>,
    /// Whose key signed it.
    pub agency: Option<i32>,
    /// Its id.
    pub letter_id: Option<Uuid>,
    /// Why.
    pub code: RefusalCode,
}

impl Written {
    /// Posts and commits.
    ///
    /// # Errors
    /// [`Unsettled`] with the batch: nothing is committed. Or without it where the connection broke at COMMIT: it is unknown
    /// then, and the letters come again from their transport and are found settled, or not.
    pub async fn post(mut self) -> Result<Settled, Unsettled> {
        let counted = match self.write_verdicts().await {
            Ok(counted) => counted,
            Err(fault) => return Err(Unsettled { fault, batch: self.batch }),
        };
        let settled = self.settled(&counted);
        let Written { transaction, batch, decisions, withheld, .. } = self;
        // While PostgreSQL writes to its disk: a large batch has tens of thousands of values to free.
        let free = async {
            yield_now().await;
            let names = withheld.waiting_among(&batch);
            drop((batch, decisions));
            names
        };
        let (committed, had_waited) = join!(transaction.commit(), free);
        match committed {
            Ok(()) => {
                withheld.settled(&had_waited, &settled.outcomes);
                Ok(settled)
            }
            Err(fault) => Err(Unsettled { fault, batch: Vec::new() }),
        }
    }

    /// Returns the places of what quarantine has only counted.
    async fn write_verdicts(&mut self) -> Result<HashSet<usize>, Fault> {
        let bodies = std::mem::take(&mut self.bodies);
        let verdicts = self.verdicts(bodies).await;
        if self.batch.iter().any(|arrival| arrival.container.len() > STATEMENT_BYTES_MAX) {
            self.transaction.close_after_commit();
        }
        let counted =
            quarantine::insert(self.transaction.connection(), &self.batch, &self.decisions, &self.settings).await?;
        self.take_answers_back(&verdicts).await?;
        let charge = async { if planted::has(Bug::ChargeOutside) { Ok(()) } else { self.charge(&verdicts).await } };
        // Sent one behind the other, without waiting for each answer. All are waited for, since behind one that failed the
        // others say only that the transaction is aborted. The order matters: answers due again find those just queued, and
        // the originals, which may take several statements, come last, so that the first fault in this order is the cause.
        let written: [Result<(), Fault>; 10] = join!(
            charge,
            self.insert_letters(&verdicts),
            self.insert_attempts(&verdicts),
            self.raise_sequences(&verdicts),
            self.insert_journal(&counted),
            self.insert_parts(&verdicts),
            self.queue_answers(&verdicts),
            self.queue_answers_again(),
            flags::insert(self.transaction.shared(), &verdicts),
            self.insert_originals(),
        )
        .into();
        written.into_iter().collect::<Result<(), Fault>>()?;
        point("settle::commit");
        if planted::has(Bug::ChargeOutside) {
            self.transaction.connection().batch_execute("COMMIT; BEGIN").await?;
            self.charge(&verdicts).await?;
        }
        Ok(counted)
    }

    async fn charge(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        point("settle::charge");
        let (entered, charged) = join!(self.insert_entries(verdicts), self.change_balances(verdicts));
        entered.and(charged)?;
        point("settle::charged");
        Ok(())
    }

    async fn verdicts(&self, mut bodies: Bodies) -> Vec<VerdictRow> {
        let mut verdicts = Vec::with_capacity(self.batch.len());
        for (place, (arrival, decision)) in self.batch.iter().zip(&self.decisions).enumerate() {
            let (body, decided_at) = (bodies.remove(&place), self.decided_at(arrival));
            verdicts.extend(VerdictRow::new(arrival, decision, &self.catalogue, body, decided_at).await);
        }
        verdicts
    }

    async fn insert_entries(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        // In the order of effect, so that the entries of an account run by their ids from balance to balance.
        let mut charged: Vec<(usize, &VerdictRow)> = charged(verdicts).enumerate().collect();
        charged.sort_by_key(|(at, verdict)| (verdict.agency, place_in_order(&verdict.key, *at)));
        let charged: Vec<&VerdictRow> = charged.into_iter().map(|(_, verdict)| verdict).collect();
        if charged.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Integers(charged.iter().map(|verdict| Some(verdict.account.id)).collect()),
            Bind::Bigints(charged.iter().map(|verdict| Some(verdict.cost)).collect()),
            Bind::Integers(charged.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Uuids(charged.iter().map(|verdict| Some(verdict.key.letter_id)).collect()),
            Bind::Bigints(charged.iter().map(|verdict| Some(verdict.account.balance)).collect()),
            Bind::Bigints(charged.iter().map(|verdict| verdict.balance_floor).collect()),
            Bind::Timestamptzs(charged.iter().map(|verdict| Some(verdict.decided_at)).collect()),
            Bind::Smallints(charged.iter().map(|verdict| Some(verdict.key.attempt)).collect()),
        ];
        let text = "INSERT INTO xm.entries (credit, kind, debit, amount, agency, letter_id, balance_after, balance_floor, posted_at, attempt)
             SELECT (SELECT id FROM xm.accounts WHERE kind = 'income' AND agency IS NULL), 'letter',
                    unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)";
        self.execute(text, &binds).await?;
        Ok(())
    }

    async fn change_balances(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let (accounts, amounts): (Vec<Option<i32>>, Vec<Option<i64>>) =
            charged(verdicts).map(|verdict| (Some(verdict.account.id), Some(verdict.cost))).unzip();
        if accounts.is_empty() {
            return Ok(());
        }
        let text = "UPDATE xm.accounts a SET balance = a.balance - n.amount
                      FROM (SELECT account, sum(amount)::bigint AS amount FROM unnest(?, ?) AS s (account, amount)
                             GROUP BY account) n
                     WHERE a.id = n.account AND a.agency IS NOT NULL";
        let distinct: HashSet<i32> = accounts.iter().copied().flatten().collect();
        let binds = [Bind::Integers(accounts), Bind::Bigints(amounts)];
        let updated = self.execute(text, &binds).await?;
        if updated != distinct.len() {
            return Err(Fault::Bug(
                "an agency has no account in xm.accounts: create it before it is charged".to_owned(),
            ));
        }
        Ok(())
    }

    async fn insert_letters(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let has_row = |verdict: &&VerdictRow| {
            !verdict.key.is_of_first_attempt()
                && self.standing.known_by_id(verdict.agency, verdict.key.letter_id).is_some()
        };
        let verdicts: Vec<&VerdictRow> = verdicts.iter().filter(|verdict| !has_row(verdict)).collect();
        if verdicts.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Integers(verdicts.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Uuids(verdicts.iter().map(|verdict| Some(verdict.key.letter_id)).collect()),
            Bind::Texts(verdicts.iter().map(|verdict| Some(verdict.key.installation.as_str())).collect()),
            Bind::Bigints(verdicts.iter().map(|verdict| verdict.key.sequence).collect()),
            Bind::Byteas(verdicts.iter().map(|verdict| Some(verdict.digest.as_slice())).collect()),
            Bind::Texts(verdicts.iter().map(|verdict| Some(verdict.outcome.as_str())).collect()),
            Bind::Texts(verdicts.iter().map(|verdict| Some(verdict.transport)).collect()),
            Bind::Integers(verdicts.iter().map(|verdict| Some(verdict.certificate_id)).collect()),
            Bind::Byteas(verdicts.iter().map(|verdict| Some(verdict.receipt.as_slice())).collect()),
            Bind::Timestamptzs(verdicts.iter().map(|verdict| Some(verdict.received_at)).collect()),
            Bind::Texts(verdicts.iter().map(|verdict| outbox::kept_cipher(verdict.cipher)).collect()),
        ];
        let text = format!(
            "INSERT INTO xm.letters (agency, letter_id, installation, sequence, digest, verdict, transport, certificate,
                                     receipt, received_at, cipher)
             SELECT {}",
            unnested(binds.len())
        );
        self.execute(&text, &binds).await?;
        Ok(())
    }

    /// Raises the numbers of installations, each with how the letter of the highest one came: so goes what the centre writes first.
    async fn raise_sequences(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let numbered: Vec<&VerdictRow> = verdicts.iter().filter(|verdict| verdict.key.sequence.is_some()).collect();
        if numbered.is_empty() {
            return Ok(());
        }
        // A receipt has the form of its letter.
        let dictionary = |verdict: &VerdictRow| notices::kept_dictionary(payload::form(&verdict.receipt));
        let binds = [
            Bind::Integers(numbered.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Texts(numbered.iter().map(|verdict| Some(verdict.key.installation.as_str())).collect()),
            Bind::Bigints(numbered.iter().map(|verdict| verdict.key.sequence).collect()),
            Bind::Texts(numbered.iter().map(|verdict| Some(verdict.transport)).collect()),
            Bind::Texts(numbered.iter().map(|verdict| outbox::kept_cipher(verdict.cipher)).collect()),
            Bind::Bigints(numbered.iter().map(|verdict| dictionary(verdict)).collect()),
            Bind::Integers(numbered.iter().map(|verdict| Some(verdict.certificate_id)).collect()),
        ];
        let text =
            "UPDATE xm.installations i SET sequence_highest = n.sequence, transport = n.transport, cipher = n.cipher,
                           dictionary = n.dictionary, certificate = n.certificate
                      FROM (SELECT DISTINCT ON (agency, name) *
                              FROM unnest(?, ?, ?, ?, ?, ?, ?)
                                   AS s (agency, name, sequence, transport, cipher, dictionary, certificate)
                             ORDER BY agency, name, sequence DESC) n
                     WHERE i.agency = n.agency AND i.name = n.name AND i.sequence_highest < n.sequence";
        self.execute(text, &binds).await?;
        Ok(())
    }

    /// Writes a line for everything but what quarantine has only `counted`, and what nobody has sent again.
    async fn insert_journal(&self, counted: &HashSet<usize>) -> Result<(), Fault> {
        let lines: Vec<JournalLine> =
            (self.batch.iter().zip(&self.decisions).zip(&self.standing.journal_ids).enumerate())
                .filter(|(place, ((arrival, decision), _))| {
                    let outcome = outcome(arrival, decision);
                    !counted.contains(place) && !matches!(outcome, Outcome::Deferred | Outcome::SettledBefore)
                })
                .map(|(_, ((arrival, decision), id))| {
                    JournalLine::new(*id, arrival, decision, self.decided_at(arrival))
                })
                .collect();
        if lines.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Bigints(lines.iter().map(|line| Some(line.id)).collect()),
            Bind::Timestamptzs(lines.iter().map(|line| Some(line.at)).collect()),
            Bind::Integers(lines.iter().map(|line| line.agency).collect()),
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

    /// Keeps the original bytes of what was accepted; those of what was not are in quarantine.
    async fn insert_originals(&self) -> Result<(), Fault> {
        let accepted: Vec<(&i64, &Arrival)> = (self.standing.journal_ids.iter().zip(&self.batch).zip(&self.decisions))
            .filter(|(_, decision)| decision.acceptance().is_some())
            .map(|(pair, _)| pair)
            .collect();
        for run in runs(&accepted, |(_, arrival)| arrival.container.len()) {
            let binds = [
                Bind::Bigints(run.iter().map(|(id, _)| Some(**id)).collect()),
                Bind::Timestamptzs(run.iter().map(|(_, arrival)| Some(self.decided_at(arrival))).collect()),
                Bind::Byteas(run.iter().map(|(_, arrival)| Some(arrival.container.as_slice())).collect()),
            ];
            let text =
                "INSERT INTO xm.originals (journal_id, received_at, container) SELECT unnest(?), unnest(?), unnest(?)";
            self.execute(text, &binds).await?;
        }
        Ok(())
    }

    /// Keeps what answers give beside their receipts.
    async fn insert_parts(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let parts: Vec<(&VerdictRow, i16, &[u8])> = verdicts
            .iter()
            .flat_map(|verdict| {
                (1..).zip(&verdict.parts).map(move |(part, payload)| (verdict, part, payload.as_slice()))
            })
            .collect();
        for run in runs(&parts, |(_, _, payload)| payload.len()) {
            let binds = [
                Bind::Integers(run.iter().map(|(verdict, _, _)| Some(verdict.agency)).collect()),
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

    async fn queue_answers(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        if verdicts.is_empty() {
            return Ok(());
        }
        // A program of the version before, which knows of one attempt and no parts, would send the first receipt.
        let transport = |verdict: &VerdictRow| match verdict.parts.is_empty() && verdict.key.is_of_first_attempt() {
            true => Cow::Borrowed(verdict.transport),
            false => Cow::Owned(outbox::parts_transport(verdict.transport)),
        };
        let transports: Vec<Cow<'static, str>> = verdicts.iter().map(transport).collect();
        let binds = [
            Bind::Integers(verdicts.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Uuids(verdicts.iter().map(|verdict| Some(verdict.key.letter_id)).collect()),
            Bind::Texts(transports.iter().map(|transport| Some(transport.as_ref())).collect()),
            Bind::Smallints(verdicts.iter().map(|verdict| Some(verdict.key.attempt)).collect()),
            Bind::Smallints(verdicts.iter().map(|verdict| Some(i16::from(!verdict.parts.is_empty()))).collect()),
        ];
        let text = "INSERT INTO xm.outbox (agency, letter_id, transport, attempt, part)
                    SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)";
        self.execute(text, &binds).await?;
        Ok(())
    }

    /// Queues the answers of letters delivered again: at most once an hour, never while one is unsent. An answer that
    /// could not be delivered is due again, since its office evidently still asks. It leaves by the transport that the letter came by
    /// last, also where it waits for the other one: an office that changes its way has lost the other.
    async fn queue_answers_again(&self) -> Result<(), Fault> {
        // Of one that came several times the last one counts, and one row cannot be changed twice by one statement.
        let mut transports = BTreeMap::new();
        for (arrival, decision) in self.batch.iter().zip(&self.decisions) {
            if arrival.source.is_fetched_again {
                continue;
            }
            if let (Some(signer), Decision::Duplicate(key)) = (arrival.signer(), decision) {
                transports.insert((signer.matricule.as_i32(), key.letter_id), arrival.source.transport);
            }
        }
        if transports.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Integers(transports.keys().map(|(agency, _)| Some(*agency)).collect()),
            Bind::Uuids(transports.keys().map(|(_, letter)| Some(*letter)).collect()),
            Bind::Texts(transports.values().map(|transport| Some(*transport)).collect()),
        ];
        // A letter locked by somebody else is being marked as answered at this moment.
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

    /// Returns when an arrival is decided on: as it comes, or when an operator has it tried again.
    fn decided_at(&self, arrival: &Arrival) -> DateTime<Utc> {
        self.retry.as_ref().map_or(arrival.received_at, |retry| retry.decided_at)
    }

    pub(super) async fn execute(&self, text: &str, binds: &[Bind<'_>]) -> Result<usize, Fault> {
        Ok(Statement::<()>::new(text, binds).execute(&mut self.transaction.shared()).await?)
    }

    fn settled(&self, counted: &HashSet<usize>) -> Settled {
        let mut settled =
            Settled { outcomes: Vec::with_capacity(self.decisions.len()), rows: 0, charged: 0, refused: Vec::new() };
        let named = self.batch.iter().zip(&self.standing.journal_ids);
        for (place, (decision, (arrival, journal_line))) in self.decisions.iter().zip(named).enumerate() {
            let is_counted_before = counted.contains(&place) && arrival.source.is_fetched_again;
            let outcome = if is_counted_before { Outcome::SettledBefore } else { outcome(arrival, decision) };
            settled.outcomes.push(outcome);
            if let Outcome::Refused(code) = outcome {
                let letter_id = match decision {
                    Decision::Refused { key, .. } => Some(key.letter_id),
                    _ => None,
                };
                let agency = arrival.signer().map(|signer| signer.matricule.as_i32());
                let journal_line = (!counted.contains(&place)).then_some(*journal_line);
                settled.refused.push(RefusedLetter { journal_line, agency, letter_id, code });
            }
            if let Some(acceptance) = decision.acceptance() {
                settled.rows += acceptance.is_new.iter().flatten().filter(|new| **new).count();
                settled.charged += acceptance.price.amount;
            }
        }
        settled
    }
}

/// A number as far as PostgreSQL's `integer` goes. A mail server may list any size: no number of its makes a statement fail.
fn saturating(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn charged(verdicts: &[VerdictRow]) -> impl Iterator<Item = &VerdictRow> {
    verdicts.iter().filter(|verdict| verdict.cost > 0)
}
