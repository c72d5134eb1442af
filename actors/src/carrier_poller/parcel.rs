//! One mail of the carrier: it is lent to the actors, its fate is told to the process that waits, and the carrier forgets or keeps it.

use std::time::Duration;

use ::carrier::{ACK_WAIT, AnsweredBy, Await, Delivery, Label, Letter, Notice, Receipt};
use store::letters::collected::AnsweredLetter;
use store::letters::outbox::transport_named;
use store::planted::point;

use super::Life;
use crate::admission::lender::{Origin, PushedMail};
use crate::custody::{AnswerSlot, Fate};
use crate::transport::{Form, NoContainer};

/// Pause before a mail is delivered again that had to let other mail go first, or over which code panicked.
const DEFERRED_PAUSE: Duration = Duration::from_secs(1);
/// Pause before a mail is delivered again that a fault returned.
const RETURNED_PAUSE: Duration = Duration::from_secs(5);
/// Pause before a mail is delivered again of which a letter waits for its table: somebody has to mend that.
const WITHHELD_PAUSE: Duration = Duration::from_secs(60);
/// Time between two reports that a mail is still in hand.
const STILL_EVERY: Duration = Duration::from_secs(ACK_WAIT.as_secs() / 3);

/// Settles a mail, and says to everybody what became of it.
pub(super) async fn settle(life: &Life, delivery: Delivery) {
    let Delivery { parcel, receipt } = delivery;
    let awaited = parcel.label.awaited;
    let slot = (parcel.label.answered_by == AnsweredBy::Http).then(AnswerSlot::default);
    let Some(origin) = origin(&parcel.label) else { return };
    let pushed = PushedMail {
        mail: parcel.mail,
        over_size_bytes: parcel.label.over_size_bytes,
        answer: slot.clone(),
        origin: Some(origin),
    };
    let fate = lent(life, pushed, &receipt).await;
    point("carrier_poller::reported");
    let is_settled = matches!(fate, Fate::Settled | Fate::Left);
    if !is_settled && life.parts.source.drain.is_told() {
        // Another process takes the mail, and tells its sender.
        give_back(&receipt, Duration::ZERO).await;
        return;
    }
    match awaited {
        Some(awaited) => {
            tell(life, awaited, is_settled, slot.as_ref().and_then(|slot| slot.get())).await;
            forget(&receipt).await;
        }
        None => match fate {
            Fate::Settled | Fate::Left => forget(&receipt).await,
            Fate::Deferred | Fate::Suspect => give_back(&receipt, DEFERRED_PAUSE).await,
            Fate::Returned => give_back(&receipt, RETURNED_PAUSE).await,
            Fate::Withheld => give_back(&receipt, WITHHELD_PAUSE).await,
        },
    }
}

fn origin(label: &Label) -> Option<Origin> {
    let (name, form) = match label.answered_by {
        AnsweredBy::Mail => ("mail", Form::Mail),
        AnsweredBy::Http => ("http", Form::Document),
    };
    Some(Origin {
        name: label.source.as_str().into(),
        answers_by: transport_named(name)?,
        form,
        no_container: if label.is_kept_without_container { NoContainer::Quarantine } else { NoContainer::Drop },
        received_at: label.received_at,
    })
}

/// Lends a mail, and says again and again that it is in hand.
async fn lent(life: &Life, pushed: PushedMail, receipt: &Receipt) -> Fate {
    let mut lending = std::pin::pin!(life.lender.lend(pushed));
    loop {
        tokio::select! {
            fate = &mut lending => return fate,
            () = tokio::time::sleep(STILL_EVERY) => {
                if let Err(fault) = receipt.still_in_hand().await {
                    tracing::debug!(%fault, "the carrier is not told that a mail is in hand: it may be taken again");
                }
            }
        }
    }
}

async fn tell(life: &Life, awaited: Await, is_settled: bool, letter: Option<&AnsweredLetter>) {
    let letter = letter.map(|AnsweredLetter { agency, installation, letter_id }| Letter {
        agency: (*agency).into(),
        installation: installation.clone(),
        letter_id: *letter_id,
    });
    let notice = Notice { number: awaited.number, is_settled, letter };
    if let Err(fault) = life.parts.carrier.tell(awaited.life, &notice).await {
        tracing::debug!(%fault, "a sender is not told the fate of its mail: it sends the mail again");
    }
}

async fn forget(receipt: &Receipt) {
    if let Err(fault) = receipt.settled().await {
        tracing::debug!(%fault, "the carrier may deliver a settled mail again: it is recognised then");
    }
}

async fn give_back(receipt: &Receipt, pause: Duration) {
    if let Err(fault) = receipt.given_back(pause).await {
        tracing::debug!(%fault, "the carrier delivers a mail again only after {} s", ACK_WAIT.as_secs());
    }
}
