//! Tests of letters that an operator has tried again. Each is judged again under the locks, and its new verdict has a row of its own. The
//! receipt of the latest attempt is sent.

use chrono::{DateTime, Utc};
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::letter::Letter;
use sdc::payload::{PayloadLimits, read_answer};
use sdc::refusal::RefusalCode;
use sdc::request::{Period, Request};
use uuid::Uuid;

use super::REFUSED;
use super::world::World;
use crate::error::AdministrationError;
use crate::letters::outbox::{self, LeasedAnswer};
use crate::letters::quarantine::retry::{TakenUp, retry, take_up};
use crate::letters::quarantine::{self, QuarantineFilter};
use crate::people::{Operator, Privilege, audit};
use crate::settle::{Arrival, Outcome, Tried};

fn operator() -> Operator {
    Operator::pretended("mbome", Privilege::Operateur)
}

/// Makes the arrival of a letter of agency 42. Every letter gets different container bytes.
async fn arrival(world: &World, letter: &Letter) -> Arrival {
    let container = letter.id.simple().to_string().into_bytes();
    Arrival { container_bytes: container.len(), container, ..world.arrival(letter).await }
}

async fn settle(world: &World, letter: &Letter) -> Outcome {
    world.settle(vec![arrival(world, letter).await]).await.remove(0)
}

/// Returns the id of the only open entry in quarantine.
async fn entry(world: &World) -> i64 {
    let open = quarantine::list(&mut *world.connection().await, &QuarantineFilter::default()).await.unwrap();
    assert_eq!(open.len(), 1, "one entry is open");
    open[0].id
}

async fn tried_as(world: &World, taken_up: &TakenUp, again: Arrival) -> Result<Vec<Tried>, AdministrationError> {
    // As in `engine`, the container and the time of arrival are those of the entry.
    let again = Arrival { received_at: taken_up.entry.received_at, container: taken_up.original.clone(), ..again };
    retry(&world.settler, &mut *world.connection().await, &operator(), taken_up, vec![again], "mended").await
}

/// Has the letter in the only open entry tried again.
async fn try_again(world: &World, letter: &Letter) -> Tried {
    let id = entry(world).await;
    let taken_up = take_up(&mut *world.connection().await, &operator(), id).await.unwrap();
    tried_as(world, &taken_up, arrival(world, letter).await).await.unwrap().remove(0)
}

async fn claimed(world: &World) -> Vec<LeasedAnswer> {
    let (process, mut connection) = (Uuid::new_v4(), world.connection().await);
    let hold = std::time::Duration::from_secs(60);
    let claimed = outbox::lease(&mut connection, process, "mail", 100, hold).await.unwrap();
    outbox::release(&mut connection, process).await.unwrap();
    claimed
}

/// Returns the only waiting answer, with its receipt.
async fn waiting(world: &World) -> (LeasedAnswer, Receipt) {
    let mut claimed = claimed(world).await;
    assert_eq!(claimed.len(), 1, "one answer waits");
    let receipt = read_answer(&claimed[0].payload, &PayloadLimits::default()).unwrap().receipt;
    (claimed.remove(0), receipt)
}

async fn grant(world: &World) {
    world
        .sql(
            "INSERT INTO xm.scopes (agency, column_name, code) VALUES (42, 'CentreCode', 'CE-043');
             UPDATE xm.agencies SET revision = revision + 1 WHERE matricule = 42",
        )
        .await;
}

const ROWS: &str = "SELECT count(*) FROM registry.births";

#[tokio::test]
async fn a_letter_whose_cause_is_mended_is_accepted_by_its_second_attempt() {
    let world = World::new().await;
    world.tariff(100, 0, "owe").await;
    let letter = world.births(42, 1, &[("CE-043", 1), ("CE-043", 2)]);
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::OutOfScope));
    grant(&world).await;
    let id = entry(&world).await;
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 2 });

    assert_eq!(world.count(ROWS).await, 2);
    let (answer, receipt) = waiting(&world).await;
    assert_eq!((answer.attempt, answer.part, answer.is_sent_again), (2, 0, false));
    assert_eq!((receipt.attempt, receipt.verdict, receipt.sequence), (2, Verdict::Accepted, Some(1)));
    assert_eq!((receipt.account.cost, receipt.rows[0].new), (200, 2));
    assert_eq!(world.count("SELECT sum(amount) FROM xm.entries WHERE attempt = 2").await, 200);
    assert_eq!(world.ledger_difference().await, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.letters WHERE verdict = 'accepted' AND attempt = 2").await, 1);
    let rows = "SELECT count(*) FROM xm.attempts WHERE attempt = 2 AND verdict = 'accepted' AND decider = 'mbome'";
    assert_eq!(world.count(rows).await, 1);
    let kept =
        "SELECT count(*) FROM xm.originals o JOIN xm.journal j ON j.id = o.journal_id AND j.received_at = o.received_at
                 WHERE j.attempt = 2 AND j.outcome = 'accepted'";
    assert_eq!(world.count(kept).await, 1, "its bytes are with its line of the journal");
    let entry = quarantine::show(&mut *world.connection().await, &operator(), id).await.unwrap();
    assert_eq!((entry.entry.state.as_str(), entry.original.len()), ("retried", 0));
    let actions = audit::list(&mut *world.connection().await, None, 100).await.unwrap();
    assert!(actions.iter().any(|line| line.action == "quarantine.retry" && line.operator == "mbome"));

    // The accepted letter is like any other: delivered again it changes nothing, and the answer has the receipt of the accepted attempt.
    world.sql("DELETE FROM xm.outbox").await;
    assert_eq!(settle(&world, &letter).await, Outcome::Duplicate);
    assert_eq!(waiting(&world).await.1.attempt, 2);
    assert_eq!(world.count(ROWS).await, 2);
}

