//! Tests of profiles in letters: a profile is read, changed immediately, or changed after an operator's decision. A new address is also
//! reported to the former address.

use diesel::sql_types::{Bytea, Text};
use diesel_async::RunQueryDsl;
use sdc::answer::AnswerContent;
use sdc::answer::notice::{NoticeContent, ProfileOutcome};
use sdc::answer::profile::Profile;
use sdc::letter::Letter;
use sdc::payload::{self, PayloadLimits};
use sdc::refusal::RefusalCode;
use sdc::request::{ProfileChange, ProfileRequest, Request};
use uuid::Uuid;

use super::REFUSED;
use super::world::World;
use crate::agencies::profiles::{confirm, list, refuse, show, tell};
use crate::database::statement::Statement;
use crate::error::AdministrationError;
use crate::letters::outbox::{self, LeasedAnswer};
use crate::people::{Operator, Privilege};
use crate::settle::Outcome;

/// The e-mail address that the test world gives to agency 42.
const FORMER: &str = "office42@example.org";

fn set(members: &[(&str, &str)]) -> Option<ProfileChange> {
    let member = |name| members.iter().find(|(member, _)| *member == name).map(|(_, value)| (*value).to_owned());
    Some(ProfileChange {
        name: member("name"),
        town: member("town"),
        telephone: member("telephone"),
        email: member("email"),
    })
}

fn asking(world: &World, sequence: u64, set: Option<ProfileChange>) -> Letter {
    Letter { request: Request::Profile(ProfileRequest { set }), ..world.births(42, sequence, &[]) }
}

/// Settles a letter that requests its agency's profile, and returns the profile in the answer.
async fn told(world: &World, letter: &Letter) -> Profile {
    assert_eq!(world.settle(vec![world.arrival(letter).await]).await, [Outcome::Accepted]);
    let (_, body) = super::statements::parts(world).await.pop().unwrap();
    let AnswerContent::Profile(profile) = body.content else { panic!("no profile") };
    profile
}

async fn status(world: &World, status: i16) {
    world.sql(&format!("UPDATE xm.agencies SET status = {status} WHERE matricule = 42")).await;
}

/// Leases all answers and notices that wait, and marks them as sent.
async fn sent(world: &World) -> Vec<LeasedAnswer> {
    let mut connection = world.connection().await;
    let leased = outbox::lease(&mut connection, Uuid::now_v7(), "mail", 100, std::time::Duration::from_secs(60)).await;
    let leased = leased.unwrap();
    outbox::sent(&mut connection, &leased).await.unwrap();
    leased
}

fn notice(leased: &LeasedAnswer) -> NoticeContent {
    let json: serde_json::Value = serde_json::from_slice(&leased.payload).unwrap();
    assert_eq!(json["service"], "notice");
    let sdc::answer::CentreLetter::Notice(notice) =
        payload::read_centre_letter(&leased.payload, &PayloadLimits::default()).unwrap()
    else {
        panic!("an answer")
    };
    notice.content
}

#[tokio::test]
async fn an_office_reads_its_profile_and_changes_it_at_once_below_status_3() {
    let world = World::new().await;
    status(&world, 1).await;
    let profile = told(&world, &asking(&world, 1, None)).await;
    assert_eq!((profile.name.as_str(), profile.email.as_str(), profile.waiting), ("Office", FORMER, None));
    let letter = asking(&world, 2, set(&[("town", "Édéa"), ("telephone", "222"), ("name", "Office")]));
    let profile = told(&world, &letter).await;
    assert_eq!((profile.town.as_str(), profile.telephone.as_str()), ("Édéa", "222"));
    let held = "SELECT count(*) FROM xm.agencies WHERE matricule = 42 AND town = 'Édéa' AND telephone = '222' AND name = 'Office'";
    assert_eq!(world.count(held).await, 1);
    let kept = "SELECT count(*) FROM xm.profile_changes WHERE state = 'made' AND told_at IS NOT NULL
                   AND change = '{\"town\": \"Édéa\", \"telephone\": \"222\"}' AND former = '{\"town\": \"\", \"telephone\": \"\"}'";
    assert_eq!(world.count(kept).await, 1, "what stays as it was is no change");
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Duplicate]);
    assert_eq!(told(&world, &asking(&world, 3, set(&[("town", "Édéa")]))).await, profile);
    assert_eq!(world.count("SELECT count(*) FROM xm.profile_changes").await, 1);
    status(&world, 0).await;
    let suspended = asking(&world, 4, None);
    assert_eq!(world.settle(vec![world.arrival(&suspended).await]).await, [REFUSED(RefusalCode::AgencySuspended)]);
}

