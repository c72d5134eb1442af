//! Tests of the SMTP commands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const CENTRE: &str = "centre@example.org";

/// Sends commands one after another, and checks how the reply to each begins.
#[track_caller]
fn dialogue<T: Read + Write>(client: &mut Client<T>, steps: &[(&str, &str)]) {
    for (command, start) in steps {
        let answer = client.ask(command);
        assert!(answer.starts_with(start), "{command}: expected {start}, found {answer}");
    }
}

#[test]
fn a_mail_arrives_to_the_octet_at_every_recipient() {
    let office = office();
    let mut client = Client::smtp(&office);
    let text = "Subject: exact\r\n\r\n..dot\r\nbare\n.\nlf\r.\rcr\r\n";
    let wire = text.replace("\r\n.", "\r\n..");
    client.send(&format!(
        "MAIL FROM:<agency@example.org> SIZE={} BODY=8BITMIME\r\nRCPT TO:<Centre@Example.org>\r\n\
         RCPT TO:<agency@example.org>\r\nDATA\r\n",
        text.len()
    ));
    for start in ["250 2.1.0", "250 2.1.5", "250 2.1.5", "354"] {
        client.expect_start(start);
    }
    client.send(&format!("{wire}.\r\nMAIL FROM:<>\r\nQUIT\r\n"));
    assert_eq!(
        String::from_utf8(client.rest()).unwrap().lines().map(|line| &line[..3]).collect::<Vec<_>>(),
        ["250", "250", "221"]
    );
    for address in [CENTRE, "agency@example.org"] {
        let mails = office.take(address);
        let expected = Mail { envelope_sender: "agency@example.org".into(), bytes: text.as_bytes().into() };
        assert_eq!(mails, [expected]);
    }
}

#[test]
fn extensions_are_told_as_the_settings_say() {
    let plain = office();
    let mut client = Client::connect(plain.smtp_address(), "220 ");
    let told = client.hello();
    assert_eq!(told.last().unwrap(), "250 SIZE 8388608");
    for extension in ["250-PIPELINING", "250-8BITMIME", "250-AUTH PLAIN LOGIN XOAUTH2"] {
        assert!(told.iter().any(|line| line == extension), "{extension}");
    }
    assert!(!told.contains(&"250-STARTTLS".to_owned()));
    assert_eq!(client.ask("HELO client.example"), "250 localhost");
    let silent = office_with(|settings| settings.sign_in = SignInRule::NotOffered);
    let mut client = Client::connect(silent.smtp_address(), "220 ");
    assert!(!client.hello().iter().any(|line| line.contains("AUTH")));
    assert!(client.ask("AUTH PLAIN").starts_with("502"));
}

#[test]
fn commands_out_of_order_or_out_of_form_are_refused() {
    let office = office_with(|settings| (settings.mail_size_bytes_max, settings.recipients_max) = (100, 2));
    let mut client = Client::connect(office.smtp_address(), "220 ");
    dialogue(
        &mut client,
        &[
            ("MAIL FROM:<a@x>", "503"),
            ("AUTH PLAIN", "503"),
            ("EHLO", "501"),
            ("HELO client.example", "250"),
            ("RCPT TO:<centre@example.org>", "503"),
            ("DATA", "503"),
            ("MAIL FROM:a@x", "501"),
            ("MAIL FROM:<a@x> SIZE=101", "552"),
            ("MAIL FROM:<a@x> SIZE=x", "501"),
            ("MAIL FROM:<a@x> SMTPUTF8", "555"),
            ("MAIL FROM:<a@x> SIZE=100", "250"),
            ("MAIL FROM:<a@x>", "503"),
            ("RCPT TO:<>", "501"),
            ("RCPT TO:<centre@example.org> NOTIFY=NEVER", "555"),
            ("RCPT TO:<nobody@example.org>", "550 5.1.1"),
            ("DATA", "554"),
            ("RCPT TO:<centre@example.org>", "250"),
            ("RCPT TO:<agency@example.org>", "250"),
            ("RCPT TO:<centre@example.org>", "452"),
            ("RSET", "250"),
            ("DATA", "503"),
            ("VRFY centre", "252"),
            ("TURN", "500"),
            ("NOOP", "250"),
        ],
    );
    client.send("NOOP\n");
    client.expect_start("500");
    client.send(&"x".repeat(20_000));
    client.expect_start("500 5.5.2 The line is too long");
    assert!(client.rest().is_empty());
}

#[test]
fn an_oversize_mail_is_refused_at_its_end_and_the_next_one_taken() {
    let office = office_with(|settings| settings.mail_size_bytes_max = 100);
    let mut client = Client::smtp(&office);
    for (length, answer) in [(99, "552 5.3.4"), (98, "250 2.0.0")] {
        dialogue(&mut client, &[("MAIL FROM:<>", "250"), ("RCPT TO:<centre@example.org>", "250"), ("DATA", "354")]);
        client.send(&format!("{}\r\n.\r\n", "x".repeat(length)));
        client.expect_start(answer);
    }
    assert_eq!(office.take(CENTRE).len(), 1);
}

