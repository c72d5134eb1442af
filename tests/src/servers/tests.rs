//! Tests that the servers do what the scenarios need of them. They talk to the servers over raw sockets and with a client that is not ours.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;

const CENTRE: &str = "centre@example.org";
const AGENCY: &str = "agency@example.org";

fn accounts() -> Vec<Account> {
    vec![Account::new(CENTRE, "secret"), Account::new(AGENCY, "hidden")]
}

/// Signs in over raw POP3, returns every mail, and deletes the mails.
fn collect(dovecot: &Dovecot) -> Vec<String> {
    let mut stream = TcpStream::connect(dovecot.pop3_address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let mut ask = |command: &str| {
        if !command.is_empty() {
            stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        }
        let answer = lines.next().unwrap();
        assert!(answer.starts_with("+OK"), "{command}: {answer}\n{}", dovecot.tail_of_logs());
        if !command.starts_with("RETR") {
            return answer;
        }
        lines.by_ref().take_while(|line| line != ".").collect::<Vec<String>>().join("\n")
    };
    ask("");
    ask(&format!("USER {CENTRE}"));
    ask("PASS secret");
    let count: usize = ask("STAT").split(' ').nth(1).unwrap().parse().unwrap();
    let mails = (1..=count).map(|number| ask(&format!("RETR {number}"))).collect();
    (1..=count).for_each(|number| assert!(ask(&format!("DELE {number}")).starts_with("+OK")));
    ask("QUIT");
    mails
}

/// Sends a mail to the centre by raw SMTP.
fn send(address: SocketAddr, text: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let data = format!("Subject: raw\r\n\r\n{text}\r\n.");
    for (command, code) in [
        ("", "220 "),
        ("HELO client.example", "250 "),
        (&format!("MAIL FROM:<{AGENCY}>"), "250 "),
        (&format!("RCPT TO:<{CENTRE}>"), "250 "),
        ("DATA", "354 "),
        (&data, "250 "),
        ("QUIT", "221 "),
    ] {
        if !command.is_empty() {
            stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        }
        let answer = lines.next().unwrap();
        assert!(answer.starts_with(code), "{command}: {answer}");
    }
}

fn swaks(address: SocketAddr, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("swaks")
        .args(["--server", "127.0.0.1", "--port", &address.port().to_string(), "--timeout", "10"])
        .args(["--ehlo", "client.example", "--from", AGENCY, "--to", CENTRE])
        .args(arguments)
        .output()
        .unwrap();
    let transcript = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.success(), transcript)
}

/// Waits until this number of mails is in the mailbox and the relay has removed them from its queue. The relay removes a mail a moment
/// after it has delivered it; if the test stopped the relay in between, it would deliver the mail once more. The relay's queue is flushed
/// every second, because a mail whose delivery failed may otherwise wait for minutes.
fn arrives(dovecot: &Dovecot, postfix: &Postfix, count: usize) {
    let mut flushed = Instant::now();
    let arrived = wait_until("the mail is in the mailbox and gone from the relay", || {
        if flushed.elapsed() > Duration::from_secs(1) {
            flushed = Instant::now();
            postfix.flush()?;
        }
        Ok(dovecot.count(CENTRE) >= count && postfix.queued() == 0)
    });
    arrived.unwrap_or_else(|error| panic!("{error}\n{}\n{}", dovecot.tail_of_logs(), postfix.tail_of_logs()));
}

