//! Tests of `xmserver demo` as users run it. The centre in the demo must lose, repeat and change no letter, row, charge or receipt, even
//! where it is killed meanwhile. The demo must also write its figures as JSON.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sdc::answer::notice::NOTICE;
use sdc::refusal::RefusalCode;
use sdc::service::Service;
use serde_json::Value;
use simulation::process;
use words::pseudo;

/// Runs the demo and returns what it printed and its figures.
fn demo(arguments: &[&str]) -> (String, Value) {
    let (out, _, figures) = demo_told(arguments);
    (out, figures)
}

/// Runs the demo and returns its standard output, its standard error, and its figures.
fn demo_told(arguments: &[&str]) -> (String, String, Value) {
    let place = tempfile::tempdir().unwrap();
    let figures = place.path().join("figures.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmserver"));
    command.arg("demo").args(arguments).arg("--exit").arg("--figures").arg(&figures);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    (out, err, serde_json::from_slice(&std::fs::read(figures).unwrap()).unwrap())
}

fn count(figures: &Value, name: &str) -> u64 {
    figures[name].as_u64().unwrap()
}

fn assert_sound(figures: &Value, letters: u64) {
    for broken in [
        "lost",
        "doubled",
        "wrong",
        "receipts_missing",
        "receipts_wrong",
        "reads_wrong",
        "quarantined_innocent",
        "ledger_difference",
    ] {
        assert_eq!(count(figures, broken), 0, "{broken}: {}", figures["faults"]);
    }
    assert_eq!(count(figures, "letters_sent"), letters);
    assert!(count(figures, "accepted") > letters / 2 && count(figures, "rows") >= count(figures, "accepted"));
}

/// Checks that the demo sent letters of every service in SPEC 4: at least 70 of 100 letters export records, since these are most of a real
/// night's traffic, and each other service has at least 1 of 100.
fn assert_every_service(figures: &Value) {
    let by_service = figures["letters_by_service"].as_object().unwrap();
    let mut names: Vec<&str> = by_service.keys().map(String::as_str).collect();
    names.sort_unstable();
    let mut expected: Vec<&str> = Service::ALL.iter().map(|service| service.name()).chain([NOTICE]).collect();
    expected.sort_unstable();
    assert_eq!((names, by_service.len()), (expected, 11));
    let letters = count(figures, "letters_sent");
    for (name, sent) in by_service {
        let least = if name == "export" { letters * 7 / 10 } else { letters / 100 };
        assert!(sent.as_u64().unwrap() >= least, "{name}: {sent} of {letters}, expected {least}: {by_service:?}");
    }
    // Notices are letters of the centre, so they are not counted here. The letters of all services and the mails without a readable
    // container must together be all letters that the offices sent.
    let sent: u64 = by_service.iter().filter(|(name, _)| *name != NOTICE).filter_map(|(_, sent)| sent.as_u64()).sum();
    let no_letters = ["envelope_malformed", "no_container"].map(|code| figures["refused_by_reason"][code].as_u64());
    assert_eq!(sent + no_letters.iter().flatten().sum::<u64>(), letters);
}

