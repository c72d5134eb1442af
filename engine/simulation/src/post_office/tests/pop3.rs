//! Tests of the POP3 commands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const CENTRE: &str = "centre@example.org";

fn with_mails(mails: &[&str]) -> PostOffice {
    let office = office();
    for mail in mails {
        office.deliver(CENTRE, *mail).unwrap();
    }
    office
}

#[test]
fn capabilities_are_told_before_and_after_sign_in() {
    let office = office();
    let mut client = Client::pop3(&office);
    assert_eq!(client.ask("CAPA"), "+OK");
    let before = client.listing();
    for capability in ["PIPELINING", "UIDL", "TOP", "USER", "SASL PLAIN XOAUTH2"] {
        assert!(before.iter().any(|line| line == capability), "{capability}");
    }
    assert!(!before.contains(&"STLS".to_owned()), "no certificate, no STLS");
    let mut client = Client::signed_in(&office, CENTRE);
    assert_eq!((client.ask("capa"), client.listing()), ("+OK".to_owned(), before));
}

#[test]
fn sign_in_by_every_mechanism() {
    let office = office();
    let plain = STANDARD.encode("\0centre@example.org\0secret");
    let bearer = STANDARD.encode("user=centre@example.org\u{1}auth=Bearer secret\u{1}\u{1}");
    for (mechanism, answer) in [("PLAIN", &plain), ("xoauth2", &bearer)] {
        assert!(Client::pop3(&office).ask(&format!("AUTH {mechanism} {answer}")).starts_with("+OK 0"));
        let mut client = Client::pop3(&office);
        assert_eq!(client.ask(&format!("AUTH {mechanism}")), "+ ");
        assert!(client.ask(answer).starts_with("+OK 0"));
        assert_eq!(client.ask("STAT"), "+OK 0 0");
    }
    let mut client = Client::pop3(&office);
    assert_eq!(client.ask("AUTH PLAIN"), "+ ");
    assert_eq!(client.ask("*"), "-ERR the exchange was broken off");
    assert!(client.ask("AUTH CRAM-MD5").starts_with("-ERR"));
    assert!(client.ask("PASS secret").starts_with("-ERR"), "PASS without USER");
    assert!(client.ask("STAT").starts_with("-ERR"), "nobody is signed in");
    assert_eq!(client.ask("QUIT"), "+OK");
    assert!(client.rest().is_empty());
}

