//! One session: sign in, list, try the suspects alone, fetch the rest in windows, delete what is settled, QUIT. Then, where
//! sessions broke over a mail, another for that mail alone. What is not settled soon is carried over (`lending`).

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::Utc;
use mail::pop3::{Listed, Outcome, Retrieval, Retrieved, Session};
use mail::{Cause, MailError, Step};
use sdc::document;
use sdc::letter::Matricule;
use store::failure::{self, Bug, point};
use store::fault::Fault;
use store::in_hand::Suspect;
use store::settle::{Claimed, Source};
use tokio::time::timeout;
use uuid::Uuid;

use super::breakers::BREAKS_MAX;
use super::lanes::Lane;
use super::lending::{Lending, LentMail};
use super::memory::{Complaints, Memory, hint};
use super::records::LEASE_HOLD;
use super::reports::{CARRIED_AFTER, SETTLE_WAIT_MAX};
use super::windows::CLAIM_WAIT_MAX;
use crate::at_work::MailName;
use crate::custody::Fate;
use crate::mailbox_poller::MailboxPollerParts;
use crate::messages::Fetched;
use crate::metrics::ActorMetrics;
use crate::room::Permits;

/// What is known of a mail that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Nothing: it is fetched as the mailbox lists it.
    Listed,
    /// A letter of it waited when it was fetched before: its other letters are settled by now, and nobody sent them again.
    Waiting,
    /// It failed alone, too often.
    Poison,
}

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polled {
    /// When the mailbox is worth another look.
    pub next: NextPoll,
    /// Another process has the mailbox's lease, so it was not looked into.
    pub is_elsewhere: bool,
}

/// When a mailbox is worth another look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPoll {
    /// It is evidently not empty.
    AtOnce,
    /// Mail in it is in hand, or found no room: nothing but time need pass.
    Soon,
    /// In its turn.
    InTurn,
}

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The mailbox or the way to it.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The database.
    #[error(transparent)]
    Database(#[from] Fault),
    /// Letters in hand did not come back in time.
    #[error("{0} mails in hand were not settled within {seconds} s; they stay in the mailbox and come again", seconds = SETTLE_WAIT_MAX.as_secs())]
    Unsettled(usize),
}

impl PollError {
    /// Names the step that failed, as on metrics.
    pub fn step(&self) -> &'static str {
        match self {
            PollError::Mail(error) => error.step.as_str(),
            PollError::Database(_) => "database",
            PollError::Unsettled(_) => "settle",
        }
    }
}

/// Which mails a session fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// All but those over which sessions broke.
    Others,
    /// One of those.
    Breaker,
}

/// Polls once.
pub async fn poll(
    parts: &MailboxPollerParts,
    transport: &ActorMetrics,
    life: Uuid,
    memory: &mut Memory,
    lending: &mut Lending,
) -> Result<Polled, PollError> {
    if !parts.take_lease().await? {
        return Ok(Polled { next: NextPoll::InTurn, is_elsewhere: true });
    }
    memory.take_attempts_back(parts).await?;
    let polled = hold_session(Poll::new(parts, transport, life, lending), memory, Turn::Others).await?;
    if memory.breakers.has_due(Instant::now()) && parts.may_fetch() {
        match hold_session(Poll::new(parts, transport, life, lending), memory, Turn::Breaker).await {
            Ok(_) => {}
            // What breaks again has been told of, and the poll has done its work.
            Err(PollError::Mail(error)) => tracing::debug!(mailbox = &*parts.name, %error, "it was for one mail alone"),
            Err(error) => return Err(error),
        }
    }
    Ok(polled)
}

/// Waits, when the process drains, for what earlier sessions have lent, and deletes it: first what comes back soon, since the process
/// may not be given the time for the rest.
pub async fn end(
    parts: &MailboxPollerParts,
    transport: &ActorMetrics,
    life: Uuid,
    memory: &mut Memory,
    lending: &mut Lending,
) -> Result<(), PollError> {
    for wait_max in [CARRIED_AFTER, SETTLE_WAIT_MAX] {
        let mut poll = Poll::new(parts, transport, life, lending);
        poll.wait_for_lent(wait_max).await;
        poll.finish(memory).await?;
        if lending.has_settled() {
            self::poll(parts, transport, life, memory, lending).await?;
        }
        if lending.is_empty() {
            break;
        }
    }
    Ok(())
}