#[test]
fn a_town_of_sixty_sends_everything_that_towns_send() {
    let place = tempfile::tempdir().unwrap();
    let page = place.path().join("night.html");
    let file = page.to_str().unwrap();
    let (out, told, figures) = demo_told(&["--agencies", "60", "--letters", "1500", "--page", file]);
    assert_sound(&figures, 1500);
    assert_every_service(&figures);
    let mut lines = out.lines();
    assert!(lines.next().unwrap().starts_with('┌'), "{out}");
    assert!(lines.next().unwrap().contains("Every promise was kept"), "the verdict stands first: {out}");
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("<h1 class=\"kept\">Every promise was kept") && page.contains("<svg "), "{page}");
    let due = count(&figures, "receipts_due");
    assert_eq!((due, count(&figures, "receipts_missing")), (count(&figures, "receipts_verified"), 0));
    assert!(out.contains(&format!("{due}  of {due} receipts due, opened and verified")), "{out}");
    assert!(!out.contains("gone with the demo"), "it is asked for: {out}");
    assert!(page.contains("1500 letters of 60 offices") && page.contains("1500  letters sent"), "{page}");
    assert!(out.lines().any(|line| line.trim() == file), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80) && !out.contains('\u{1b}'), "{out}");
    // The centre refused every bad letter that the demo sent, and the summary gives each reason in words with its code.
    assert_eq!(figures["bad_sent"], figures["refused"]);
    assert!(out.contains("from a suspended office [agency_suspended]"), "{out}");
    assert!(out.contains("for one letter sent alone") && figures["alone_ms"].is_u64(), "{out}");
    // Without a terminal the demo prints a line when each stage begins.
    for stage in
        ["database and keys are made", "60 offices get keys", "the centre starts", "send 1500 letters", "row by row"]
    {
        assert!(told.lines().any(|line| line.contains(stage)), "{stage}: {told}");
    }
    let refused = figures["refused_by_reason"].as_object().unwrap();
    // The demo sends bad letters of many kinds, which must be refused for at least 15 different reasons. Not every reason needs to occur:
    // some kinds of bad letters need an earlier letter of the same office, so chance may leave them out.
    assert!(refused.len() >= 15, "{refused:?}");
    assert!(count(&figures, "duplicates") > 0 && count(&figures, "receipts_verified") > 1200);
    assert_eq!(count(&figures, "kills"), 0);
    assert_eq!(count(&figures, "receipts_repeated"), 0, "nothing failed, so nothing is told twice");
}

/// Five agencies, of which three may send letters, are the smallest town in which every service can have its letters. The demo must send
/// all services there too.
#[test]
fn a_town_of_five_uses_every_service_too() {
    let (out, figures) = demo(&["--agencies", "5", "--letters", "200", "--seed", "3"]);
    assert_sound(&figures, 200);
    assert_every_service(&figures);
    let read_back = figures["letters_by_service"]["import"].as_u64().unwrap();
    assert!(out.contains(&format!("{read_back}  read records back [import]")), "{out}");
    assert!(out.contains("0  answers wrong: "), "{out}");
}

#[test]
fn the_same_seed_is_the_same_demo_to_the_last_letter() {
    let what_happened = |seed: &str| {
        let (_, mut figures) = demo(&["--agencies", "12", "--letters", "400", "--seed", seed]);
        for name in ["seconds", "letters_per_second", "rss_mb_max", "p50_ms", "p99_ms", "alone_ms"] {
            figures.as_object_mut().unwrap().remove(name).unwrap();
        }
        figures
    };
    let first = what_happened("5");
    assert_eq!(first, what_happened("5"));
    assert_ne!(first, what_happened("6"));
}

#[test]
fn a_centre_killed_again_and_again_keeps_every_promise() {
    let (_, figures) = demo(&["--agencies", "30", "--letters", "1000", "--kills", "4", "--seed", "7"]);
    assert_sound(&figures, 1000);
    assert_every_service(&figures);
    assert_eq!(count(&figures, "kills"), 4);
}