#[test]
fn a_mail_goes_through_postfix_into_dovecot_whatever_restarts() {
    let started = Instant::now();
    let mut dovecot = Dovecot::start(&accounts()).unwrap();
    let dovecot_started = started.elapsed();
    let mut postfix = Postfix::start(&dovecot).unwrap();
    println!("started: dovecot {dovecot_started:?}, postfix {:?}", started.elapsed() - dovecot_started);

    send(postfix.smtp_address(), "first");
    arrives(&dovecot, &postfix, 1);
    let before = Instant::now();
    dovecot.restart().unwrap();
    println!("dovecot restarted in {:?}", before.elapsed());
    let mails = collect(&dovecot);
    assert!(mails.len() == 1 && mails[0].ends_with("\n\nfirst"), "{mails:?}");

    dovecot.stop().unwrap();
    let refused = TcpStream::connect(dovecot.pop3_address()).unwrap_err().kind();
    assert_eq!(refused, std::io::ErrorKind::ConnectionRefused);
    send(postfix.smtp_address(), "while the mailbox is away");
    let before = Instant::now();
    postfix.restart().unwrap();
    println!("postfix restarted in {:?}", before.elapsed());
    dovecot.start_again().unwrap();
    arrives(&dovecot, &postfix, 1);
    let mails = collect(&dovecot);
    let state = || format!("{mails:?}\n{}\n{}", dovecot.tail_of_logs(), postfix.tail_of_logs());
    assert!(mails.len() == 1 && mails[0].ends_with("\n\nwhile the mailbox is away"), "{}", state());
    assert_eq!(dovecot.count(CENTRE), 0);
}

#[test]
fn mail_that_postfix_holds_is_counted_and_flushed() {
    let mut dovecot = Dovecot::start(&accounts()).unwrap();
    let postfix = Postfix::start(&dovecot).unwrap();
    assert_eq!(postfix.queued(), 0);
    dovecot.stop().unwrap();
    send(postfix.smtp_address(), "held");
    assert_eq!(postfix.queued(), 1);
    dovecot.start_again().unwrap();
    postfix.flush().unwrap();
    arrives(&dovecot, &postfix, 1);
    assert_eq!(dovecot.take_mails(CENTRE).unwrap().len(), 1);
    assert_eq!(dovecot.count(CENTRE), 0);
}

#[test]
fn submission_wants_tls_and_the_right_password() {
    let dovecot = Dovecot::start(&accounts()).unwrap();
    let postfix = Postfix::start(&dovecot).unwrap();
    let certificate = dovecot.certificate().certificate_path.to_str().unwrap().to_owned();
    let trusted = ["--tls-verify", "--tls-ca-path", &certificate];
    let signed_in = |password| ["--auth", "PLAIN", "--auth-user", AGENCY, "--auth-password", password];
    for (address, tls, password, accepted) in [
        (postfix.submission_address(), "--tls", Some("hidden"), true),
        (postfix.smtps_address(), "--tls-on-connect", Some("hidden"), true),
        (postfix.submission_address(), "--tls", Some("wrong"), false),
        (postfix.submission_address(), "--tls", None, false),
        (postfix.submission_address(), "--quiet", None, false),
    ] {
        let mut arguments = vec![tls];
        arguments.extend(trusted.iter().filter(|_| tls.starts_with("--tls")));
        arguments.extend(password.map(signed_in).into_iter().flatten());
        let (sent, transcript) = swaks(address, &arguments);
        assert_eq!(sent, accepted, "{tls} {password:?}\n{transcript}\n{}", postfix.tail_of_logs());
    }
    arrives(&dovecot, &postfix, 2);
    let (sent, transcript) = swaks(postfix.smtp_address(), &["--to", "nobody@example.org"]);
    assert!(!sent && transcript.contains(" 550 5.1.1"), "{transcript}");
    let (sent, transcript) = swaks(postfix.smtp_address(), &["--to", "someone@elsewhere.example"]);
    assert!(!sent && transcript.contains(" 554 5.7.1"), "it relays nothing\n{transcript}");
}

#[test]
fn dovecot_speaks_pop3s_and_stls_with_its_certificate() {
    let dovecot = Dovecot::start(&accounts()).unwrap();
    dovecot.deliver(CENTRE, b"Subject: protected\n\n.text\n").unwrap();
    let certificate = dovecot.certificate().certificate_path.to_str().unwrap().to_owned();
    for (url, option) in [
        (format!("pop3s://{}/1", dovecot.pop3s_address()), "--silent"),
        (format!("pop3://{}/1", dovecot.pop3_address()), "--ssl-reqd"),
    ] {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "10", "--user", "centre@example.org:secret"])
            .args(["--cacert", &certificate, option, &url])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text, "Subject: protected\r\n\r\n.text\r\n", "{}", dovecot.tail_of_logs());
    }
}

