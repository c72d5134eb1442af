//! Tests of the running centre: one process per data folder, readiness, and an orderly stop.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use cluster::Port;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use simulation::post_office::{Accounts, Fault, PostOffice, PostOfficeSettings, Protocol, When};
use simulation::process::{self, Process};
use tempfile::TempDir;

/// Longest wait in these tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A configured centre with a private PostgreSQL and a post office.
struct Centre {
    place: TempDir,
    http: Port,
    post_office: PostOffice,
}

/// A running `xmserver run`, which is killed where the test fails.
struct Running {
    process: Process,
    lines: Receiver<String>,
}

impl Centre {
    fn initialised() -> Centre {
        let accounts = Accounts::listed([("centre@example.org", "s3cr3t"), ("office@example.org", "0ff1ce")]);
        let post_office = PostOffice::start(PostOfficeSettings { accounts, ..PostOfficeSettings::default() }).unwrap();
        // Where tests run as root, PostgreSQL's own user must be able to enter the folder.
        let everybody_passes = std::fs::Permissions::from_mode(0o711);
        let place = tempfile::Builder::new().prefix("xm-run-").permissions(everybody_passes).tempdir().unwrap();
        let http = Port::hold().unwrap();
        let centre = Centre { place, http, post_office };
        let status = centre.command(&["init", "--name", "centre-x", "--mode", "test"]).status().unwrap();
        assert!(status.success());
        centre
    }

    fn configure(&self) {
        self.configure_with("", "");
    }