async fn hold_session(mut poll: Poll<'_>, memory: &mut Memory, turn: Turn) -> Result<Polled, PollError> {
    let parts = poll.parts;
    let mut suspects = parts.suspects(poll.life).await?;
    let mut session = parts.mailbox.open().await?;
    let listing = session.listing().await?;
    let gauge = parts.metrics.mailbox_mails.with_label_values(&[&*parts.name]);
    gauge.set(i64::try_from(listing.mails.len()).unwrap_or(i64::MAX));
    point("mailbox_poller::listed");
    memory.forget_all_but(&listing.mails);
    // Before it is decided what to fetch: what has come back may have to stay.
    poll.take_back(memory);
    poll.lending.forget_all_but(&listing.mails);
    let mails: Vec<Listed> = match turn {
        Turn::Others => listing.mails.into_iter().filter(|listed| !memory.breakers.has_mail(listed)).collect(),
        Turn::Breaker => memory.breakers.pick(&listing.mails, Instant::now()).cloned().into_iter().collect(),
    };
    // A suspect is tried before all others, so one over which the session breaks waits for that mail's own session.
    suspects.retain(|suspect| match turn {
        Turn::Others => !memory.breakers.has(&suspect.uidl),
        Turn::Breaker => mails.iter().any(|listed| *hint(listed) == *suspect.uidl),
    });
    (poll.complaints.odd_lines, poll.complaints.odd_line) = (listing.odd_lines, listing.first_odd_line);
    let fetched = poll.fetch(&mut session, mails, suspects, turn, memory).await;
    // Whatever became of the session, what was handed on comes back first, or is carried over; only then is its line struck out.
    let unsettled = poll.wait_for_lent(CARRIED_AFTER).await;
    let ended = match fetched {
        Ok(()) => poll.delete_and_quit(session).await,
        Err(error) => Err(error),
    };
    poll.tell(memory, turn);
    poll.finish(memory).await?;
    ended?;
    if unsettled > 0 {
        return Err(PollError::Unsettled(unsettled));
    }
    // A mailbox that was not empty is looked into again at once. Where nothing was deleted nothing was gained either: mail
    // that all comes back must not be polled in a tight loop. (Each time that a mail is deferred its claim has come to stand worse.)
    let next = if poll.deleted > 0 || poll.has_given_back || (poll.has_lent && !poll.lending.is_empty()) {
        NextPoll::AtOnce
    } else if poll.is_full || !poll.lending.is_empty() {
        NextPoll::Soon
    } else {
        NextPoll::InTurn
    };
    Ok(Polled { next, is_elsewhere: false })
}

/// One session of a poller, as far as it has come.
pub struct Poll<'a> {
    /// What the poller was built with.
    pub parts: &'a MailboxPollerParts,
    /// Counts what is lent.
    transport: &'a ActorMetrics,
    /// This life of the poller.
    pub life: Uuid,
    /// When the session began.
    pub started: Instant,
    lease_taken: Instant,
    /// Mails lent and not reported yet, by this session and those before.
    pub lending: &'a mut Lending,
    /// Settled and not deleted yet.
    pub to_delete: Vec<u32>,
    deleted: usize,
    /// Suspects when the session began.
    pub suspected: HashSet<Box<str>>,
    /// Mails that stay in the mailbox by its rule.
    pub left: Vec<Listed>,
    /// Mails given back unopened.
    pub given_back: Vec<LentMail>,
    /// Mails given back because a letter in them has to wait.
    pub withheld: Vec<LentMail>,
    /// What became of the mails that this session lent last, by their numbers.
    pub tried: HashMap<u32, Fate>,
    /// Agencies of which a mail was left for want of room in this session: what came later must not overtake it.
    pub held_up: HashSet<Matricule>,
    /// Mails that were fetched and left because of that.
    pub mails_held_up: usize,
    /// There was no room for a single mail: none is fetched any more in this session.
    pub is_full: bool,
    /// Until when this session may wait for room that a claim's own mail gives back.
    pub room_wait_left: Duration,
    /// A mail was lent.
    has_lent: bool,
    /// A mail is in the mailbox still and can be fetched at once.
    pub has_given_back: bool,
    complaints: Complaints,
}

