//! Agencies at work: they write good and bad letters, send them, collect the answers and verify them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use mail::smtp::Relay;
use simulation::desk::{Draft, Plan};
use simulation::dice::Dice;
use simulation::lock::lock;
use simulation::mischief::STRANGER;
use simulation::post_office::PostOffice;
use simulation::record::{Record, Traffic};
use simulation::town::Town;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::arguments::{CENTRE_ADDRESS, DemoArguments};
use super::centre::Centre;
use super::keyboard::Keyboard;
use super::progress;
use super::relay::{SENDERS, relay};
use crate::speech::said;

mod collect;
mod shared;
mod watch;

use collect::collect_all;
use shared::Shared;
use watch::{Kills, Watch};

/// Mails that may wait at the centre before agencies pause: as on a real line, sending is not free.
const WAITING_MAX: usize = 1500;
const PAUSE: Duration = Duration::from_millis(5);

/// Lets the town send all its letters, the last one alone, and waits until everything is settled and answered.
///
/// # Errors
/// The post office or the centre fails, or nothing moves for a minute.
pub async fn run(
    town: Town,
    post_office: &PostOffice,
    centre: &mut Centre,
    keyboard: Option<&mut Keyboard>,
    arguments: &DemoArguments,
) -> anyhow::Result<Traffic> {
    let mut record = Record::default();
    record.memory.recharged.clone_from(&town.recharged);
    let shared = Arc::new(Shared {
        town,
        record: Mutex::new(record),
        burst: arguments.letters.saturating_sub(1),
        seed: arguments.seed,
        is_held_back: AtomicBool::new(false),
    });
    let relay = Arc::new(relay(post_office)?);
    let mut day = Day {
        shared: Arc::clone(&shared),
        post_office,
        centre,
        keyboard,
        bars: progress::Bars::new(arguments.letters),
        watch: Watch::new(),
        kills: Kills::new(arguments),
        kills_by_hand: 0,
    };
    if day.keyboard.is_some() {
        day.bars.note(&said!("demo-press-k"));
    }
    let (began_at, began) = (Utc::now(), Instant::now());
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        senders.spawn(send_all(Arc::clone(&shared), Arc::clone(&relay), sender));
    }
    day.settle(senders).await?;
    let lasted = began.elapsed();
    // While the centre is just starting again, its start would be measured instead of the letter.
    day.centre.wait_until_ready().await?;
    let mut alone = JoinSet::new();
    alone.spawn(send_alone(Arc::clone(&shared), relay));
    day.settle(alone).await?;
    let (killed_at, kills_by_hand) = (day.centre.killed_at.clone(), day.kills_by_hand);
    day.bars.finish();
    let mut memory = std::mem::take(&mut lock(&shared.record).memory);
    for _ in 0..post_office.count(STRANGER) {
        memory.disbelieve("it went to a stranger".to_owned());
    }
    Ok(Traffic { memory, began_at, lasted, killed_at, kills_by_hand })
}

/// The town's day, as it is watched.
struct Day<'a> {
    shared: Arc<Shared>,
    post_office: &'a PostOffice,
    centre: &'a mut Centre,
    /// The keyboard, where somebody sits at one.
    keyboard: Option<&'a mut Keyboard>,
    bars: progress::Bars,
    watch: Watch,
    kills: Kills,
    kills_by_hand: u64,
}

impl Day<'_> {
    /// Waits until the senders have sent everything, and everything is settled and answered.
    async fn settle(&mut self, mut senders: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
        loop {
            collect_all(&self.shared, self.post_office).await?;
            while let Some(done) = senders.try_join_next() {
                done??;
            }
            let waiting = self.post_office.count(CENTRE_ADDRESS);
            self.shared.is_held_back.store(waiting > WAITING_MAX, Ordering::Relaxed);
            let (mails, unanswered, verified) = {
                let record = lock(&self.shared.record);
                (record.memory.mails(), record.unanswered, record.verified)
            };
            self.bars.show(mails, verified);
            self.kill_by_hand().await?;
            let settled = mails.saturating_sub(waiting as u64);
            if self.kills.is_due(settled) {
                self.kills.kill(self.centre).await?;
            } else if senders.is_empty() && waiting == 0 && unanswered == 0 {
                return Ok(());
            }
            self.watch.look((mails, waiting, unanswered), Instant::now())?;
            self.centre.check()?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn kill_by_hand(&mut self) -> anyhow::Result<()> {
        if self.keyboard.as_mut().is_some_and(|keyboard| keyboard.was_pressed(b'k')) {
            self.centre.kill_and_restart().await?;
            self.kills_by_hand += 1;
            self.bars.note(&said!("demo-killed"));
        }
        Ok(())
    }
}

/// Writes and sends every letter of this sender's agencies, in the order of their numbers: an agency's letters follow each other,
/// however fast other senders are.
async fn send_all(shared: Arc<Shared>, relay: Arc<Relay>, sender: usize) -> anyhow::Result<()> {
    let residents = &shared.town.residents;
    for number in 0..shared.burst {
        let at = usize::try_from(number)? % residents.len();
        if at % SENDERS != sender {
            continue;
        }
        let mut dice = Dice::of(shared.seed, number);
        let plan = residents[at].plan(&mut dice);
        while shared.is_held_back.load(Ordering::Relaxed) || residents[at].must_wait(plan) {
            tokio::time::sleep(PAUSE).await;
        }
        let other = residents[(at + 1) % residents.len()].matricule;
        let draft = residents[at].write(plan, other, &mut dice)?;
        send(&shared, &relay, draft).await?;
    }
    Ok(())
}

/// Sends the last letter when everything else is settled, so that no queue stands before it: a good one, since a bad one may
/// have no commit. The first agency is always in order.
async fn send_alone(shared: Arc<Shared>, relay: Arc<Relay>) -> anyhow::Result<()> {
    let residents = &shared.town.residents;
    let (first, other) = (residents.first(), residents.last());
    let (first, other) = first.zip(other).context("a town has at least one agency")?;
    let draft = first.write(Plan::Good, other.matricule, &mut Dice::of(shared.seed, shared.burst))?;
    let at = send(&shared, &relay, draft).await?;
    lock(&shared.record).memory.alone = Some(at);
    Ok(())
}

/// Sends a letter and returns its place in memory. The letter is remembered before it is sent, since its receipt may arrive before the
/// relay's reply.
async fn send(shared: &Shared, relay: &Relay, draft: Draft) -> anyhow::Result<usize> {
    let at = lock(&shared.record).begin(draft.subject)?;
    relay.send(&draft.mail).await.with_context(|| format!("the post office did not take {}", draft.mail.message_id))?;
    lock(&shared.record).memory.letters[at].copies += 1;
    Ok(at)
}