    /// Writes a configuration with further lines in `[server]` and in `[mailbox.pop3]`.
    fn configure_with(&self, server: &str, pop3: &str) {
        let text = format!(
            "[server]\n{server}\nhttp_address = \"127.0.0.1:{}\"\n\
             [[mailbox]]\nname = \"main\"\npoll_interval_seconds = 1\n\
             [mailbox.pop3]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n\
         username = \"centre@example.org\"\npassword_env = \"SECRET\"\n{pop3}\n\
             [relay]\naddress = \"centre@example.org\"\n\
             [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
            self.http,
            self.post_office.pop3_address().port(),
            self.post_office.smtp_address().port(),
        );
        std::fs::write(self.place.path().join("data/xmserver.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmserver"));
        command.arg("--data-folder").arg(self.place.path().join("data")).args(arguments);
        command.env("SECRET", "s3cr3t").env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn start(&self) -> Running {
        Centre::spawn(self.command(&["run"]))
    }

    fn spawn(mut command: Command) -> Running {
        let mut process = Process::start(command.stderr(Stdio::piped())).unwrap();
        let stderr = process.take_errors().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Running { process, lines }
    }

    fn get(&self, path: &str) -> String {
        process::get(self.http.address(), path, PATIENCE)
    }

    fn wait_until_ready(&self) {
        eventually("the centre is ready", || self.get("/ready").starts_with("HTTP/1.1 200"));
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        self.process.signal(signal).unwrap();
    }

    fn wait_for_line(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no line says {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    fn wait_for_end(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", || {
            status = self.process.ended().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the condition is another process's: there is nothing to wait on")]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not happen that {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_centre_runs_alone_on_its_folder_and_drains_when_told() {
    let centre = Centre::initialised();
    let refused = centre.command(&["run"]).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no mailbox is configured"));

    centre.configure();
    // What `check` says about the database, such as which user of the machine can read the private PostgreSQL. It must say the same
    // whether the centre runs or not.
    let told_of_postgresql = || {
        let checked = centre.command(&["check"]).stdout(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(checked.stdout).unwrap();
        told.lines().filter(|line| line.contains("  database ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let stopped = told_of_postgresql();
    let mut running = centre.start();
    centre.wait_until_ready();
    assert_eq!(told_of_postgresql(), stopped);
    let name = centre.process_name();
    let metrics = centre.get("/metrics");
    for name in ["xm_actor_restarts_total{actor=\"mailbox_poller\"}", "xm_outbox_waiting", "xm_database_up 1"] {
        assert!(metrics.contains(name), "{name} is missing in\n{metrics}");
    }
    assert!(centre.command(&["mail", "test"]).status().unwrap().success());
    let refused = centre.command(&["mail", "test"]).env("SECRET", "wrong").stdout(Stdio::piped()).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stdout).into_owned();
    let compared = "; compare username centre@example.org and the value of SECRET with what the mail server knows";
    assert!(!refused.status.success() && told.contains(compared), "{told}");

    // A command uses the running centre's PostgreSQL.
    let listed = centre.command(&["agency", "list", "--json"]).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), "[]");

    let second = centre.command(&["run"]).stderr(Stdio::piped()).output().unwrap();
    let sentence = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(4), "another process is in the way: {sentence}");
    assert!(
        sentence.contains("is in use by another xmserver")
            && sentence.contains(&format!("process id {}", running.process.id())),
        "{sentence}"
    );

    running.signal(Signal::SIGTERM);
    running.wait_for_line("stopped: everything in hand was settled");
    assert_eq!(running.wait_for_end().code(), Some(0));

    // A restarted process keeps its identity in the database, because the identity is stored in the data folder.
    let mut running = centre.start();
    centre.wait_until_ready();
    assert_eq!(centre.process_name(), name);
    running.signal(Signal::SIGINT);
    assert_eq!(running.wait_for_end().code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let centre = Centre::initialised();
    // Both timeouts are an hour, so that only the second signal can end the process during the test.
    centre.configure_with("shutdown_seconds_max = 3600", "read_timeout_seconds = 3600");
    let mut running = centre.start();
    centre.wait_until_ready();
    // A mailbox that answers late keeps its POP3 session open, and the drain waits for the session.
    let late = Fault::DelayReply(Protocol::Pop3, Duration::from_secs(3600));
    centre.post_office.faults().set(late.clone(), When::Always);
    eventually("a session waits", || centre.post_office.faults().struck(&late) > 0);
    running.signal(Signal::SIGTERM);
    running.wait_for_line("no more mail is fetched");
    running.signal(Signal::SIGTERM);
    running.wait_for_line("stopped at once");
    assert_eq!(running.wait_for_end().code(), Some(0));
}

#[test]
fn a_centre_stays_up_while_its_database_is_away() {
    let centre = Centre::initialised();
    centre.configure();
    let mut command = centre.command(&["run"]);
    command.env("XMSERVER_DATABASE__URL", "postgresql://xmserver@127.0.0.1:1/xmserver");
    let mut running = Centre::spawn(command);
    running.wait_for_line("the database is away; trying again");
    assert!(centre.get("/live").starts_with("HTTP/1.1 200"));
    assert!(centre.get("/ready").starts_with("HTTP/1.1 503"));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait_for_end().code(), Some(0));
}

/// Script of an office: makes its key and a mail with its letter, and prints its fingerprint. `$1` is its folder, `$2` the centre's
/// certificate.
const OFFICE: &str = r#"set -e; cd "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 800 -subj /CN=office \
        -keyout office.key -out office.crt 2>/dev/null
    openssl cms -sign -binary -nodetach -nocerts -keyid -nosmimecap -in letter.json \
        -signer office.crt -inkey office.key -outform DER -out letter.signed
    openssl cms -encrypt -binary -aes-256-gcm -keyid -in letter.signed -outform PEM -out letter.pem "$2"
    printf 'From: office@example.org\r\nTo: centre@example.org\r\nSubject: SDC\r\n\r\n' > letter.mail
    sed 's/$/\r/' letter.pem >> letter.mail
    openssl x509 -in office.crt -noout -fingerprint -sha256 | cut -d= -f2"#;
/// Script of an office: opens a receipt and verifies it. `$1` is its folder, `$2` the centre's certificate.
const RECEIPT: &str = r#"set -e; cd "$1"
    sed -n '/BEGIN CMS/,/END CMS/p' receipt.mail | tr -d '\r' > receipt.sdc
    openssl cms -decrypt -binary -inform PEM -in receipt.sdc -recip office.crt -inkey office.key -out receipt.signed
    openssl cms -verify -binary -inform DER -in receipt.signed -nointern -certfile "$2" -noverify -out receipt.octets"#;

fn letter() -> serde_json::Value {
    serde_json::json!({
        "sdc": 1, "id": uuid::Uuid::now_v7(), "from": { "agency": 42, "installation": "main" }, "to": "centre-x",
        "sequence": 1, "time": "2026-11-02T08:15:00Z", "mode": "test", "service": "export",
        "body": { "application": "ecr", "tables": [{ "table": "ActeNaissance",
            "columns": ["Numero", "Status", "NumeroActe", "AnneeRegistre", "CentreCode", "DateActe", "NomEnfant", "Sexe",
                "DateNaissance", "LieuNaissance", "Officier", "ActeUid"],
            "values": [[7], [2], [118], [2026], ["C01"], ["2026-11-02"], ["Ngo Biyong"], ["F"],
                ["2026-11-01"], ["Édéa"], ["Mbome"], [uuid::Uuid::new_v4()]] }] }
    })
}

/// The office uses only commands of the system, and the centre only commands of operators: a letter arrives, its row is in the table, and
/// a receipt returns.
#[test]
fn a_letter_becomes_a_row_and_a_receipt() {
    let centre = Centre::initialised();
    centre.configure();
    let place = centre.place.path();
    let centre_certificate = place.join("data/keys/centre-p256.crt");
    let shell = |script: &str| {
        let output =
            Command::new("sh").args(["-c", script, "sh"]).arg(place).arg(&centre_certificate).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    std::fs::write(place.join("letter.json"), letter().to_string()).unwrap();
    let fingerprint = shell(OFFICE);

    let mut running = centre.start();
    centre.wait_until_ready();
    let certificate = place.join("office.crt");
    let steps: [&[&str]; 5] = [
        &["sample", "restore", "ecr"],
        &["agency", "add", "--matricule", "42", "--name", "Mairie", "--email", "office@example.org"],
        &["agency", "grant", "42", "CentreCode", "C01"],
        &["tariff", "set", "export", "--per-act", "100"],
        &["cert", "register", "42", certificate.to_str().unwrap(), "--fingerprint", fingerprint.trim()],
    ];
    for step in steps {
        assert!(centre.command(step).status().unwrap().success(), "{step:?}");
    }
    centre.post_office.deliver("centre@example.org", std::fs::read(place.join("letter.mail")).unwrap()).unwrap();
    eventually("the receipt comes", || centre.post_office.count("office@example.org") == 1);

    let answer = centre.post_office.take("office@example.org").remove(0);
    std::fs::write(place.join("receipt.mail"), &answer.bytes).unwrap();
    shell(RECEIPT);
    let journal = centre.command(&["journal", "list", "--json"]).stdout(Stdio::piped()).output().unwrap();
    let journal: serde_json::Value = serde_json::from_slice(&journal.stdout).unwrap();
    assert_eq!(journal[0]["outcome"], "accepted", "{journal}");
    assert_eq!((&journal[0]["row_count"], &journal[0]["cost"]), (&1.into(), &100.into()));
    let agency = centre.command(&["agency", "show", "42", "--json"]).stdout(Stdio::piped()).output().unwrap();
    let agency: serde_json::Value = serde_json::from_slice(&agency.stdout).unwrap();
    assert_eq!(agency["balance"], -100);
    eventually("the mail is deleted", || centre.post_office.count("centre@example.org") == 0);
    eventually("the metrics tell it", || centre.get("/metrics").contains("xm_letters_total{outcome=\"accepted\"} 1"));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait_for_end().code(), Some(0));
}

impl Centre {
    /// Returns the identity that the process keeps across restarts.
    fn process_name(&self) -> String {
        let text = std::fs::read_to_string(self.place.path().join("data/process")).unwrap();
        text.lines().next().unwrap().to_owned()
    }

    /// Returns the process id of the private PostgreSQL; none where it does not run.
    fn postmaster(&self) -> Option<Pid> {
        let file = self.place.path().join("data/database/data/postmaster.pid");
        let text = std::fs::read_to_string(file).ok()?;
        text.lines().next()?.trim().parse().ok().map(Pid::from_raw)
    }
}

#[test]
fn a_private_postgresql_that_ends_is_started_again_and_mail_flows_by_itself() {
    let centre = Centre::initialised();
    centre.configure();
    let running = centre.start();
    centre.wait_until_ready();
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let ended = centre.postmaster().unwrap();
        kill(ended, signal).unwrap();
        running.wait_for_line("the private PostgreSQL ended");
        running.wait_for_line("the private PostgreSQL runs again");
        assert_ne!(centre.postmaster(), Some(ended));
        centre.wait_until_ready();
        assert!(centre.command(&["journal", "list"]).status().unwrap().success());
    }
}

#[test]
fn commands_wait_for_each_other_and_for_a_server_that_starts_or_stops() {
    let centre = Centre::initialised();
    centre.configure();
    let at_once = |number: usize| -> Vec<Child> {
        let start = |_| centre.command(&["agency", "list"]).stderr(Stdio::piped()).spawn().unwrap();
        (0..number).map(start).collect()
    };
    let all_succeed = |commands: Vec<Child>| {
        for command in commands {
            let output = command.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    all_succeed(at_once(8));
    // The test starts a server while commands run, and starts further commands while the server starts.
    let before = at_once(4);
    let mut running = centre.start();
    let meanwhile = at_once(4);
    all_succeed(before);
    all_succeed(meanwhile);
    centre.wait_until_ready();
    running.signal(Signal::SIGTERM);
    running.wait_for_line("no more mail is fetched");
    assert_eq!(running.wait_for_end().code(), Some(0));
    all_succeed(at_once(2));
}
