//! Mail servers that send odd listings, cut the connection over one mail, refuse mails or report wrong sizes. All other mail is settled.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::sync::OnceLock;

use actors::metrics::Handled;
use actors::pipeline::Limits;
use centre::{CENTRE_ADDRESS, QUARANTINED, SETTLED, World, quick, wait_until};
use simulation::log::LogLines;
use simulation::post_office::{Break, Fault, ListingOf, PostOffice, PostOfficeSettings, When};
use tracing_subscriber::{EnvFilter, fmt};

const POISON: &str = "SELECT count(*) FROM xm.quarantine WHERE reason = 'poison'";
const SUSPECTS: &str = "SELECT count(*) FROM xm.suspects";

/// Returns the lines that the server of a recorded session answered to a listing command.
fn recorded(session: &str, command: &str) -> Vec<String> {
    let asked = format!("C: {command}");
    let answer = session.lines().skip_while(|line| *line != asked).skip(2).take_while(|line| *line != "S: .");
    answer.map(|line| line.strip_prefix("S: ").unwrap().to_owned()).collect()
}

fn list_as(world: &World, of: ListingOf, lines: impl IntoIterator<Item = String>) {
    for (number, line) in (1..).zip(lines) {
        // In these lists, a hyphen stands for a line that the server leaves out.
        let line = (line != "-").then_some(line);
        world.post_office.faults().set(Fault::OddLine { of, number, line }, When::Always);
    }
}

#[test]
fn an_odd_line_of_a_listing_costs_no_mail() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let handed = [
        include_str!("odd_servers/uidl-three-blanks.txt"),
        include_str!("odd_servers/list-two-blanks.txt"),
        include_str!("odd_servers/uid-missing-for-first.txt"),
        include_str!("odd_servers/uid-of-72.txt"),
    ];
    let sessions = handed.map(|session| [recorded(session, "UIDL"), recorded(session, "LIST")]);
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    let of_our_own = [
        // Tabs, several blanks, and blanks before and after the line, where the protocol has a single blank between two words.
        [lines(&[" 1 b1", "2\tb2", "3 b3  "]), lines(&["1\t1200", " 2 1201 ", "3  \t 1202 octets"])],
        // No ids at all, and no sizes.
        [lines(&["1", "2 ", "-"]), lines(&["-", "2", "3 "])],
        // The same id for all, and one mail listed twice.
        [lines(&["1 same", "2 same", "3 same"]), lines(&["1 1200", "1 1200", "3 1202"])],
        // Ids of two words, with control characters, and far too long.
        [lines(&["1 a b", "2 \u{1b}[2J", &format!("3 {}", "y".repeat(4000))]), lines(&["1 1200", "2 1201", "3 1202"])],
        // Empty lines, and numbers that are not valid.
        [lines(&["", "0 c2", "99999999999 c3"]), lines(&["1 1200", "2 1201", "3 1202"])],
        // Sizes that are no numbers, and sizes beyond all limits.
        [lines(&["1 d1", "2 d2", "3 d3"]), lines(&["1 -1", "2 many", "3 1_202"])],
    ];
    let running = world.start(quick());
    let mut settled = 0;
    for [ids, sizes] in sessions.into_iter().chain(of_our_own) {
        assert_eq!((ids.len(), sizes.len()), (3, 3));
        list_as(&world, ListingOf::Ids, ids.clone());
        list_as(&world, ListingOf::Sizes, sizes.clone());
        world.deliver_letters(3);
        settled += 3;
        world.wait_for(&format!("letters settled of {ids:?} {sizes:?}"), SETTLED, settled);
        world.wait_for_mails(0);
        world.post_office.faults().clear_all();
    }
    for refused in [ListingOf::Ids, ListingOf::Sizes] {
        world.post_office.faults().set(Fault::RefuseListing(refused), When::Always);
        let (_, mail) = world.next_mail();
        world.deliver(mail);
        settled += 1;
        world.wait_for(&format!("letters settled without {refused:?}"), SETTLED, settled);
        world.wait_for_mails(0);
        world.post_office.faults().clear_all();
    }
    assert_eq!((running.polls("main", "mailbox"), running.polls("main", "retrieve")), (0, 0), "no poll fails");
    assert_eq!((world.count(QUARANTINED), running.unfetchable("main")), (0, 0));
    assert!(running.drain());
}