/// In whatever order the letters are delivered, each answer has the profile with the changes of the letters before it.
#[tokio::test]
async fn letters_of_one_batch_change_a_profile_in_their_order() {
    let world = World::new().await;
    status(&world, 2).await;
    let (first, second) = (asking(&world, 1, set(&[("town", "A")])), asking(&world, 2, set(&[("town", "B")])));
    let batch = vec![world.arrival(&second).await, world.arrival(&first).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 2]);
    assert_eq!(world.count("SELECT count(*) FROM xm.agencies WHERE matricule = 42 AND town = 'B'").await, 1);
    let towns: Vec<(Option<Uuid>, String)> = super::statements::parts(&world)
        .await
        .into_iter()
        .map(|(answer, body)| match body.content {
            AnswerContent::Profile(profile) => (answer.receipt.letter, profile.town),
            _ => panic!("no profile"),
        })
        .collect();
    assert!(towns.contains(&(Some(first.id), "A".to_owned())) && towns.contains(&(Some(second.id), "B".to_owned())));
}

/// Somebody who has stolen a key may change the agency's address to his own. The answer and a notice are both sent to the former address,
/// so the office finds out.
#[tokio::test]
async fn a_new_address_is_told_to_the_one_before() {
    let world = World::new().await;
    status(&world, 2).await;
    told(&world, &asking(&world, 1, None)).await;
    sent(&world).await;
    told(&world, &asking(&world, 2, set(&[("email", "other@example.org")]))).await;
    told(&world, &asking(&world, 3, None)).await;
    let to: Vec<String> = sent(&world).await.into_iter().map(|leased| leased.email).collect();
    assert_eq!(to, [FORMER, "other@example.org"], "the letter that changes it is answered where it was");

    let tell = async || tell(&mut *world.connection().await).await.unwrap();
    assert_eq!((tell().await, tell().await), (1, 0));
    let [leased] = &sent(&world).await[..] else { panic!("one notice") };
    assert_eq!(leased.email, FORMER);
    let NoticeContent::Profile { outcome, profile, reason, .. } = notice(leased) else { panic!("another notice") };
    assert_eq!((outcome, profile.email.as_str(), reason), (ProfileOutcome::Made, "other@example.org", None));
    // An office without an address has no former address, so no notice is queued.
    world.sql("UPDATE xm.agencies SET email = '' WHERE matricule = 42").await;
    told(&world, &asking(&world, 4, set(&[("email", "third@example.org")]))).await;
    assert_eq!(sent(&world).await[0].email, "third@example.org");
    assert_eq!(tell().await, 0);
}

#[tokio::test]
async fn an_address_of_the_centre_is_no_office_s() {
    let world = World::new().await;
    world.sql("INSERT INTO xm.centre_addresses (address) VALUES ('centre@example.org')").await;
    for (sequence, status_now) in [(1, 3), (2, 1)] {
        status(&world, status_now).await;
        let letter = asking(&world, sequence, set(&[("email", "Centre@example.org"), ("town", "X")]));
        assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [REFUSED(RefusalCode::ProfileInvalid)]);
        let refusal = world.receipt(&letter).await.refusal.unwrap();
        assert_eq!(refusal.parameters["path"], "body.set.email");
    }
    assert_eq!(world.count("SELECT count(*) FROM xm.profile_changes").await, 0);
}