#[tokio::test]
async fn a_letter_that_is_wrong_still_stays_in_quarantine_and_is_told_so() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::OutOfScope));
    for attempt in 2..4 {
        let Tried::Refused { attempt: made, refusal, .. } = try_again(&world, &letter).await else {
            panic!("it is out of scope still")
        };
        assert_eq!((made, refusal.code), (attempt, RefusalCode::OutOfScope));
        let (answer, receipt) = waiting(&world).await;
        assert_eq!(
            (answer.attempt, receipt.attempt, receipt.verdict),
            (attempt, attempt.unsigned_abs(), Verdict::Refused)
        );
    }
    grant(&world).await;
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 4 });
    assert_eq!(world.count("SELECT count(*) FROM xm.attempts").await, 3);
}

/// A letter is refused for two reasons in turn. Quarantine has one entry of it for each reason. After each attempt only the entry of the
/// latest reason is open, and this entry must contain the letter's bytes.
#[tokio::test]
async fn a_letter_that_is_refused_for_one_reason_and_another_keeps_its_bytes() {
    let world = World::new().await;
    world.tariff(100, 0, "refuse").await;
    world.recharge(42, 1000).await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    let credit = async |limit: i64| {
        world
            .sql(&format!(
                "UPDATE xm.tariffs SET per_act = {limit};
                           UPDATE xm.server SET catalogue_revision = catalogue_revision + 1"
            ))
            .await;
    };
    let scope = async |granted: bool| {
        let change = match granted {
            true => "INSERT INTO xm.scopes (agency, column_name, code) VALUES (42, 'CentreCode', 'CE-043')",
            false => "DELETE FROM xm.scopes WHERE code = 'CE-043'",
        };
        world.sql(&format!("{change}; UPDATE xm.agencies SET revision = revision + 1 WHERE matricule = 42")).await;
    };
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::OutOfScope));
    let expect = async |code| {
        let Tried::Refused { refusal, .. } = try_again(&world, &letter).await else { panic!("it is accepted") };
        assert_eq!(refusal.code, code);
        let taken_up = take_up(&mut *world.connection().await, &operator(), entry(&world).await).await.unwrap();
        assert_eq!(taken_up.original, letter.id.simple().to_string().into_bytes());
        assert_eq!(taken_up.entry.reason, code.as_str());
    };
    for _ in 0..2 {
        scope(true).await;
        credit(5000).await;
        expect(RefusalCode::InsufficientCredit).await;
        scope(false).await;
        expect(RefusalCode::OutOfScope).await;
    }
    scope(true).await;
    credit(100).await;
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 6 });
    assert_eq!(world.count("SELECT balance FROM xm.accounts WHERE agency = 42").await, 900);
}

/// A letter is refused, the tariff rises, and a retry accepts the letter. The price is that of the tariff at its arrival, but the entry in
/// the ledger has the time of the retry.
#[tokio::test]
async fn it_is_priced_by_the_tariff_of_its_arrival_and_booked_when_it_is_decided() {
    let world = World::new().await;
    let came: DateTime<Utc> = Utc::now() - chrono::Duration::hours(20);
    world
        .sql(
            "INSERT INTO xm.tariffs (service, per_act, per_started_kb, credit, valid_from, valid_to)
             VALUES ('export', 100, 0, 'owe', now() - interval '2 days', now() - interval '10 hours'),
                    ('export', 700, 0, 'owe', now() - interval '10 hours', NULL);
             UPDATE xm.certificates SET not_before = now() - interval '2 days'",
        )
        .await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    let first = Arrival { received_at: came, ..arrival(&world, &letter).await };
    assert_eq!(world.settle(vec![first]).await, [REFUSED(RefusalCode::OutOfScope)]);
    grant(&world).await;
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 2 });
    assert_eq!(world.count("SELECT amount FROM xm.entries WHERE kind = 'letter'").await, 100);
    let today = "SELECT count(*) FROM xm.entries WHERE kind = 'letter' AND posted_at > now() - interval '1 hour'";
    assert_eq!(world.count(today).await, 1);
    let lines = "SELECT count(*) FROM xm.journal WHERE attempt = 2 AND received_at > now() - interval '1 hour'";
    assert_eq!(world.count(lines).await, 1);
    assert_eq!(waiting(&world).await.1.received.timestamp(), came.timestamp());
}

