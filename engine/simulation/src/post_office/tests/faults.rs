//! Tests of faults: each must strike at the right command and as often as set, and must look to the client like the real failure.

use super::*;

const CENTRE: &str = "centre@example.org";

/// Starts a post office that holds three mails for the centre.
fn stocked() -> PostOffice {
    let office = office();
    for mail in ["Subject: 1\r\n\r\none\r\n", "Subject: 2\r\n\r\n.two\r\n", "Subject: 3\r\n\r\nthree\r\n"] {
        office.deliver(CENTRE, mail).unwrap();
    }
    office
}

/// Sends one mail. Returns the replies to RCPT, DATA and the final dot, up to the first one that does not come.
fn submit(office: &PostOffice) -> Vec<String> {
    let mut client = Client::smtp(office);
    client.send(&format!("MAIL FROM:<>\r\nRCPT TO:<{CENTRE}>\r\nDATA\r\n"));
    client.expect_start("250");
    let mut answers = vec![client.line(), client.line()];
    if answers[1].starts_with("354") {
        client.send("text\r\n.\r\nQUIT\r\n");
    } else {
        client.send("QUIT\r\n");
    }
    let rest = String::from_utf8(client.rest()).unwrap();
    answers.extend(rest.lines().filter(|line| !line.starts_with("221")).map(str::to_owned));
    answers.iter().map(|answer| answer[..3].to_owned()).collect()
}

#[test]
fn sign_in_is_refused_so_often_for_one_protocol() {
    let office = office();
    let fault = Fault::RefuseSignIn(Protocol::Pop3);
    office.faults().set(fault.clone(), When::Times(2));
    let mut client = Client::pop3(&office);
    for start in ["-ERR [AUTH]", "-ERR [AUTH]", "+OK"] {
        assert_eq!(client.ask("USER centre@example.org"), "+OK");
        assert!(client.ask("PASS secret").starts_with(start));
    }
    assert_eq!(office.faults().struck(&fault), 2);
    office.faults().set(Fault::RefuseSignIn(Protocol::Smtp), When::Always);
    assert!(Client::smtp(&office).ask("AUTH PLAIN AGNlbnRyZUBleGFtcGxlLm9yZwBzZWNyZXQ=").starts_with("535"));
}

#[test]
fn a_retrieval_is_cut_after_so_many_octets() {
    let office = stocked();
    for (after_bytes, expected) in
        [(0, ""), (3, "Sub"), (16, "Subject: 2\r\n\r\n.."), (999, "Subject: 2\r\n\r\n..two\r\n")]
    {
        office.faults().set(Fault::CutRetrieval { after_bytes }, When::Times(1));
        let mut client = Client::signed_in(&office, CENTRE);
        client.send("DELE 1\r\nRETR 2\r\n");
        assert_eq!(client.line(), "+OK");
        assert_eq!(client.line(), "+OK 20 octets");
        assert_eq!(String::from_utf8(client.rest()).unwrap(), expected);
    }
    assert_eq!(office.count(CENTRE), 3, "a cut session deletes nothing");
}

#[test]
fn a_reply_is_cut_in_the_middle_of_its_line() {
    let office = stocked();
    for (protocol, command, expected) in [(Protocol::Pop3, "STAT\r\n", "+OK "), (Protocol::Smtp, "NOOP\r\n", "250 2.")]
    {
        let mut client = match protocol {
            Protocol::Pop3 => Client::signed_in(&office, CENTRE),
            Protocol::Smtp => Client::smtp(&office),
        };
        office.faults().set(Fault::CutReply(protocol), When::Times(1));
        client.send(command);
        assert_eq!(String::from_utf8(client.rest()).unwrap(), expected);
    }
}

#[test]
fn a_reply_comes_late() {
    let office = stocked();
    let delay = Duration::from_millis(80);
    let mut client = Client::signed_in(&office, CENTRE);
    office.faults().set(Fault::DelayReply(Protocol::Pop3, delay), When::Times(1));
    let started = Instant::now();
    assert!(client.ask("STAT").starts_with("+OK"));
    assert!(started.elapsed() >= delay);
}