#[test]
fn a_mail_said_to_be_larger_than_anything_is_kept_as_over_size_and_holds_up_nobody() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.deliver_letters(3);
    let sizes = ["1 3221225472", "2 9999999999999999999", "3 1202"].map(str::to_owned);
    list_as(&world, ListingOf::Sizes, sizes);
    let running = world.start(quick());
    world.wait_for("mails kept", "SELECT count(*) FROM xm.quarantine WHERE reason = 'over_size'", 2);
    world.wait_for("letters settled", SETTLED, 1);
    world.wait_for_mails(0);
    assert!(running.drain());
}

#[test]
fn mails_larger_than_the_server_says_take_the_room_that_they_need() {
    const LETTERS: i64 = 12;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    list_as(&world, ListingOf::Sizes, (1..=LETTERS).map(|number| format!("{number} 1")));
    for _ in 0..LETTERS {
        let (_, mail) = world.next_mail();
        assert!((1100..6000).contains(&mail.len()), "{}", mail.len());
        world.deliver(mail);
    }
    // Eight kilobytes of mail may be processed at a time. By the listed size of one byte all mails fit at once, but by their true size of
    // up to 6 KB some of them have to wait.
    let limits = Limits { window_mails: 8, kilobytes_in_hand_max: 8, ..Limits::default() };
    let running = world.start_with(quick(), limits);
    world.wait_for("letters settled", SETTLED, LETTERS);
    world.wait_for_mails(0);
    assert!(running.drain());
    assert_eq!(world.count(QUARANTINED), 0);
}

#[test]
fn what_stands_behind_a_mail_over_which_the_connection_drops_flows() {
    what_stands_behind_flows(Break::Drop);
    what_stands_behind_flows(Break::Cut);
}

#[test]
fn what_stands_behind_a_mail_that_never_ends_flows() {
    what_stands_behind_flows(Break::HalfTerminator);
    what_stands_behind_flows(Break::Hang);
}

fn what_stands_behind_flows(how: Break) {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    if matches!(how, Break::Hang | Break::HalfTerminator) {
        world.read_timeout_seconds = 1;
    }
    world.deliver_letters(3);
    let uidl = world.post_office.uidls(CENTRE_ADDRESS).remove(0);
    let fault = Fault::BreakMail { uidl, how };
    world.post_office.faults().set(fault.clone(), When::Always);
    let running = world.start(quick());
    world.wait_for(&format!("letters behind {how:?}"), SETTLED, 2);
    world.wait_for_mails(1);
    wait_until("the mail is told of", || running.unfetchable("main") == 1);
    assert!(world.post_office.faults().struck(&fault) >= 3);
    // The first mail still breaks every session that fetches it. Letters that arrive now must be settled all the same, and no session for
    // ordinary mail may break any more.
    let failed = running.polls("main", "retrieve");
    for settled in 3..6 {
        let (_, mail) = world.next_mail();
        world.deliver(mail);
        world.wait_for(&format!("letters after {how:?}"), SETTLED, settled);
    }
    world.wait_for_mails(1);
    if how == Break::Drop || how == Break::Cut {
        assert_eq!((running.polls("main", "retrieve"), failed), (1, 1));
    }
    // The server works again. The mail is still in the mailbox, and is fetched.
    world.post_office.faults().clear_all();
    world.wait_for("letters settled", SETTLED, 6);
    world.wait_for_mails(0);
    wait_until("nothing is told of any more", || running.unfetchable("main") == 0);
    assert!(running.drain());
    assert_eq!(world.count(QUARANTINED), 0);
}

