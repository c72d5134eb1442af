//! Runs the agencies: they write good and bad letters, send them, and collect and verify the answers.

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
use simulation::operators::EVENING;
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
use crate::configuration::Configuration;
use crate::speech::said;

mod collect;
mod operators;
mod shared;
mod watch;

use collect::collect_all;
use operators::{AtWork, Operators};
use shared::Shared;
use watch::{Kills, Watch};

/// Largest number of mails in the centre's mailbox before agencies pause. Here sending costs nearly no time; in reality slow lines would
/// hold agencies back.
const WAITING_MAX: usize = 1500;
const PAUSE: Duration = Duration::from_millis(5);

/// Lets all agencies of the town send their letters, and sends the last letter alone after the others. Waits until every letter is settled
/// and answered.
///
/// # Errors
/// The post office or the centre fails, or no letter or answer moves for a minute.
pub async fn run(
    town: Town,
    post_office: &PostOffice,
    centre: &mut Centre,
    keyboard: Option<&mut Keyboard>,
    configuration: &Configuration,
    arguments: &DemoArguments,
) -> anyhow::Result<Traffic> {
    let record = Record::of(&town);
    let operators = Operators::new(configuration)?;
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
        _operators: operators.begin(),
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
    day.tell_all(&operators).await?;
    // The time of the letter that is sent alone is measured. If the centre were still starting after a kill, that time would include its
    // start.
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

/// A running demo, with what displays and controls it.
struct Day<'a> {
    shared: Arc<Shared>,
    post_office: &'a PostOffice,
    centre: &'a mut Centre,
    /// The keyboard; none where the demo does not run on a terminal.
    keyboard: Option<&'a mut Keyboard>,
    bars: progress::Bars,
    watch: Watch,
    kills: Kills,
    kills_by_hand: u64,
    /// The operators' task. It ends when this value is dropped.
    _operators: AtWork,
}

impl Day<'_> {
    /// Waits until the senders have sent all letters, and every letter is settled and answered.
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
                (record.memory.mails(), record.unanswered(), record.verified)
            };
            self.bars.show(mails, verified, verified + unanswered);
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

    /// Lets operators write the text at the end of the demo to every agency, and waits until every agency has received it.
    async fn tell_all(&mut self, operators: &Operators) -> anyhow::Result<()> {
        self.centre.wait_until_ready().await?;
        lock(&self.shared.record).broadcast(EVENING);
        operators.tell_all(EVENING).await?;
        self.settle(JoinSet::new()).await
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

/// Writes and sends all letters of this sender's agencies in the order of their sequence numbers: one task sends all letters of an agency,
/// so no other sender can overtake them.
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

/// Sends the last letter once all others are settled, so that no queue delays it. The letter is a good one, because a bad letter may have
/// no commit to measure. The first agency sends it, because that agency is never suspended or without credit.
async fn send_alone(shared: Arc<Shared>, relay: Arc<Relay>) -> anyhow::Result<()> {
    let residents = &shared.town.residents;
    let (first, other) = (residents.first(), residents.last());
    let (first, other) = first.zip(other).context("a town has at least one agency")?;
    let draft = first.write(Plan::Good, other.matricule, &mut Dice::of(shared.seed, shared.burst))?;
    let at = send(&shared, &relay, draft).await?;
    lock(&shared.record).memory.alone = Some(at);
    Ok(())
}

/// Sends a letter and returns its index in the record. The letter is recorded before it is sent, because its receipt may arrive before the
/// relay's reply.
async fn send(shared: &Shared, relay: &Relay, draft: Draft) -> anyhow::Result<usize> {
    let at = lock(&shared.record).begin(draft.subject)?;
    relay.send(&draft.mail).await.with_context(|| format!("the post office did not take {}", draft.mail.message_id))?;
    lock(&shared.record).memory.letters[at].copies += 1;
    Ok(at)
}