#[test]
fn it_stays_up_until_it_is_told_and_leaves_nothing_behind() {
    // Where tests run as root, PostgreSQL's own user must be able to pass through the folder.
    let passable = std::fs::Permissions::from_mode(0o711);
    let place = tempfile::Builder::new().permissions(passable).tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmserver"));
    command.args(["demo", "--agencies", "3", "--letters", "20"]).env("TMPDIR", place.path()).env("LC_ALL", "C");
    let mut demo = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let page = lines.find(|line| line.ends_with("/night.html")).unwrap();
    assert!(std::fs::read_to_string(page.trim()).unwrap().contains("20 letters of 3 offices"));
    assert_eq!(lines.next().unwrap(), "  (gone with the demo; `--page FILE` keeps it)");
    let url = lines.find(|line| line.contains("/metrics")).unwrap();
    let mut offered = String::new();
    while !offered.lines().any(|line| line.ends_with(" check")) {
        offered.push_str(&lines.next().unwrap());
        offered.push('\n');
    }
    let address = url.trim().trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
    let metrics = process::get(address.parse().unwrap(), "/metrics", Duration::from_secs(60));
    assert!(metrics.contains("xm_letters_total{outcome=\"accepted\"}"), "{metrics}");
    assert_commands_work(&offered);
    kill(Pid::from_raw(demo.id().cast_signed()), Signal::SIGHUP).unwrap();
    lines.for_each(drop);
    assert!(demo.wait().unwrap().success());
    assert!(TcpStream::connect(address).is_err(), "the centre runs on");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

/// Runs the demo at a terminal, which the command `script` makes. The test presses the key k, types a name, then presses Ctrl-C.
#[test]
fn who_sits_at_a_terminal_kills_the_centre_and_sends_a_letter_of_their_own() {
    let passable = std::fs::Permissions::from_mode(0o711);
    let place = tempfile::Builder::new().permissions(passable).tempdir().unwrap();
    let demo = format!("exec {} demo --agencies 3 --letters 20", env!("CARGO_BIN_EXE_xmserver"));
    let mut command = Command::new("script");
    command.args(["-qec", &demo, "/dev/null"]).env("TMPDIR", place.path()).env("SHELL", "/bin/sh").env("LC_ALL", "C");
    let mut terminal = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keys = terminal.stdin.take().unwrap();
    let mut lines = BufReader::new(terminal.stdout.take().unwrap()).split(b'\n');
    let mut said = String::new();
    let mut read_until = |wanted: &str| loop {
        let line = lines.next().unwrap_or_else(|| panic!("{wanted:?} never came: {said}")).unwrap();
        said.push_str(&String::from_utf8_lossy(&line));
        said.push('\n');
        if String::from_utf8_lossy(&line).contains(wanted) {
            return;
        }
    };
    // The test types k before the demo reads from its terminal. The terminal keeps the key, and the demo must kill the centre once because
    // of it.
    keys.write_all(b"k").unwrap();
    read_until("Every promise was kept");
    read_until("(1 by the key k)");
    for name in ["Amina", "Zoé"] {
        read_until("type the name of a child");
        keys.write_all(format!("{name}\n").as_bytes()).unwrap();
        read_until("openssl cms -verify");
        read_until("receipt.json says: accepted");
        read_until("[undecryptable]");
    }
    keys.write_all(b"\n\x03").unwrap();
    assert!(terminal.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

/// Runs the commands that the demo shows for copying, and checks that each succeeds.
fn assert_commands_work(offered: &str) {
    let mut shell = Command::new("sh");
    let output = shell.args(["-ec", offered]).env("LC_ALL", "C").stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{offered}\n{out}\n{err}");
    assert!(out.contains("OUTCOME") && out.contains("ok    mailbox demo") && !out.contains("\nfail"), "{out}\n{err}");
}

#[test]
fn no_sentence_of_the_demo_comes_from_outside_the_catalogues() {
    let place = tempfile::tempdir().unwrap();
    let page = place.path().join("page.html");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmserver"));
    command.args(["--lang", pseudo::TAG, "demo", "--agencies", "3", "--letters", "40", "--exit", "--page"]).arg(&page);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    let codes = RefusalCode::ALL.iter().map(|code| code.as_str());
    let services = Service::ALL.iter().map(|service| service.name()).chain([NOTICE]);
    let data: Vec<&str> = codes.chain(services).chain(["XAF", "ms", "MB", page.to_str().unwrap()]).collect();
    assert_eq!(pseudo::foreign(&out, &data), Vec::<String>::new(), "{out}");
    assert_eq!(pseudo::foreign(&err, &data), Vec::<String>::new(), "{err}");
    assert!(pseudo::unaccented(&out).contains("Every promise was kept"), "{out}");
    let page = std::fs::read_to_string(&page).unwrap();
    let tags: Vec<&str> = page.split('<').skip(1).collect();
    let shown: String = tags
        .iter()
        .filter(|tag| !tag.starts_with("style"))
        .filter_map(|tag| tag.split_once('>'))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(pseudo::foreign(&shown, &data), Vec::<String>::new(), "{page}");
    let picture = page.split("aria-label=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(pseudo::foreign(picture, &[]), Vec::<String>::new(), "{picture}");
    assert!(page.contains("<html lang=\"qps\">") && pseudo::unaccented(&page).contains("Letters a second"), "{page}");
}

#[test]
fn a_folder_that_exists_is_not_touched() {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmserver"));
    let output = command.args(["demo", "--data"]).arg(place.path()).env("LC_ALL", "C").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("expected a folder that does not exist yet"), "{said}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