#[test]
fn two_instances_stand_side_by_side() {
    let (one, other) = (Dovecot::start(&accounts()).unwrap(), Dovecot::start(&accounts()).unwrap());
    let (to_one, to_other) = (Postfix::start(&one).unwrap(), Postfix::start(&other).unwrap());
    send(to_one.smtp_address(), "for one");
    send(to_other.smtp_address(), "for the other");
    arrives(&one, &to_one, 1);
    arrives(&other, &to_other, 1);
    assert!(collect(&one)[0].ends_with("\n\nfor one"));
    assert!(collect(&other)[0].ends_with("\n\nfor the other"));
}

#[test]
fn direct_deliveries_come_in_their_order_and_to_known_accounts_only() {
    let dovecot = Dovecot::start(&accounts()).unwrap();
    for number in 0..20 {
        dovecot.deliver(CENTRE, format!("Subject: {number}\n\n{number}\n").as_bytes()).unwrap();
    }
    let bodies: Vec<String> =
        collect(&dovecot).iter().map(|mail| mail.rsplit('\n').next().unwrap().to_owned()).collect();
    assert_eq!(bodies, (0..20).map(|number| number.to_string()).collect::<Vec<String>>());
    assert!(dovecot.deliver("nobody@example.org", b"").unwrap_err().to_string().contains("no account nobody"));
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let accounts = [Account::new("with space@example.org", "secret")];
    assert!(Dovecot::start(&accounts).unwrap_err().to_string().contains("no account can be made"));
    let folder = folder::Folder::make("broken").unwrap();
    let configuration = folder.write("dovecot.conf", "nonsense = yes\n").unwrap();
    let mut daemon =
        daemon::Daemon::start("/usr/sbin/dovecot", &["-F", "-c", configuration.to_str().unwrap()], &folder).unwrap();
    let error = daemon.wait_for_greeting(Port::hold().unwrap().address(), "+OK", &folder).unwrap_err();
    assert!(format!("{error:#}").contains("nonsense"), "{error:#}");
}

#[test]
fn servers_end_with_the_process_that_started_them() {
    // The test runs itself a second time. The inner process starts a server, reports its port and is killed.
    let this = std::env::current_exe().unwrap();
    let leavings = folder::Folder::make("killed").unwrap();
    let mut inner = Command::new(this)
        .env("TMPDIR", leavings.path())
        .args(["servers::tests::inner_process_with_a_server", "--exact", "--ignored", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(inner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told = lines.filter_map(|line| line.split_once("serving on ").map(|(_, address)| address.to_owned())).next();
    let address: SocketAddr = told.unwrap().parse().unwrap();
    assert!(TcpStream::connect(address).is_ok());
    inner.kill().unwrap();
    inner.wait().unwrap();
    wait_until("the killed process's Dovecot has ended", || Ok(TcpStream::connect(address).is_err())).unwrap();
}

#[test]
#[ignore = "run by servers_end_with_the_process_that_started_them, which kills it"]
fn inner_process_with_a_server() {
    let dovecot = Dovecot::start(&accounts()).unwrap();
    println!("serving on {}", dovecot.pop3_address());
    wait_until("somebody kills this process", || Ok(false)).unwrap();
}

#[test]
fn ports_stay_ours_while_the_server_is_down() {
    let mut dovecot = Dovecot::start(&accounts()).unwrap();
    let ours = dovecot.pop3_address();
    dovecot.kill();
    for _ in 0..1000 {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_ne!(other.local_addr().unwrap(), ours);
    }
    assert!(std::net::TcpListener::bind(ours).is_ok(), "only a server told the number can listen there");
    dovecot.start_again().unwrap();
    assert_eq!(dovecot.pop3_address(), ours);
}