#[test]
fn a_bare_line_feed_cannot_smuggle_a_second_mail() {
    let office = office();
    let mut client = Client::smtp(&office);
    dialogue(&mut client, &[("MAIL FROM:<>", "250"), ("RCPT TO:<centre@example.org>", "250"), ("DATA", "354")]);
    let smuggled = "MAIL FROM:<evil@x>\r\nRCPT TO:<centre@example.org>\r\nDATA\r\nevil\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\n"] {
        client.send(&format!("text{end}{smuggled}"));
    }
    client.send(".\r\n");
    client.expect_start("250 2.0.0");
    assert_eq!(client.ask("NOOP"), "250 2.0.0 OK", "one answer for one mail");
    assert_eq!(office.take(CENTRE).len(), 1);
}

#[test]
fn sign_in_by_every_mechanism() {
    let office = office_with(|settings| settings.sign_in = SignInRule::Required);
    let encoded = |text: &str| STANDARD.encode(text);
    let (plain, wrong) = (encoded("\0centre@example.org\0secret"), encoded("\0centre@example.org\0wrong"));
    let bearer = encoded("user=centre@example.org\u{1}auth=Bearer secret\u{1}\u{1}");
    let (name, password) = (encoded(CENTRE), encoded("secret"));
    let answers: [&[(&str, &str)]; 5] = [
        &[(&format!("AUTH PLAIN {plain}"), "235")],
        &[("AUTH PLAIN", "334 "), (&plain, "235")],
        &[("AUTH LOGIN", "334 VXNlcm5hbWU6"), (&name, "334 UGFzc3dvcmQ6"), (&password, "235")],
        &[(&format!("auth login {name}"), "334 UGFzc3dvcmQ6"), (&password, "235")],
        &[(&format!("AUTH XOAUTH2 {bearer}"), "235")],
    ];
    for steps in answers {
        let mut client = Client::smtp(&office);
        dialogue(&mut client, &[("MAIL FROM:<>", "530")]);
        dialogue(&mut client, steps);
        dialogue(&mut client, &[("AUTH PLAIN", "503"), ("MAIL FROM:<>", "250")]);
    }
    let mut client = Client::smtp(&office);
    let wrong = format!("AUTH PLAIN {wrong}");
    let refused = encoded("user=centre@example.org\u{1}auth=Bearer wrong\u{1}\u{1}");
    dialogue(
        &mut client,
        &[
            ("AUTH CRAM-MD5", "504"),
            ("AUTH PLAIN =", "501"),
            ("AUTH LOGIN", "334"),
            ("*", "501"),
            (&wrong, "535 5.7.8"),
            (&format!("AUTH XOAUTH2 {refused}"), "334 eyJzdGF0dXMi"),
            ("", "535 5.7.8"),
            (&wrong, "535 5.7.8"),
        ],
    );
    assert!(client.rest().is_empty(), "the third refusal ends the connection");
}

#[test]
fn starttls_begins_anew_and_drops_what_came_in_the_clear() {
    let (server, config) = certificate();
    let office = office_with(|settings| settings.protection = Protection::Offered(server));
    let mut client = Client::connect(office.smtp_address(), "220 ");
    assert!(client.hello().contains(&"250-STARTTLS".to_owned()));
    client.send("STARTTLS\r\nMAIL FROM:<injected@x>\r\n");
    assert_eq!(client.line(), "220 2.0.0 Begin TLS");
    let mut client = protect(client.stream, config);
    dialogue(&mut client, &[("MAIL FROM:<a@x>", "503")]);
    assert!(!client.hello().contains(&"250-STARTTLS".to_owned()));
    dialogue(&mut client, &[("STARTTLS", "502"), ("MAIL FROM:<a@x>", "250"), ("RCPT TO:<centre@example.org>", "250")]);
    dialogue(&mut client, &[("DATA", "354"), ("protected\r\n.", "250")]);
    assert_eq!(&*office.take(CENTRE)[0].bytes, b"protected\r\n");
}

/// As an independent client, swaks must sign in and send a mail.
#[test]
fn swaks_sends_a_mail() {
    let office = office_with(|settings| settings.sign_in = SignInRule::Required);
    for mechanism in ["PLAIN", "LOGIN"] {
        let output = std::process::Command::new("swaks")
            .args(["--server", "127.0.0.1", "--port", &office.smtp_address().port().to_string()])
            .args(["--from", "agency@example.org", "--to", CENTRE, "--auth", mechanism])
            .args(["--auth-user", "agency@example.org", "--auth-password", "secret"])
            .args(["--ehlo", "client.example", "--timeout", "10", "--body", ".a dot first"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let mails = office.take(CENTRE);
        assert_eq!((mails.len(), mails[0].envelope_sender.as_str()), (1, "agency@example.org"));
        assert!(String::from_utf8(mails[0].bytes.to_vec()).unwrap().contains("\r\n\r\n.a dot first\r\n"));
    }
}
