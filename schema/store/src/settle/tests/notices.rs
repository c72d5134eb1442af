//! Tests of the centre's notices. Each is queued once and numbered. It is sent by the transport, and in the form and cipher, of the letter
//! with the installation's highest sequence number.

use std::time::Duration;

use sdc::answer::CentreLetter;
use sdc::answer::notice::{Notice, NoticeContent};
use sdc::cms::ContentCipher;
use sdc::letter::{Letter, Mode, Office};
use sdc::payload::{PayloadForm, PayloadLimits, read_centre_letter};
use uuid::Uuid;

use super::world::World;
use crate::certificates::ending;
use crate::letters::notices;
use crate::letters::outbox::{self, LeasedAnswer};
use crate::settle::{Content, Outcome};

const HOLD: Duration = Duration::from_secs(60);

fn office(agency: u32, installation: &str) -> Office {
    Office { agency: agency.try_into().unwrap(), installation: installation.to_owned() }
}

fn content() -> NoticeContent {
    let ends = "2027-01-01T00:00:00Z".parse().unwrap();
    NoticeContent::CertificateEnds { certificate: "0".repeat(64), ends, days: 30 }
}

async fn queue(world: &World, about: &str) -> Option<Uuid> {
    notices::queue(&mut *world.connection().await, &office(42, "pc1"), about, &content()).await.unwrap()
}

async fn lease(world: &World, transport: &str) -> Vec<LeasedAnswer> {
    outbox::lease(&mut *world.connection().await, Uuid::now_v7(), transport, 10, HOLD).await.unwrap()
}

/// Returns the notices of a transport that are due. They are leased, as for sending, and given back, so that the next call finds them too.
async fn looked_at(world: &World, transport: &str) -> Vec<LeasedAnswer> {
    let leased = lease(world, transport).await;
    outbox::leave(&mut *world.connection().await, &leased).await.unwrap();
    leased.into_iter().filter(|leased| leased.notice.is_some()).collect()
}

async fn send_answers(world: &World) {
    world.sql("DELETE FROM xm.outbox WHERE letter_id IS NOT NULL").await;
}

/// Settles a letter that arrives by this transport, in this form and cipher.
async fn comes(
    world: &World,
    letter: &Letter,
    transport: &'static str,
    form: PayloadForm,
    cipher: ContentCipher,
) -> Outcome {
    let mut arrival = world.arrival(letter).await;
    arrival.source.transport = transport;
    if let Content::Signed { form: its_form, cipher: its_cipher, .. } = &mut arrival.content {
        (*its_form, *its_cipher) = (form, cipher);
    }
    let outcome = world.settle(vec![arrival]).await[0];
    send_answers(world).await;
    outcome
}

fn read(leased: &LeasedAnswer) -> Notice {
    match read_centre_letter(&leased.payload, &PayloadLimits::default()).unwrap() {
        CentreLetter::Notice(notice) => notice,
        CentreLetter::Answer(_) | CentreLetter::Part(_) => panic!("an answer"),
    }
}