#[tokio::test]
async fn a_key_that_was_revoked_since_prevents_it() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::OutOfScope));
    grant(&world).await;
    let again = arrival(&world, &letter).await;
    world
        .sql(
            "UPDATE xm.agency_keys SET revoked_at = now(), revoked_reason = 'stolen' WHERE agency = 42;
             UPDATE xm.certificates SET revoked_at = now(), revoked_reason = 'stolen' WHERE agency = 42;
             UPDATE xm.agencies SET revision = revision + 1 WHERE matricule = 42",
        )
        .await;
    let id = entry(&world).await;
    let taken_up = take_up(&mut *world.connection().await, &operator(), id).await.unwrap();
    let tried = tried_as(&world, &taken_up, again).await.unwrap();
    assert!(
        matches!(&tried[..], [Tried::Stranger(refusal)] if refusal.code == RefusalCode::CertificateRevoked),
        "{tried:?}"
    );
    assert_eq!(world.count(ROWS).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.attempts").await, 0, "no attempt is used up");
    assert_eq!(entry(&world).await, id, "the entry is as it was, and no other is made");
    assert_eq!(world.count("SELECT count(*) FROM xm.journal").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.audit WHERE action = 'quarantine.retry'").await, 1);
}

#[tokio::test]
async fn of_two_operators_one_decides() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::OutOfScope));
    grant(&world).await;
    let taken_up = take_up(&mut *world.connection().await, &operator(), entry(&world).await).await.unwrap();
    let (one, other) = (arrival(&world, &letter).await, arrival(&world, &letter).await);
    let (one, other) = tokio::join!(tried_as(&world, &taken_up, one), tried_as(&world, &taken_up, other));
    let outcomes = [one.unwrap().remove(0), other.unwrap().remove(0)];
    let accepted = outcomes.iter().filter(|tried| matches!(tried, Tried::Accepted { attempt: 2, .. })).count();
    let before = outcomes.iter().filter(|tried| matches!(tried, Tried::AcceptedBefore { .. })).count();
    assert_eq!((accepted, before), (1, 1), "{outcomes:?}");
    assert_eq!(world.count(ROWS).await, 1);
    assert_eq!(claimed(&world).await.len(), 1);
}

#[tokio::test]
async fn whoever_drops_the_entry_meanwhile_is_first() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::OutOfScope));
    grant(&world).await;
    let id = entry(&world).await;
    let taken_up = take_up(&mut *world.connection().await, &operator(), id).await.unwrap();
    quarantine::drop(&mut *world.connection().await, &operator(), id, "not wanted").await.unwrap();
    let error = tried_as(&world, &taken_up, arrival(&world, &letter).await).await.unwrap_err();
    assert!(matches!(error, AdministrationError::QuarantineDecided { .. }), "{error}");
    assert_eq!(world.count(ROWS).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.attempts").await, 0);
    let error = take_up(&mut *world.connection().await, &operator(), id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::QuarantineDecided { .. }), "{error}");
}

/// A letter that is tried again keeps its own number, even if later letters have higher numbers. It cannot use the number of another
/// letter.
#[tokio::test]
async fn a_number_that_is_its_own_is_not_contested_and_one_of_another_is() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::OutOfScope));
    assert_eq!(settle(&world, &world.births(42, 2, &[("CE-042", 2)])).await, Outcome::Accepted);
    grant(&world).await;
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 2 });

    let thief = world.births(42, 2, &[("CE-042", 3)]);
    assert_eq!(settle(&world, &thief).await, REFUSED(RefusalCode::SequenceConflict));
    let Tried::Refused { letter_id, attempt, refusal } = try_again(&world, &thief).await else {
        panic!("it has the number")
    };
    assert_eq!((attempt, refusal.code), (2, RefusalCode::SequenceConflict));
    assert_ne!(letter_id, thief.id, "its verdict stands under the name made from its digest");
}

