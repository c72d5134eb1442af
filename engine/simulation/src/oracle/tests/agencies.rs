//! Planted faults in what the centre holds about agencies themselves, and in the notices to them.

use uuid::Uuid;

use super::*;

#[test]
fn every_planted_fault_of_what_is_held_of_agencies_is_found() {
    let lost_and_misread: Counted = |found| found.lost == 1 && found.reads_wrong == 1;
    assert_held_faults_are_found(&[
        ("a change is not made", |held| held.profiles[0].telephone.clear(), WRONG),
        ("a message is missing", |held| drop(held.messages.remove(0)), LOST),
        ("a message says something else", |held| held.messages[0].text.push('x'), WRONG),
        ("a message is in another thread", |held| held.messages[0].thread = Uuid::nil(), WRONG),
        (
            "a message comes from nowhere",
            |held| held.messages.push(HeldMessage { id: Uuid::nil(), ..held.messages[0].clone() }),
            WRONG,
        ),
        ("a question is answered twice", |held| held.messages.push(held.messages[1].clone()), DOUBLED),
        ("a question is not answered", |held| drop(held.messages.remove(1)), LOST),
        (
            "an operator writes what nobody asked",
            |held| held.messages.push(HeldMessage { text: "?!".to_owned(), ..held.messages[1].clone() }),
            WRONG,
        ),
        ("what was seen is not held", |held| held.installations[0].seen = 0, WRONG),
        ("more is held to be seen than came", |held| held.installations[0].seen = 3, WRONG),
        ("a notice is another", |held| held.notices[0].id = Uuid::nil(), WRONG),
        ("a key is not registered", |held| drop(held.certificates.pop()), lost_and_misread),
        ("a key is registered twice", |held| held.certificates.push(held.certificates[1].clone()), DOUBLED),
        ("a certificate is not in the register", |held| held.certificates[1].der.push(0), MISREAD),
        (
            "a key comes from nowhere",
            |held| held.certificates.push(HeldCertificate { key: octets("forged"), ..held.certificates[0].clone() }),
            WRONG,
        ),
    ]);
}

#[test]
fn every_planted_fault_of_what_agencies_are_told_is_found() {
    assert_faults_of_memory_are_found(&[
        ("a notice is not verified", |memory| drop(memory.notices.pop()), |found| found.wrong == 1 && found.lost == 1),
        (
            "a notice comes from nowhere",
            |memory| {
                let notice = NoticeMemory { number: 3, told: Told::Other("resend"), ..memory.notices[0].clone() };
                memory.notices.push(notice);
            },
            WRONG,
        ),
        (
            "an answer is told twice",
            |memory| {
                let notice = NoticeMemory { number: 3, ..memory.notices[0].clone() };
                memory.notices.push(notice);
            },
            |found| found.doubled == 1,
        ),
        (
            "what became of a change is told otherwise",
            |memory| {
                let Told::Profile { is_made, .. } = &mut memory.notices[1].told else { panic!("no change") };
                *is_made = false;
            },
            LOST,
        ),
        (
            "a broadcast does not come",
            |memory| {
                let to = vec![(AGENCY, crate::rules::INSTALLATION.to_owned())];
                memory.broadcasts.push(Broadcast { text: "to all".to_owned(), to });
            },
            WRONG,
        ),
        (
            "the certificate of another key is given",
            |memory| {
                let other = agency::identity::Identity::generate("x", agency::identity::Algorithm::P256).unwrap();
                let certificate = other.certificate().der();
                let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate);
                memory.letters[RENEWAL].answers.parts.get_mut(&1).unwrap().given = Given::Certificate(encoded);
            },
            MISREAD,
        ),
    ]);
}