#[tokio::test]
async fn a_notice_is_told_once_and_numbered_without_gaps_whoever_queues_it() {
    let world = World::new().await;
    assert_eq!(queue(&world, "a").await, None, "no way to it is known");
    let plain = PayloadForm::Json;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(comes(&world, &letter, "mail", plain, ContentCipher::Aes256Gcm).await, Outcome::Accepted);
    assert!(queue(&world, "a").await.is_some());
    assert_eq!(queue(&world, "a").await, None);
    let together = futures_util::future::join_all((0..8).map(|at| {
        let world = &world;
        async move { queue(world, if at % 2 == 0 { "b" } else { "c" }).await }
    }))
    .await;
    assert_eq!(together.iter().flatten().count(), 2, "each once: {together:?}");

    let numbers: Vec<(i64, String)> = lease(&world, "mail")
        .await
        .iter()
        .map(|leased| {
            let (notice, told) = (leased.notice.clone().unwrap(), read(leased));
            assert_eq!((told.id, told.number), (notice.id, notice.number.unsigned_abs()));
            assert_eq!((told.from.as_str(), told.mode, told.to), ("centre", Mode::Live, office(42, "pc1")));
            assert_eq!((told.content, leased.letter_id), (content(), None));
            (notice.number, leased.name())
        })
        .collect();
    assert_eq!(numbers.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(numbers.iter().all(|(_, name)| name.len() == 32), "each has an id of its own: {numbers:?}");

    // Every installation of the agency that has sent a letter gets the notice, with a number of its own sequence.
    world.sql("INSERT INTO xm.installations (agency, name) VALUES (42, 'pc2'), (42, 'pc3')").await;
    world.sql("UPDATE xm.installations SET transport = 'folder' WHERE name = 'pc2'").await;
    let (mut connection, agency) = (world.connection().await, 42.try_into().unwrap());
    assert_eq!(notices::queue_for_agency(&mut connection, agency, "a", &content()).await.unwrap(), 1);
    assert_eq!(lease(&world, "folder").await[0].notice.as_ref().unwrap().number, 1);
    assert_eq!(notices::queue_for_agency(&mut connection, agency, "d", &content()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_notice_leaves_as_the_last_letter_came_by_then() {
    let world = World::new().await;
    world.sql("UPDATE xm.agencies SET cbc_allowed = true").await;
    let (plain, frame) = (PayloadForm::Json, PayloadForm::Frame { dictionary: 1 });
    let letters: Vec<Letter> = (1..=3).map(|number| world.births(42, number, &[("CE-042", number)])).collect();
    comes(&world, &letters[1], "mail", plain, ContentCipher::Aes256Gcm).await;
    queue(&world, "a").await.unwrap();
    let way = async |transport: &str| {
        let found = looked_at(&world, transport).await;
        found.into_iter().map(|leased| (leased.notice.unwrap().form, leased.cipher)).collect::<Vec<_>>()
    };
    assert_eq!(way("folder").await, []);
    assert_eq!(way("mail").await, [(plain, ContentCipher::Aes256Gcm)]);
    // A letter with a lower number arrives late. Its transport and form do not change those of the installation.
    comes(&world, &letters[0], "folder", frame, ContentCipher::Aes256Cbc).await;
    assert_eq!(way("mail").await, [(plain, ContentCipher::Aes256Gcm)]);
    comes(&world, &letters[2], "folder", frame, ContentCipher::Aes256Cbc).await;
    assert_eq!(way("mail").await, []);
    assert_eq!(way("folder").await, [(frame, ContentCipher::Aes256Cbc)]);
    world.sql("UPDATE xm.agencies SET cbc_allowed = false").await;
    assert_eq!(way("folder").await, [(frame, ContentCipher::Aes256Gcm)], "it has leave for the other no more");
    // The latest letter arrives again, now by mail, so its office no longer reads the folder.
    assert_eq!(comes(&world, &letters[2], "mail", frame, ContentCipher::Aes256Gcm).await, Outcome::Duplicate);
    assert_eq!((way("folder").await, way("mail").await.len()), (vec![], 1));
    assert_eq!(comes(&world, &letters[0], "folder", frame, ContentCipher::Aes256Gcm).await, Outcome::Duplicate);
    assert_eq!((way("folder").await, way("mail").await.len()), (vec![], 1), "an old one tells nothing");

    let leased = lease(&world, "mail").await;
    outbox::sent(&mut *world.connection().await, &leased).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.notices WHERE sent_at IS NOT NULL AND outbox IS NULL").await, 1);
    assert_eq!(queue(&world, "a").await, None, "told is told, also when it has left");
}

#[tokio::test]
async fn a_notice_is_leased_put_back_given_up_and_released_as_answers_are() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    world.settle(vec![world.arrival(&letter).await]).await;
    queue(&world, "a").await.unwrap();
    let (mut connection, process) = (world.connection().await, Uuid::now_v7());
    let mut lease = async || outbox::lease(&mut connection, process, "mail", 10, HOLD).await.unwrap();
    let leased = lease().await;
    assert!(leased[0].letter_id == Some(letter.id) && leased[1].notice.is_some() && leased.len() == 2, "{leased:?}");
    assert!(lease().await.is_empty(), "both are leased");
    let mut other = world.connection().await;
    outbox::release_of(&mut other, process, "folder").await.unwrap();
    assert!(lease().await.is_empty(), "they are in hand elsewhere");
    outbox::release_of(&mut other, process, "mail").await.unwrap();
    let leased = lease().await;
    assert_eq!(leased.len(), 2);
    assert!(leased.iter().all(|leased| leased.is_sent_again && leased.attempts == 2), "{leased:?}");
    outbox::put_back(&mut other, &leased, "later").await.unwrap();
    assert!(lease().await.is_empty(), "not due yet");
    world.sql("UPDATE xm.outbox SET due_at = now()").await;
    let leased = lease().await;
    outbox::give_up(&mut other, &leased, "never").await.unwrap();
    world.sql("UPDATE xm.outbox SET due_at = now()").await;
    assert!(lease().await.is_empty(), "an operator has to look at it");
    world.sql("UPDATE xm.outbox SET failed_at = NULL").await;
    assert_eq!(lease().await.len(), 2);
    // Where both answers and notices wait, answers are leased first.
    world.sql("UPDATE xm.outbox SET claimed_until = NULL").await;
    let leased = outbox::lease(&mut other, process, "mail", 1, HOLD).await.unwrap();
    assert!(leased.len() == 1 && leased[0].notice.is_none(), "{leased:?}");
}

#[tokio::test]
async fn a_notice_is_sealed_for_the_key_that_signed_last_or_where_it_is_revoked_for_a_valid_one() {
    let world = World::new().await;
    world.settle(vec![world.arrival(&world.births(42, 1, &[("CE-042", 1)])).await]).await;
    send_answers(&world).await;
    queue(&world, "a").await.unwrap();
    let own = world.count("SELECT id FROM xm.certificates WHERE agency = 42").await;
    let sealed_for = async || {
        let leased = looked_at(&world, "mail").await.remove(0);
        leased.certificate.map(|recipient| i64::from(recipient.certificate_id))
    };
    let another = "INSERT INTO xm.agency_keys (spki_sha256, agency) VALUES (sha256('other'), 42);
        INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
        SELECT 42, sha256('other'), '1', '', '1', der, sha256('other'), 'P-256', now(), now() + interval '9 years'
          FROM xm.certificates WHERE agency = 42";
    world.sql(another).await;
    let other = world.count("SELECT max(id) FROM xm.certificates").await;
    assert_eq!(sealed_for().await, Some(own));
    world.sql(&format!("UPDATE xm.certificates SET not_after = now() WHERE id = {own}")).await;
    assert_eq!(sealed_for().await, Some(own), "what it has ended opens it still");
    world
        .sql(&format!("UPDATE xm.certificates SET revoked_at = now(), revoked_reason = 'lost' WHERE id = {own}"))
        .await;
    assert_eq!(sealed_for().await, Some(other));
    world.sql(&format!("UPDATE xm.certificates SET not_before = now() + interval '1 day' WHERE id = {other}")).await;
    assert_eq!(sealed_for().await, None);
}

#[tokio::test]
async fn a_certificate_that_ends_is_told_at_each_of_its_days_once() {
    let world = World::new().await;
    let tell = async || ending::tell(&mut *world.connection().await).await.unwrap();
    let ends = async |within: &str| {
        world
            .sql(&format!("UPDATE xm.certificates SET not_after = now() + interval '{within}' WHERE agency = 42"))
            .await;
    };
    ends("20 days").await;
    assert_eq!(tell().await, 0, "it has not written yet");
    for agency in [42, 43] {
        world.settle(vec![world.arrival(&world.births(agency, 1, &[(&format!("CE-{agency:03}"), 1)])).await]).await;
    }
    send_answers(&world).await;
    let mut expected = Vec::new();
    for (within, days) in [
        ("61 days", None),
        ("59 days 23:59", Some(60)),
        ("31 days", None),
        ("29 days", Some(29)),
        ("14 days", Some(14)),
        ("13 days", None),
        ("20 hours", Some(1)),
        ("1 hour", None),
    ] {
        ends(within).await;
        let told = futures_util::future::join_all([tell(), tell(), tell()]).await;
        assert_eq!(told.iter().sum::<usize>(), usize::from(days.is_some()), "{within}: one of three programs tells");
        expected.extend(days);
    }
    let told: Vec<u16> = lease(&world, "mail")
        .await
        .iter()
        .map(|leased| {
            let NoticeContent::CertificateEnds { days, certificate, .. } = read(leased).content else {
                panic!("another notice")
            };
            assert_eq!((leased.agency, certificate.len()), (42, 64));
            days
        })
        .collect();
    assert_eq!(told, expected);

    // No notice is queued for a certificate that has ended, for a suspended agency, for a revoked key, or for a key that has a later
    // certificate.
    ends("-1 second").await;
    world.sql("DELETE FROM xm.outbox; UPDATE xm.notices SET about = number::text, outbox = NULL").await;
    assert_eq!(tell().await, 0);
    ends("3 days").await;
    world.sql("UPDATE xm.agencies SET status = 0 WHERE matricule = 42").await;
    assert_eq!(tell().await, 0);
    let renewed = "UPDATE xm.agencies SET status = 1 WHERE matricule = 42;
        INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
        SELECT agency, spki_sha256, key_id, issuer, '1', der, sha256('renewed'), 'P-256', now(), now() + interval '2 years'
          FROM xm.certificates WHERE agency = 42";
    world.sql(renewed).await;
    assert_eq!(tell().await, 0);
    world.sql("UPDATE xm.certificates SET not_after = now() + interval '3 days' WHERE agency = 42").await;
    world.sql("UPDATE xm.certificates SET revoked_at = now(), revoked_reason = 'lost' WHERE agency = 42").await;
    assert_eq!(tell().await, 0);
}

/// Programs of the former version lease only answers of the transports that they know. So they lease no notice, and continue to settle
/// letters.
#[tokio::test]
async fn programs_of_the_version_before_leave_notices_alone() {
    let world = World::new().await;
    world.settle(vec![world.arrival(&world.births(42, 1, &[("CE-042", 1)])).await]).await;
    send_answers(&world).await;
    queue(&world, "a").await.unwrap();
    for (beside, transports) in
        [("", "'mail', 'mail-parts'"), ("AND transport NOT IN ('mail', 'mail-parts')", "'folder', 'folder-parts'")]
    {
        let claims = format!(
            "SELECT count(*) FROM (SELECT id FROM xm.outbox
              WHERE failed_at IS NULL {beside} AND transport IN ({transports}) AND due_at <= now()
                AND (claimed_until IS NULL OR claimed_until < now())
              ORDER BY due_at LIMIT 64 FOR UPDATE SKIP LOCKED) d"
        );
        assert_eq!(world.count(&claims).await, 0, "{transports}");
    }
    let raises = "UPDATE xm.installations i SET sequence_highest = n.highest
                    FROM (SELECT agency, name, max(sequence) AS highest FROM unnest('{42}'::integer[], '{pc1}'::text[], '{7}'::bigint[])
                            AS s (agency, name, sequence) GROUP BY agency, name) n
                   WHERE i.agency = n.agency AND i.name = n.name AND i.sequence_highest < n.highest;
                  INSERT INTO xm.installations (agency, name) VALUES (42, 'pc9')";
    world.sql(raises).await;
    assert_eq!(looked_at(&world, "mail").await.len(), 1, "the way that was known last is as good as any");
}

/// The migration fills in the transport, cipher and form of installations from the letters that were settled before the migration.
#[tokio::test]
async fn ways_of_letters_from_before_are_taken_over() {
    let world = World::new().await;
    let (plain, cbc) = (PayloadForm::Json, ContentCipher::Aes256Cbc);
    world.sql("UPDATE xm.agencies SET cbc_allowed = true").await;
    comes(&world, &world.births(42, 1, &[("CE-042", 1)]), "mail", plain, ContentCipher::Aes256Gcm).await;
    comes(&world, &world.births(42, 2, &[("CE-042", 2)]), "folder", plain, cbc).await;
    world.sql(include_str!("../../../migrations/00000000000025_seen/down.sql")).await;
    world.sql(include_str!("../../../migrations/00000000000017_notices/down.sql")).await;
    world.sql(include_str!("../../../migrations/00000000000017_notices/up.sql")).await;
    world.sql(include_str!("../../../migrations/00000000000025_seen/up.sql")).await;
    queue(&world, "a").await.unwrap();
    let found = looked_at(&world, "folder").await.remove(0);
    assert_eq!((found.cipher, found.notice.unwrap().form, found.certificate.is_some()), (cbc, plain, true));
    assert_eq!(
        world.count("SELECT count(*) FROM xm.installations WHERE transport IS NULL").await,
        1,
        "43 has not written"
    );
}

/// Settles a letter that tells the centre up to which number its office has seen notices.
async fn says_seen(world: &World, sequence: u64, seen: u64) -> Outcome {
    let letter = Letter { seen: Some(seen), ..world.births(42, sequence, &[("CE-042", sequence)]) };
    comes(world, &letter, "mail", PayloadForm::Json, ContentCipher::Aes256Gcm).await
}

#[tokio::test]
async fn what_is_not_seen_is_sent_again_ever_more_seldom_until_it_is() {
    let world = World::new().await;
    assert_eq!(says_seen(&world, 1, 7).await, Outcome::Accepted, "there is nothing to be seen yet");
    world.sql("UPDATE xm.installations SET notice_seen = 0, notice_highest = 0").await;
    let again = async || notices::send_again(&mut *world.connection().await).await.unwrap();
    let forget = async || notices::forget_seen(&mut *world.connection().await).await.unwrap();
    let message = NoticeContent::Message { message: Uuid::now_v7(), thread: Uuid::now_v7(), text: "x".to_owned() };
    let to = office(42, "pc1");
    notices::queue(&mut *world.connection().await, &to, "m", &message).await.unwrap();
    let mut sent = Vec::new();
    let mut days = 0;
    for gap in [0, 1, 2, 4, 7, 7, 7] {
        if gap > 0 {
            let before =
                format!("UPDATE xm.notices SET again_at = again_at - interval '{gap} days' + interval '1 minute'");
            world.sql(&before).await;
            assert_eq!(again().await, 0, "not before {gap} days are over");
            world.sql("UPDATE xm.notices SET again_at = again_at - interval '1 minute'").await;
            assert_eq!((again().await, again().await), (1, 0));
        }
        days += gap;
        let leased = lease(&world, "mail").await;
        let [one] = &leased[..] else { panic!("{leased:?}") };
        assert_eq!(one.is_sent_again, gap > 0, "what is sent again goes alone, as the same letter");
        sent.push((read(one).id, one.name()));
        outbox::sent(&mut *world.connection().await, &leased).await.unwrap();
    }
    assert_eq!(days, 28);
    assert!(sent.windows(2).all(|pair| pair[0] == pair[1]), "{sent:?}");
    // A letter acknowledges notices even if its number is below the highest, or if it is refused.
    assert_eq!(says_seen(&world, 3, 1).await, Outcome::Accepted);
    world.sql("UPDATE xm.notices SET again_at = now()").await;
    assert_eq!(again().await, 0);
    assert_eq!((forget().await, forget().await), (1, 0));
    assert_eq!(world.count("SELECT count(*) FROM xm.notices WHERE payload IS NULL AND again_at IS NULL").await, 1);
    assert_eq!(
        notices::queue(&mut *world.connection().await, &to, "m", &message).await.unwrap(),
        None,
        "told for ever"
    );

    // A notice that is acknowledged while it waits to be sent again is not sent.
    notices::queue(&mut *world.connection().await, &to, "n", &message).await.unwrap();
    let refused = Letter { seen: Some(2), ..world.births(42, 2, &[("CE-043", 9)]) };
    let outcome = comes(&world, &refused, "mail", PayloadForm::Json, ContentCipher::Aes256Gcm).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    assert!(lease(&world, "mail").await.is_empty());
    assert_eq!(forget().await, 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 0);
}

/// The office has seen notice 57, but the centre was restored from an older backup and knows of no notice. The next notice must get number
/// 58, because the office would take a lower number for a notice that it has.
#[tokio::test]
async fn a_number_that_an_office_has_seen_is_given_to_no_other_notice() {
    let world = World::new().await;
    assert_eq!(says_seen(&world, 1, 57).await, Outcome::Accepted);
    queue(&world, "a").await.unwrap();
    assert_eq!(read(&lease(&world, "mail").await[0]).number, 58);
    // The office claims to have seen a number that is far too high. The numbers then rise by at most 1000, the number of notices that a
    // backup may lack.
    assert_eq!(says_seen(&world, 2, 1 << 53).await, Outcome::Accepted);
    assert_eq!(world.count("SELECT notice_highest FROM xm.installations WHERE agency = 42").await, 58 + 1000);
    assert_eq!(world.count("SELECT notice_seen FROM xm.installations WHERE agency = 42").await, 58 + 1000);
    assert_eq!(world.count("SELECT count(*) FROM xm.installations WHERE notice_seen > 0").await, 1);
}

/// Of an agency's notices about the end of certificates, only the newest is repeated, and only until the certificate has ended. A suspended
/// agency gets no notice.
#[tokio::test]
async fn what_is_past_is_not_told_again() {
    let world = World::new().await;
    world.settle(vec![world.arrival(&world.births(42, 1, &[("CE-042", 1)])).await]).await;
    send_answers(&world).await;
    let (again, to) = (async || notices::send_again(&mut *world.connection().await).await.unwrap(), office(42, "pc1"));
    let ending = async |about: &str, ends: &str| {
        let ends = ends.parse().unwrap();
        let content = NoticeContent::CertificateEnds { certificate: "0".repeat(64), ends, days: 30 };
        notices::queue(&mut *world.connection().await, &to, about, &content).await.unwrap();
        let leased = lease(&world, "mail").await;
        outbox::sent(&mut *world.connection().await, &leased).await.unwrap();
        world.sql("UPDATE xm.notices SET again_at = now()").await;
    };
    ending("30", "2999-01-01T00:00:00Z").await;
    ending("14", "2999-01-01T00:00:00Z").await;
    world.sql("UPDATE xm.agencies SET status = 0").await;
    assert_eq!(again().await, 0);
    world.sql("UPDATE xm.agencies SET status = 1").await;
    assert_eq!(again().await, 1, "the newest alone");
    let told: Vec<u64> = lease(&world, "mail").await.iter().map(|leased| read(leased).number).collect();
    assert_eq!(told, [2]);
    ending("7", "2020-01-01T00:00:00Z").await;
    world.sql("DELETE FROM xm.outbox; UPDATE xm.notices SET outbox = NULL").await;
    assert_eq!(again().await, 0, "it has ended");
}