#[tokio::test]
async fn at_status_3_a_change_waits_for_one_operator_of_privilege_3() {
    let world = World::new().await;
    let superviseur = Operator::superviseur();
    let first = told(&world, &asking(&world, 1, set(&[("telephone", "222"), ("email", "new@example.org")]))).await;
    assert_eq!((first.telephone.as_str(), first.email.as_str()), ("", FORMER), "nothing is changed yet");
    assert_eq!(first.waiting, set(&[("telephone", "222"), ("email", "new@example.org")]));
    let again = told(&world, &asking(&world, 2, set(&[("telephone", "333")]))).await;
    assert_eq!(again.waiting, set(&[("telephone", "333"), ("email", "new@example.org")]), "what waits is taken up");
    assert!(sent(&world).await.iter().all(|leased| leased.email == FORMER));

    let mut connection = world.connection().await;
    let waiting = list(&mut connection, false, None, 10).await.unwrap();
    let [change] = &waiting[..] else { panic!("{waiting:?}") };
    let of_email = change.members().into_iter().find(|(member, ..)| member == "email").unwrap();
    assert_eq!((of_email.1.as_str(), of_email.2.as_str()), (FORMER, "new@example.org"));
    let clerk = Operator::pretended("nkolo", Privilege::ChefDAgence);
    let refused = confirm(&mut connection, &clerk, change.id).await.unwrap_err();
    assert!(matches!(refused, AdministrationError::PrivilegeMissing { .. }), "{refused}");
    let replaced = confirm(&mut connection, &superviseur, change.id - 1).await.unwrap_err();
    assert!(
        matches!(&replaced, AdministrationError::ProfileChangeDecided { state, .. } if state == "replaced"),
        "{replaced}"
    );
    let confirmed = confirm(&mut connection, &superviseur, change.id).await.unwrap();
    assert_eq!((confirmed.state.as_str(), confirmed.decided_by.as_deref()), ("confirmed", Some("mbarga")));
    let again = confirm(&mut connection, &superviseur, change.id).await.unwrap_err();
    assert!(matches!(again, AdministrationError::ProfileChangeDecided { .. }), "{again}");
    let held =
        "SELECT count(*) FROM xm.agencies WHERE matricule = 42 AND telephone = '333' AND email = 'new@example.org'";
    assert_eq!(world.count(held).await, 1);
    let [leased] = &sent(&world).await[..] else { panic!("one notice") };
    assert_eq!(leased.email, FORMER, "the owner of the former address learns of it");
    let NoticeContent::Profile { outcome, letter, .. } = notice(leased) else { panic!("another notice") };
    assert_eq!((outcome, letter), (ProfileOutcome::Made, change.letter_id));
    assert_eq!(tell(&mut connection).await.unwrap(), 0, "it is told once");

    let third = told(&world, &asking(&world, 3, set(&[("name", "Kiosque")]))).await;
    assert!(third.waiting.is_some());
    sent(&world).await;
    let id = list(&mut connection, false, None, 10).await.unwrap()[0].id;
    refuse(&mut connection, &superviseur, id, "unknown on the telephone").await.unwrap();
    let [leased] = &sent(&world).await[..] else { panic!("one notice") };
    assert_eq!(leased.email, "new@example.org");
    let NoticeContent::Profile { outcome, reason, profile, .. } = notice(leased) else { panic!("another notice") };
    assert_eq!((outcome, reason.as_deref()), (ProfileOutcome::Refused, Some("unknown on the telephone")));
    assert_eq!((profile.name.as_str(), show(&mut connection, id).await.unwrap().state.as_str()), ("Office", "refused"));
    // A change that the office withdraws no longer waits.
    told(&world, &asking(&world, 4, set(&[("name", "Kiosque")]))).await;
    assert_eq!(told(&world, &asking(&world, 5, set(&[("name", "Office")]))).await.waiting, None);
    assert!(list(&mut connection, false, None, 10).await.unwrap().is_empty());
    assert_eq!(list(&mut connection, true, None, 10).await.unwrap().len(), 4);
}

/// Operators may write a profile in another form of Unicode, or with other tools. Offices get it in NFC.
#[tokio::test]
async fn a_profile_is_told_in_the_form_that_offices_read() {
    let world = World::new().await;
    world.sql("UPDATE xm.agencies SET town = U&'E\\0301de\\0301a' WHERE matricule = 42").await;
    assert_eq!(told(&world, &asking(&world, 1, None)).await.town, "Édéa");
    let states: Vec<String> = Statement::<Text>::new(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'profile_changes_state_check'",
        &[],
    )
    .load(&mut *world.connection().await)
    .await
    .unwrap();
    for state in ["waiting", "made", "confirmed", "refused", "replaced"] {
        assert!(states[0].contains(&format!("'{state}'")), "{states:?}");
    }
    let kept: Vec<Vec<u8>> = Statement::<Bytea>::new("SELECT payload FROM xm.answer_parts", &[])
        .load(&mut *world.connection().await)
        .await
        .unwrap();
    assert_eq!(kept.len(), 1);
}
