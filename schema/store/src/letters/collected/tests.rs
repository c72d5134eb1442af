//! Tests of the answers that an office gets over HTTPS.

use diesel_async::SimpleAsyncConnection;
use uuid::Uuid;

use super::*;
use crate::database::Connection;
use crate::testing::TestCluster;

const HOLD: Duration = Duration::from_secs(60);

/// Makes the letter with this number of an agency and installation.
fn letter(agency: u32, installation: &str, number: u128) -> AnsweredLetter {
    let agency = Matricule::try_from(agency).unwrap();
    AnsweredLetter { agency, installation: installation.to_owned(), letter_id: Uuid::from_u128(number) }
}

/// Stores the verdicts of letters. Each letter has a receipt whose content is the letter's number, and an answer queued for the given
/// transport.
async fn settle(connection: &mut Connection, letters: &[(&AnsweredLetter, &str)]) {
    for (at, (letter, transport)) in (1..).zip(letters) {
        let AnsweredLetter { agency, installation, letter_id } = letter;
        let text = format!(
            "INSERT INTO xm.agencies (matricule, name, email, status) VALUES ({agency}, 'a', 'a@x', 3) ON CONFLICT DO NOTHING;
             INSERT INTO xm.letters (agency, letter_id, installation, sequence, digest, verdict, transport, certificate, receipt,
                                     received_at)
             VALUES ({agency}, '{letter_id}', '{installation}', {at}, sha256('{at}'), 'accepted', '{transport}', 1,
                     '{}', now());
             INSERT INTO xm.outbox (agency, letter_id, transport) VALUES ({agency}, '{letter_id}', '{transport}')",
            letter_id.as_u128()
        );
        connection.batch_execute(&text).await.unwrap();
    }
}

/// Returns the numbers of the letters to which leased answers belong.
fn numbers(leased: &[LeasedAnswer]) -> Vec<u128> {
    leased.iter().map(|answer| answer.letter_id.unwrap().as_u128()).collect()
}

async fn lease_for(connection: &mut Connection, letter: &AnsweredLetter, most: i64) -> Vec<LeasedAnswer> {
    lease(connection, Uuid::from_u128(9), &[Wanted::any_of(letter.clone())], most, HOLD).await.unwrap()
}

#[tokio::test]
async fn an_office_gets_the_answer_to_its_letter_and_what_it_alone_collects() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    let (mine, waiting, by_mail) = (letter(7, "main", 1), letter(7, "main", 2), letter(7, "main", 3));
    let (other_installation, other_agency) = (letter(7, "second", 4), letter(8, "main", 5));
    let all = [&mine, &waiting, &by_mail, &other_installation, &other_agency];
    let transports = ["mail", "http", "mail", "http", "http"];
    settle(&mut connection, &all.into_iter().zip(transports).collect::<Vec<_>>()).await;

    // The letter's own answer was queued for mail, and is leased although its office asks over HTTPS. Answers to other letters are leased
    // only if they were queued for HTTPS.
    let leased = lease_for(&mut connection, &mine, 16).await;
    assert_eq!(numbers(&leased), [1, 2]);
    assert_eq!(leased[0].payload, b"1");
    assert_eq!(numbers(&lease_for(&mut connection, &mine, 16).await), [0; 0], "they are leased");
    outbox::sent(&mut connection, &leased).await.unwrap();

    // The two answers were handed out together, so they are found together, and no other answer is.
    let again = handed_out_with(&mut connection, &mine, 16).await.unwrap();
    let found: Vec<u128> = again.iter().map(|answer| answer.letter.letter_id.as_u128()).collect();
    assert_eq!(found, [1, 2]);
    let alone = handed_out_with(&mut connection, &by_mail, 16).await.unwrap();
    assert_eq!(alone.len(), 1, "it was not handed out at all");
    let rest = lease_for(&mut connection, &other_installation, 16).await;
    assert_eq!(numbers(&rest), [4]);
}

#[tokio::test]
async fn each_office_gets_its_share_of_a_lease() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    let letters: Vec<AnsweredLetter> = (1..=9).map(|number| letter(7, "main", number)).collect();
    let other = [letter(8, "main", 10), letter(8, "main", 11)];
    let all: Vec<_> = letters.iter().chain(&other).map(|letter| (letter, "http")).collect();
    settle(&mut connection, &all).await;
    let wanted = [Wanted::any_of(letters[8].clone()), Wanted::any_of(other[1].clone())];
    let leased = lease(&mut connection, Uuid::from_u128(9), &wanted, 3, HOLD).await.unwrap();
    let mut numbers = numbers(&leased);
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 9, 10, 11], "the last letter's own answer, and three more");
}

#[tokio::test]
async fn an_answer_is_read_by_its_name_and_only_the_one_that_waits_is_taken() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    let mine = letter(7, "main", 1);
    settle(&mut connection, &[(&mine, "http")]).await;
    let mut named = async |attempt, part| {
        let which = Which { attempt, part };
        read(&mut connection, mine.agency, mine.letter_id, which).await.unwrap().map(|answer| answer.payload)
    };
    assert_eq!(named(None, None).await, Some(b"1".to_vec()));
    assert_eq!(named(Some(1), Some(0)).await, Some(b"1".to_vec()));
    for (attempt, part) in [(Some(2), None), (None, Some(1)), (Some(0), Some(0)), (Some(1), Some(-1))] {
        assert_eq!(named(attempt, part).await, None, "{attempt:?} {part:?}");
    }
    let unknown = read(&mut connection, mine.agency, Uuid::from_u128(2), Which::default()).await.unwrap();
    assert!(unknown.is_none());
    for (attempt, part, count) in [(1, 1, 0), (2, 0, 0), (1, 0, 1)] {
        let wanted = [Wanted::exactly(mine.clone(), attempt, part)];
        let leased = lease(&mut connection, Uuid::from_u128(9), &wanted, 0, HOLD).await.unwrap();
        assert_eq!(leased.len(), count, "{attempt} {part}");
    }
}