/// The two recorded servers cut the connection over their first mail in every session.
#[test]
fn what_stands_behind_the_first_mail_of_recorded_sessions_flows() {
    let handed = [
        (include_str!("odd_servers/connection-dropped-on-first.txt"), Break::Drop),
        (include_str!("odd_servers/half-terminator-on-first.txt"), Break::HalfTerminator),
    ];
    for (session, how) in handed {
        let _scenario = fail::FailScenario::setup();
        let mut world = World::new();
        if how == Break::HalfTerminator {
            world.read_timeout_seconds = 1;
        }
        let (ids, sizes) = (recorded(session, "UIDL"), recorded(session, "LIST"));
        assert_eq!((ids.len(), sizes.len()), (3, 3), "{how:?}");
        list_as(&world, ListingOf::Ids, ids);
        list_as(&world, ListingOf::Sizes, sizes);
        world.deliver_letters(3);
        let uidl = world.post_office.uidls(CENTRE_ADDRESS).remove(0);
        let fault = Fault::BreakMail { uidl, how };
        world.post_office.faults().set(fault.clone(), When::Always);
        let running = world.start(quick());
        world.wait_for(&format!("letters behind {how:?}"), SETTLED, 2);
        world.wait_for_mails(1);
        wait_until("the first is told of", || running.unfetchable("main") == 1);
        assert!(world.post_office.faults().struck(&fault) > 0, "{how:?}");
        assert!(running.drain());
        assert_eq!(world.count(QUARANTINED), 0);
    }
}

/// Twenty mails each break a session, and a letter lies behind them. The letter must be fetched soon: a session that breaks over another
/// mail must not count as a further failure of the server, which would double the pause before the next session.
#[test]
fn many_mails_that_break_the_session_hold_up_nothing_behind_them_and_the_mailbox_counts_as_reached() {
    const BROKEN: usize = 20;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.deliver_letters(BROKEN + 1);
    let uidls = world.post_office.uidls(CENTRE_ADDRESS);
    for (_, uidl) in (0..BROKEN).zip(uidls) {
        world.post_office.faults().set(Fault::BreakMail { uidl, how: Break::Cut }, When::Always);
    }
    // Every mail has a window of its own, so each break is handled separately.
    let running = world.start_with(quick(), Limits { window_mails: 1, ..Limits::default() });
    world.wait_for("the letter behind all that break", SETTLED, 1);
    assert!(!running.metrics().is_every_mailbox_down(), "each session has reached the mailbox");
    let broken = i64::try_from(BROKEN).unwrap();
    wait_until("each of them is told of", || running.unfetchable("main") == broken);
    world.post_office.faults().clear_all();
    world.wait_for("letters settled", SETTLED, broken + 1);
    assert!(running.drain());
}

/// The connection drops over two mails. A process that was killed while it waited for them treats them as suspects at its next start, and
/// suspects are tried before all other mail. The letters behind must be settled nevertheless, in each of two starts.
#[test]
fn what_stands_behind_a_suspect_over_which_the_connection_drops_flows_after_a_restart() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.deliver_letters(4);
    let uidls = world.post_office.uidls(CENTRE_ADDRESS);
    for uidl in &uidls[..2] {
        world.post_office.faults().set(Fault::BreakMail { uidl: uidl.clone(), how: Break::Drop }, When::Always);
        world.sql(&format!("INSERT INTO xm.suspects (mailbox, uidl, attempts) VALUES ('main', '{uidl}', 0)"));
    }
    for _ in 0..2 {
        let running = world.start(quick());
        world.wait_for("letters behind", SETTLED, 2);
        world.wait_for_mails(2);
        wait_until("both are told of", || running.unfetchable("main") == 2);
        assert_eq!(world.count("SELECT sum(attempts) FROM xm.suspects"), 0, "what breaks is not the letter's doing");
        assert!(running.drain());
    }
    world.post_office.faults().clear_all();
    let running = world.start(quick());
    world.wait_for("letters settled", SETTLED, 4);
    world.wait_for("suspects", SUSPECTS, 0);
    assert!(running.drain());
    assert_eq!(world.count(QUARANTINED), 0);
}

