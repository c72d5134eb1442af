//! While the relay cannot be reached, answers wait. However many they are, the relay is dialled only at intervals, and one log line is
//! written.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use actors::pipeline::Limits;
use centre::{OFFICE_ADDRESS, SETTLED, World, quick, wait_until};
use simulation::log::LogLines;
use simulation::post_office::{Fault, Protocol, When};
use tracing_subscriber::{EnvFilter, fmt};

const LETTERS: usize = 60;

#[test]
fn a_round_ends_where_the_relay_is_not_reached_and_its_answers_are_as_they_were() {
    let _scenario = fail::FailScenario::setup();
    let lines = LogLines::default();
    fmt()
        .with_ansi(false)
        .with_env_filter(EnvFilter::new("off,actors=info"))
        .with_writer(lines.writer())
        .try_init()
        .unwrap();
    let mut world = World::new();
    world.deliver_letters(LETTERS);
    // The relay closes the connection in the middle of its greeting.
    let away = Fault::CutReply(Protocol::Smtp);
    world.post_office.faults().set(away.clone(), When::Always);
    let running = world.start_with(quick(), Limits { window_mails: 8, sending_max: 1, ..Limits::default() });
    world.wait_for("letters settled", SETTLED, i64::try_from(LETTERS).unwrap());
    let before = world.post_office.faults().struck(&away);
    wait_until("further rounds", || world.post_office.faults().struck(&away) > before + 1);
    // Each dial is for one mail, of at most eight answers.
    let put_back = || running.metrics().answers.with_label_values(&["put_back"]).get();
    let (put_back, dials) = (put_back(), world.post_office.faults().struck(&away));
    assert!(put_back <= 8 * dials, "{put_back} answers put back after {dials} dials");
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox WHERE attempts > 1"), 0, "none was tried");
    let text = lines.text();
    let told = |text: &str| text.lines().filter(|line| line.contains("relay")).count();
    assert_eq!(told(&text), 1, "one line for {} dials:\n{text}", world.post_office.faults().struck(&away));
    assert!(text.contains("the relay cannot be reached: answers wait") && text.contains("waiting="), "{text}");

    world.post_office.faults().clear(&away);
    world.wait_for("letters unanswered", "SELECT count(*) FROM xm.letters WHERE answered_at IS NULL", 0);
    assert!(running.drain());
    let mails = world.post_office.take(OFFICE_ADDRESS);
    assert!(mails.len() < LETTERS, "answers that were never tried go together");
    assert_eq!(world.open(mails).len(), LETTERS);
    let text = lines.text();
    assert_eq!(told(&text), 2, "{text}");
    assert!(text.contains("the relay is reached again"), "{text}");
}