#[test]
fn one_mail_is_refused_and_the_others_are_not() {
    let office = stocked();
    let uidls = office.uidls(CENTRE);
    office.faults().set(Fault::RefuseMail { uidl: uidls[1].clone() }, When::Always);
    let mut client = Client::signed_in(&office, CENTRE);
    for command in ["RETR 2", "TOP 2 0", "UIDL 2"] {
        assert_eq!(client.ask(command), "-ERR no such mail", "{command}");
    }
    assert_eq!(client.ask("UIDL 3"), format!("+OK 3 {}", uidls[2]));
    assert!(client.ask("RETR 3").starts_with("+OK"));
    assert_eq!(client.listing().len(), 3);
    assert_eq!(client.ask("UIDL"), "+OK");
    assert_eq!(client.listing().len(), 3, "the listing names it");
    assert_eq!(client.ask("DELE 2"), "+OK");
    assert_eq!(client.ask("QUIT"), "+OK 1 mails deleted");
}

#[test]
fn every_session_breaks_over_one_mail_and_not_over_the_others() {
    let office = stocked();
    let uidl = office.uidls(CENTRE)[1].clone();
    for how in [Break::Drop, Break::Cut, Break::Hang, Break::HalfTerminator] {
        let fault = Fault::BreakMail { uidl: uidl.clone(), how };
        office.faults().set(fault.clone(), When::Always);
        let mut client = Client::signed_in(&office, CENTRE);
        client.send("RETR 1\r\nRETR 2\r\n");
        assert!(client.line().starts_with("+OK"), "{how:?}");
        client.listing();
        match how {
            Break::Drop => assert_eq!(client.rest(), b""),
            Break::Cut => assert!(client.rest().ends_with(b"\r\n")),
            Break::Hang | Break::HalfTerminator => assert!(client.line().starts_with("+OK"), "{how:?}"),
        }
        assert_eq!(office.faults().struck(&fault), 1, "{how:?}");
        office.faults().clear(&fault);
    }
}

#[test]
fn listings_are_odd_in_the_lines_that_are_told() {
    let office = stocked();
    let odd = |of, number, line: Option<&str>| Fault::OddLine { of, number, line: line.map(str::to_owned) };
    let faults = office.faults();
    for fault in
        [odd(ListingOf::Ids, 1, Some("1   a1")), odd(ListingOf::Ids, 2, None), odd(ListingOf::Sizes, 3, Some("3"))]
    {
        faults.set(fault, When::Always);
    }
    let mut client = Client::signed_in(&office, CENTRE);
    let uidl = office.uidls(CENTRE)[2].clone();
    assert_eq!((client.ask("UIDL"), client.listing()), ("+OK".into(), vec!["1   a1".into(), format!("3 {uidl}")]));
    assert_eq!(client.ask("LIST"), "+OK");
    assert_eq!(client.listing()[2], "3");
    faults.clear_all();
    faults.set(Fault::RefuseListing(ListingOf::Ids), When::Always);
    assert!(client.ask("UIDL").starts_with("-ERR"));
    assert!(client.ask("UIDL 1").starts_with("+OK"), "of one mail it tells");
    faults.set(Fault::BareLineFeeds, When::Always);
    client.send("STAT\r\nQUIT\r\n");
    let rest = client.rest();
    assert!(rest.starts_with(b"+OK") && rest.ends_with(b"\n") && !rest.contains(&b'\r'));
}

#[test]
fn quit_is_lost_before_or_after_the_deletion() {
    let office = stocked();
    for (fault, left) in [(Fault::DropQuitBeforeDeletion, 3), (Fault::DropQuitAfterDeletion, 2)] {
        office.faults().set(fault.clone(), When::Times(1));
        let mut client = Client::signed_in(&office, CENTRE);
        assert_eq!(client.ask("DELE 1"), "+OK");
        client.send("QUIT\r\n");
        assert!(client.rest().is_empty(), "{fault:?}");
        assert_eq!(office.count(CENTRE), left, "{fault:?}");
    }
}

#[test]
fn a_submission_fails_at_each_of_its_steps() {
    let office = office();
    for (fault, answers, stored) in [
        (Fault::DeferRecipient, &["450", "554"][..], 0),
        (Fault::RejectRecipient, &["550", "554"], 0),
        (Fault::CutData, &["250", "354"], 0),
        (Fault::DeferData, &["250", "354", "451"], 0),
        (Fault::LoseDataReply, &["250", "354"], 1),
    ] {
        office.faults().set(fault.clone(), When::Times(1));
        assert_eq!(submit(&office), answers, "{fault:?}");
        assert_eq!(office.take(CENTRE).len(), stored, "{fault:?}");
        assert_eq!(submit(&office), ["250", "354", "250"], "after {fault:?}");
        assert_eq!(office.take(CENTRE).len(), 1);
    }
}