/// The server refuses to send a suspect, while a letter of another mailbox is being processed. Suspects are tried only when no other mail
/// is processed, but a mail that is not sent cannot be tried. So the polls must go on without waiting for the other letter.
#[test]
fn a_suspect_that_the_server_refuses_is_told_of_while_mail_of_others_is_in_hand() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let (_, mail) = world.next_mail();
    world.deliver(mail);
    let uidl = world.post_office.uidls(CENTRE_ADDRESS).remove(0);
    world.post_office.faults().set(Fault::RefuseMail { uidl: uidl.clone() }, When::Always);
    let other_mailbox = PostOffice::start(PostOfficeSettings::default()).unwrap();
    let (_, mail) = world.next_mail();
    other_mailbox.deliver(CENTRE_ADDRESS, mail).unwrap();
    fail::cfg("sdc_decoder::decode", "pause").unwrap();
    world.sql(&format!("INSERT INTO xm.suspects (mailbox, uidl, attempts) VALUES ('away', '{uidl}', 0)"));
    let running = world.start_on(&[&world.post_office, &other_mailbox], quick(), Limits::default());
    let decoder = running.metrics().actor("sdc_decoder");
    wait_until("the other's letter is in hand", || decoder.counts(Handled::Ok).0 == 1);
    world.sql("UPDATE xm.suspects SET mailbox = 'main'");
    let polls = running.polls("main", "ok");
    let began = std::time::Instant::now();
    wait_until("further polls", || running.polls("main", "ok") > polls + 5);
    assert!(began.elapsed() < std::time::Duration::from_secs(9), "it waited until nothing was in hand");
    assert_eq!(running.unfetchable("main"), 1);
    fail::remove("sdc_decoder::decode");
    world.wait_for("letters settled", SETTLED, 1);
    assert!(running.drain());
    assert_eq!(world.count("SELECT sum(attempts) FROM xm.suspects"), 0);
}

/// The server gives no unique ids, so mails are recorded by their sizes. A letter over which the centre panicked must be tried alone and
/// settled. Then two mails have the size of a suspect that has failed three times: one of them becomes poison, and the other is settled.
#[test]
fn letters_without_ids_that_made_the_centre_fail_are_tried_alone() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.post_office.faults().set(Fault::RefuseListing(ListingOf::Ids), When::Always);
    fail::cfg("sdc_decoder::decode", "2*panic(planted)").unwrap();
    let running = world.start(quick());
    world.deliver_letters(3);
    world.wait_for("letters settled", SETTLED, 3);
    world.wait_for_mails(0);
    assert!(running.drain());
    assert_eq!(world.count(QUARANTINED), 0, "each was innocent");

    let (_, mail) = world.next_mail();
    let alike = format!(" {}", mail.len());
    world.deliver(mail.clone());
    world.deliver(mail);
    world.sql(&format!("INSERT INTO xm.suspects (mailbox, uidl, attempts) VALUES ('main', '{alike}', 3)"));
    let running = world.start(quick());
    world.wait_for("poison letters", POISON, 1);
    world.wait_for("letters settled", SETTLED, 4);
    world.wait_for_mails(0);
    assert!(running.drain());
}

/// Empties the log of this test process and returns it. The log has the warnings and errors of the crate `actors`. No lines of other tests
/// come in between: each test holds a `FailScenario`, so the tests run one after another.
fn logged() -> LogLines {
    static LINES: OnceLock<LogLines> = OnceLock::new();
    let lines = LINES.get_or_init(|| {
        let lines = LogLines::default();
        fmt().with_env_filter(EnvFilter::new("off,actors=warn")).with_writer(lines.writer()).with_ansi(false).init();
        lines
    });
    lines.clear();
    lines.clone()
}

#[test]
fn what_a_server_refuses_and_how_it_lists_is_one_line_and_not_one_for_each_mail_and_poll() {
    const REFUSED: usize = 50;
    let _scenario = fail::FailScenario::setup();
    let lines = logged();
    let mut world = World::new();
    world.deliver_letters(REFUSED + 1);
    for uidl in &world.post_office.uidls(CENTRE_ADDRESS)[..REFUSED] {
        world.post_office.faults().set(Fault::RefuseMail { uidl: uidl.clone() }, When::Always);
    }
    list_as(&world, ListingOf::Sizes, (1..=REFUSED).map(|number| format!("{number}")));
    let running = world.start(quick());
    world.wait_for("letters settled", SETTLED, 1);
    let refused = i64::try_from(REFUSED).unwrap();
    wait_until("they are told of", || running.unfetchable("main") == refused);
    let polls = running.polls("main", "ok");
    wait_until("further polls", || running.polls("main", "ok") > polls + 10);
    let text = lines.text();
    let of = |words: &str| text.lines().filter(|line| line.contains(words)).count();
    assert_eq!((of("does not give mails"), of("lists mail oddly")), (1, 1), "{text}");
    assert!(text.contains("mails=50 words=\"no such mail\"") && text.contains("first=\"LIST: "), "{text}");
    assert!(running.drain());
}