/// The letter is addressed to another server, so it is refused under a key made from its digest. Then the server gets that name. The next
/// attempt accepts the letter under its own key, and has the number 2.
#[tokio::test]
async fn a_letter_for_another_server_is_tried_again_once_this_is_that_server() {
    let world = World::new().await;
    let letter = Letter { to: "capital".to_owned(), ..world.births(42, 1, &[("CE-042", 1)]) };
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::WrongServer));
    world.sql("UPDATE xm.server SET name = 'capital', catalogue_revision = catalogue_revision + 1").await;
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 2 });
    assert_eq!(settle(&world, &letter).await, Outcome::Duplicate);
    let waiting: Vec<i16> = claimed(&world).await.iter().map(|answer| answer.attempt).collect();
    assert!(waiting.contains(&2), "{waiting:?}");
    let letters = "SELECT count(*) FROM xm.letters WHERE verdict = 'accepted' AND attempt = 2 AND sequence = 1";
    assert_eq!(world.count(letters).await, 1);
}

#[tokio::test]
async fn parts_of_an_answer_are_of_the_attempt_that_gives_them() {
    let world = World::new().await;
    world.sql("UPDATE xm.agencies SET status = 0, revision = revision + 1 WHERE matricule = 42").await;
    let letter = Letter { request: Request::Account(Period { from: None, to: None }), ..world.births(42, 1, &[]) };
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::AgencySuspended));
    world.sql("UPDATE xm.agencies SET status = 3, revision = revision + 1 WHERE matricule = 42").await;
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 2 });
    let (answer, receipt) = waiting(&world).await;
    assert_eq!((answer.attempt, answer.part, receipt.attempt), (2, 1, 2));
    assert!(answer.name().ends_with("-2-1"));
}

/// The answer to the first attempt is being sent when the second attempt is decided. When the exporter then marks its answer as sent, the
/// answer to the second attempt must still wait.
#[tokio::test]
async fn the_new_answer_is_sent_whatever_becomes_of_the_old_one() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    assert_eq!(settle(&world, &letter).await, REFUSED(RefusalCode::OutOfScope));
    let old = {
        let mut connection = world.connection().await;
        let hold = std::time::Duration::from_secs(60);
        outbox::lease(&mut connection, Uuid::new_v4(), "mail", 100, hold).await.unwrap()
    };
    assert_eq!(old.len(), 1);
    grant(&world).await;
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 2 });
    // A program of the former version deletes the old answer by its id alone. Then this program reports the old answer as sent with
    // `outbox::sent`.
    world.sql(&format!("DELETE FROM xm.outbox WHERE id = {}", old[0].id)).await;
    outbox::sent(&mut *world.connection().await, &old).await.unwrap();
    assert_eq!(waiting(&world).await.0.attempt, 2);
    let before = "SELECT count(*) FROM xm.outbox WHERE transport = 'mail'";
    assert_eq!(world.count(before).await, 0, "a program of the version before would send the first receipt");
}

#[tokio::test]
async fn a_stranger_that_has_a_signer_by_now_is_a_letter_at_its_first_attempt() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    let unknown =
        Arrival { content: world.stranger(RefusalCode::UnknownSigner, 1).content, ..arrival(&world, &letter).await };
    assert_eq!(world.settle(vec![unknown]).await, [REFUSED(RefusalCode::UnknownSigner)]);
    let used = "SELECT sum(bytes_kept) FROM xm.quarantine_usage";
    assert!(world.count(used).await > 0);
    assert_eq!(try_again(&world, &letter).await, Tried::Accepted { letter_id: letter.id, attempt: 1 });
    assert_eq!(world.count(used).await, 0, "others have its room");
    assert_eq!(waiting(&world).await.1.attempt, 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.attempts").await, 0);
}

#[tokio::test]
async fn what_is_not_kept_whole_or_still_nobodys_is_not_tried() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    let unknown = world.stranger(RefusalCode::UnknownSigner, 1);
    assert_eq!(world.settle(vec![unknown]).await, [REFUSED(RefusalCode::UnknownSigner)]);
    let id = entry(&world).await;
    let taken_up = take_up(&mut *world.connection().await, &operator(), id).await.unwrap();
    let again =
        Arrival { content: world.stranger(RefusalCode::UnknownSigner, 1).content, ..arrival(&world, &letter).await };
    let tried = tried_as(&world, &taken_up, again).await.unwrap();
    assert!(matches!(&tried[..], [Tried::Stranger(_)]), "{tried:?}");
    assert_eq!(entry(&world).await, id);
    assert_eq!(world.count("SELECT sum(containers) FROM xm.quarantine_counts").await, 0, "nobody has sent it again");
    world.sql("UPDATE xm.quarantine SET original_bytes = 5000000").await;
    let error = take_up(&mut *world.connection().await, &operator(), id).await.unwrap_err();
    assert!(matches!(error, AdministrationError::QuarantineIncomplete { .. }), "{error}");
}