impl<'a> Poll<'a> {
    fn new(
        parts: &'a MailboxPollerParts,
        transport: &'a ActorMetrics,
        life: Uuid,
        lending: &'a mut Lending,
    ) -> Poll<'a> {
        lending.begin_session();
        Poll {
            parts,
            transport,
            life,
            started: Instant::now(),
            lease_taken: Instant::now(),
            lending,
            to_delete: Vec::new(),
            deleted: 0,
            suspected: HashSet::new(),
            left: Vec::new(),
            given_back: Vec::new(),
            withheld: Vec::new(),
            tried: HashMap::new(),
            held_up: HashSet::new(),
            mails_held_up: 0,
            is_full: false,
            room_wait_left: CLAIM_WAIT_MAX,
            has_lent: false,
            has_given_back: false,
            complaints: Complaints::default(),
        }
    }

    /// Fetches what this session may. What earlier ones lent and was settled is deleted first, whatever becomes of the others.
    async fn fetch(
        &mut self,
        session: &mut Session,
        mut mails: Vec<Listed>,
        suspects: Vec<Suspect>,
        turn: Turn,
        memory: &mut Memory,
    ) -> Result<(), PollError> {
        memory.withheld.begin();
        let gone = self.delete_carried(session, &mails, memory).await?;
        mails.retain(|listed| !gone.contains(&listed.number));
        self.try_suspects(session, &mails, suspects, memory).await?;
        self.fetch_rest(session, &mails, memory).await?;
        if turn == Turn::Others {
            self.try_withheld(session, &mails, memory).await?;
        }
        Ok(())
    }

    /// Waits for the next mail, and remembers the one over which the session breaks.
    pub async fn next(
        &self,
        retrieval: &mut Retrieval<'_>,
        memory: &mut Memory,
    ) -> Result<Option<Retrieved>, PollError> {
        let under_way = retrieval.under_way();
        // Only the session of a mail over which sessions broke asks for one.
        let patience = under_way.and_then(|listed| memory.breakers.patience(listed));
        let next = match patience {
            None => retrieval.next().await,
            Some(patience) => timeout(patience, retrieval.next()).await.unwrap_or_else(|_elapsed| {
                let (peer, cause) = (self.parts.name.to_string(), Cause::TimedOut(patience.as_secs()));
                Err(MailError { step: Step::Retrieve, peer, cause })
            }),
        };
        match (next, under_way) {
            (Ok(Some(retrieved)), _) => {
                memory.breakers.forgive(&retrieved.listed);
                Ok(Some(retrieved))
            }
            (Err(error), Some(listed)) => {
                let breaks = memory.breakers.broke(listed, self.parts.interval, Instant::now());
                let (mailbox, mail) = (&*self.parts.name, hint(listed));
                // It has a session of its own now, in which it is not left alone.
                memory.withheld.forget(&mail);
                match breaks {
                    1 => {
                        tracing::warn!(mailbox, %mail, %error, "the session broke over a mail: it comes last from now on, and alone");
                    }
                    BREAKS_MAX => {
                        tracing::warn!(mailbox, %mail, breaks, %error, "a mail cannot be fetched, and is tried ever more seldom");
                    }
                    _ => tracing::debug!(mailbox, %mail, breaks, %error, "the session broke over a mail again"),
                }
                Err(error.into())
            }
            (outcome, _) => Ok(outcome?),
        }
    }

    /// Only a QUIT that was answered has deleted anything.
    async fn delete_and_quit(&mut self, mut session: Session) -> Result<(), PollError> {
        self.delete_settled(&mut session).await?;
        point("mailbox_poller::quit");
        session.quit().await?;
        point("mailbox_poller::after_quit");
        Ok(())
    }

    pub fn lend(&mut self, retrieved: Retrieved, permits: Permits, lane: Lane, state: MailState) {
        let Retrieved { listed, outcome } = retrieved;
        let claim = match &outcome {
            Outcome::Mail(octets) | Outcome::OverSize { head: octets, .. } => document::claim(octets),
            Outcome::Refused(words) => return self.refuse(words.clone()),
        };
        self.has_lent = true;
        self.parts.metrics.mails_fetched.with_label_values(&[&*self.parts.name]).inc();
        let (name, number) = (MailName { mailbox: self.parts.name.clone(), uidl: hint(&listed).into() }, listed.number);
        let (ticket, reports) = self.lending.lend(listed, claim, lane, &outcome);
        let (mail, over_size_bytes) = match outcome {
            Outcome::Mail(mail) => (mail, None),
            Outcome::OverSize { head, size_bytes } => (head, Some(size_bytes)),
            Outcome::Refused(_) => return,
        };
        let share = self.parts.hands.lend(ticket, permits, reports, self.transport);
        let fetched = Fetched {
            mail,
            over_size_bytes,
            name,
            source: Source {
                transport: "mail",
                mailbox: self.parts.name.clone(),
                sender_domain: String::new(),
                claimed: Claimed { agency: claim, ..Claimed::default() },
                is_fetched_again: state == MailState::Waiting,
            },
            received_at: Utc::now(),
            taken_at: Instant::now(),
            claim,
            lane,
            trial: None,
            no_container: self.parts.no_container,
            is_poison: state == MailState::Poison,
            share,
        };
        // The same agency always goes the same way, so that its letters keep their order.
        let spread = claim.map_or(number, u32::from) as usize;
        if let Some(decoder) = self.parts.decoders.get(spread % self.parts.decoders.len().max(1)) {
            decoder.hand_on(fetched);
        }
    }

    /// Counts a mail that the server does not give. It stays where it is.
    pub fn refuse(&mut self, words: String) {
        self.complaints.refused += 1;
        self.complaints.refused_words.get_or_insert(words);
    }

    /// Tells what is wrong with the mailbox, where that has changed, and shows how many mails cannot be fetched.
    fn tell(&mut self, memory: &mut Memory, turn: Turn) {
        if turn == Turn::Others {
            self.complaints.tell(&memory.told, &self.parts.name);
            memory.told = std::mem::take(&mut self.complaints);
        }
        let unfetchable = memory.told.refused + memory.breakers.unfetchable();
        let gauge = self.parts.metrics.unfetchable.with_label_values(&[&*self.parts.name]);
        gauge.set(i64::try_from(unfetchable).unwrap_or(i64::MAX));
    }

    pub async fn delete_settled(&mut self, session: &mut Session) -> Result<(), PollError> {
        if failure::has(Bug::DeleteBeforeCommit) {
            self.to_delete.extend(self.lending.forget_session());
        }
        if self.to_delete.is_empty() {
            return Ok(());
        }
        point("mailbox_poller::delete");
        let refused = session.delete(&self.to_delete).await?;
        self.complaints.undeleted += refused.len();
        self.deleted += self.to_delete.len() - refused.len();
        self.to_delete.clear();
        point("mailbox_poller::deleted");
        Ok(())
    }

    pub async fn renew_lease(&mut self) -> Result<(), PollError> {
        if self.lease_taken.elapsed() > LEASE_HOLD / 3 {
            // Losing it is harmless: settling knows what another poller fetches too.
            self.parts.take_lease().await?;
            self.lease_taken = Instant::now();
        }
        Ok(())
    }

    /// Strikes out what came back. Mail that did not stays written down, under this life's name.
    async fn finish(&mut self, memory: &mut Memory) -> Result<(), PollError> {
        self.remember_given_back(memory);
        let suspects = self.lending.suspects.clone();
        // With mail still in hand the lines stay: they name what to suspect if the program dies now.
        let batches = self.lending.batches_done();
        if batches.is_empty() && suspects.is_empty() {
            return Ok(());
        }
        let written = suspects.len();
        self.parts.strike_out(self.life, batches.clone(), suspects).await?;
        self.lending.struck_out(&batches, written);
        Ok(())
    }
}