#[test]
fn wrong_secrets_are_refused_and_the_third_ends_the_connection() {
    let office = office();
    let mut client = Client::pop3(&office);
    let refused = "-ERR [AUTH] wrong name or password";
    client.send("USER centre@example.org\r\nPASS wrong\r\n");
    assert_eq!((client.line().as_str(), client.line().as_str()), ("+OK", refused));
    let wrong = STANDARD.encode("user=centre@example.org\u{1}auth=Bearer wrong\u{1}\u{1}");
    let challenge = client.ask(&format!("AUTH XOAUTH2 {wrong}"));
    let reason = STANDARD.decode(challenge.strip_prefix("+ ").unwrap()).unwrap();
    assert!(reason.starts_with(br#"{"status":"401""#), "XOAUTH2 tells the reason first");
    assert_eq!(client.ask(""), refused);
    client.send("USER nobody@example.org\r\nPASS secret\r\n");
    assert_eq!((client.line().as_str(), client.line().as_str()), ("+OK", refused));
    assert!(client.rest().is_empty());
}

#[test]
fn listings_sizes_and_unique_ids_agree() {
    let office = with_mails(&["one\r\n", "three\r\n", "five"]);
    let mut client = Client::signed_in(&office, CENTRE);
    assert_eq!(client.ask("STAT"), "+OK 3 18");
    assert_eq!((client.ask("LIST"), client.listing()), ("+OK".into(), vec!["1 5".into(), "2 7".into(), "3 6".into()]));
    let uidls = office.uidls(CENTRE);
    let expected: Vec<String> = (1..).zip(&uidls).map(|(number, uidl)| format!("{number} {uidl}")).collect();
    assert_eq!((client.ask("UIDL"), client.listing()), ("+OK".into(), expected));
    assert_eq!((client.ask("LIST 2"), client.ask("UIDL 3")), ("+OK 2 7".into(), format!("+OK 3 {}", uidls[2])));
    assert_eq!(client.ask("DELE 2"), "+OK");
    assert_eq!((client.ask("LIST"), client.listing()), ("+OK".into(), vec!["1 5".into(), "3 6".into()]));
    assert_eq!(client.ask("STAT"), "+OK 2 11");
    for wrong in ["0", "2", "4", "-1", "+1", "x", "99999999999999999999999"] {
        for verb in ["LIST", "UIDL", "RETR", "DELE"] {
            assert_eq!(client.ask(&format!("{verb} {wrong}")), "-ERR no such mail", "{verb} {wrong}");
        }
    }
    office.deliver(CENTRE, "later").unwrap();
    assert_eq!(client.ask("STAT"), "+OK 2 11", "a session sees the maildrop as it was at sign-in");
}

#[test]
fn mails_travel_to_the_octet_with_their_dots_doubled() {
    let mail = ".\r\n..a\r\nb.\r\n\r\n.c\r\n";
    let office = with_mails(&[mail, "", "bare\n.\nlines\rand no end"]);
    let mut client = Client::signed_in(&office, CENTRE);
    client.send("RETR 1\r\nRETR 2\r\nRETR 3\r\nQUIT\r\n");
    let expected = "+OK 18 octets\r\n..\r\n...a\r\nb.\r\n\r\n..c\r\n.\r\n\
                    +OK 0 octets\r\n.\r\n\
                    +OK 25 octets\r\nbare\n.\nlines\rand no end\r\n.\r\n\
                    +OK 0 mails deleted\r\n";
    assert_eq!(String::from_utf8(client.rest()).unwrap(), expected);
}

#[test]
fn top_gives_the_header_and_so_many_lines() {
    let office = with_mails(&["A: 1\r\nB: 2\r\n\r\none\r\n.two\r\nthree\r\n", "A: only a header\r\n"]);
    let mut client = Client::signed_in(&office, CENTRE);
    let mut top = |argument: &str| {
        client.expect_ok(&format!("TOP {argument}"));
        client.listing().join("|")
    };
    assert_eq!(top("1 0"), "A: 1|B: 2|");
    assert_eq!(top("1 2"), "A: 1|B: 2||one|..two");
    assert_eq!(top("1 9"), "A: 1|B: 2||one|..two|three");
    assert_eq!(top("2 0"), "A: only a header");
    for wrong in ["TOP 1", "TOP 1 -1", "TOP 1 x", "TOP", "RETR 1 2"] {
        assert!(client.ask(wrong).starts_with("-ERR"), "{wrong}");
    }
}

impl<T: std::io::Read + std::io::Write> Client<T> {
    fn expect_ok(&mut self, command: &str) {
        let line = self.ask(command);
        assert!(line.starts_with("+OK"), "{command}: {line}");
    }
}

#[test]
fn deletions_take_effect_at_quit_only() {
    let office = with_mails(&["one", "two", "three"]);
    let mut client = Client::signed_in(&office, CENTRE);
    client.expect_ok("DELE 1");
    drop(client);
    let mut client = Client::signed_in(&office, CENTRE);
    assert_eq!(client.ask("STAT"), "+OK 3 17", "a broken connection deletes nothing");
    client.send("DELE 1\r\nDELE 2\r\nRSET\r\nDELE 3\r\nNOOP\r\n");
    (0..5).for_each(|_| client.expect_start("+OK"));
    assert_eq!(office.count(CENTRE), 3);
    assert_eq!(client.ask("QUIT"), "+OK 1 mails deleted");
    assert!(client.rest().is_empty());
    let left = office.take(CENTRE);
    assert_eq!(left.iter().map(|mail| &*mail.bytes).collect::<Vec<_>>(), [&b"one\r\n"[..], b"two\r\n"]);
}

#[test]
fn the_lock_is_as_the_settings_say() {
    for locked in [false, true] {
        let office = office_with(|settings| settings.lock_maildrops = locked);
        let mut first = Client::signed_in(&office, CENTRE);
        let mut second = Client::pop3(&office);
        second.expect_ok(&format!("USER {CENTRE}"));
        assert_eq!(second.ask("PASS secret").starts_with("-ERR [IN-USE]"), locked);
        assert_eq!(Client::signed_in(&office, "agency@example.org").ask("STAT"), "+OK 0 0");
        first.expect_ok("QUIT");
        wait_until("the lock goes with its session", || {
            let mut third = Client::pop3(&office);
            third.expect_ok(&format!("USER {CENTRE}"));
            third.ask("PASS secret").starts_with("+OK")
        });
    }
}

#[test]
fn what_is_no_command_is_refused() {
    let office = office_with(|settings| settings.line_size_bytes_max = 64);
    let mut client = Client::pop3(&office);
    for wrong in ["", "NOOP", "HELLO", "USER", "STLS", "TOP 1 1"] {
        assert!(client.ask(wrong).starts_with("-ERR"), "{wrong}");
    }
    client.send("CAPA\n");
    client.expect_start("-ERR a command is text");
    client.stream.write_all(b"USER \xff\r\n").unwrap();
    client.expect_start("-ERR a command is text");
    client.send(&"x".repeat(65));
    client.expect_start("-ERR the line is too long");
    assert!(client.rest().is_empty());
}

#[test]
fn stls_begins_anew_and_drops_what_came_in_the_clear() {
    let (server, config) = certificate();
    let office = office_with(|settings| settings.protection = Protection::Offered(server));
    let mut client = Client::pop3(&office);
    client.expect_ok("CAPA");
    assert!(client.listing().contains(&"STLS".to_owned()));
    client.send("STLS\r\nUSER injected@example.org\r\n");
    assert_eq!(client.line(), "+OK begin TLS");
    let mut client = protect(client.stream, config);
    assert!(client.ask("PASS secret").starts_with("-ERR"), "the name from before TLS is void");
    assert!(client.ask("STLS").starts_with("-ERR"));
    client.expect_ok("CAPA");
    assert!(!client.listing().contains(&"STLS".to_owned()));
    client.expect_ok("USER centre@example.org");
    assert_eq!(client.ask("PASS secret"), "+OK 0 mails");
}

#[test]
fn pop3s_protects_from_the_first_octet() {
    let (server, config) = certificate();
    let office = office_with(|settings| settings.protection = Protection::Implicit(server));
    let mut client = protect(socket(office.pop3_address()), config);
    client.expect_start("+OK");
    client.expect_ok("USER centre@example.org");
    client.expect_ok("PASS secret");
}

/// As an independent client, curl must read the mail exactly as it was delivered.
#[test]
fn curl_collects_a_mail() {
    let office = with_mails(&["Subject: for curl\r\n\r\n.dot\r\n"]);
    let output = std::process::Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10", "--user", "centre@example.org:secret"])
        .arg(format!("pop3://{}/1", office.pop3_address()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Subject: for curl\r\n\r\n.dot\r\n");
}
