//! Tests of the client with a real Dovecot: TLS, STLS, unchanged octets, and speed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use cluster::Port;

use super::*;

struct Dovecot {
    child: Child,
    folder: tempfile::TempDir,
    plain: Port,
    tls: Port,
}

impl Dovecot {
    async fn start() -> Dovecot {
        let folder = tempfile::Builder::new().prefix("xm-dovecot-").tempdir().unwrap();
        run("chmod", &["755", folder.path().to_str().unwrap()]);
        std::fs::create_dir(folder.path().join("mail")).unwrap();
        own(&folder.path().join("mail"));
        let (plain, tls) = (Port::hold().unwrap(), Port::hold().unwrap());
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
        write("cert.pem", made.cert.pem());
        write("key.pem", made.signing_key.serialize_pem());
        write("dovecot.conf", configuration(folder.path(), &plain, &tls));
        let child = Command::new("dovecot")
            .args(["-F", "-c"])
            .arg(folder.path().join("dovecot.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs Dovecot: apt-get install dovecot-pop3d");
        let dovecot = Dovecot { child, folder, plain, tls };
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        while let Err(error) = open(&dovecot.settings("nobody", Security::Tls)).await {
            assert!(Instant::now() < deadline, "{error}\n{}", dovecot.log());
            tick.tick().await;
        }
        dovecot
    }

    fn settings(&self, user: &str, security: Security) -> MailboxSettings {
        let mut settings = settings(if security == Security::Tls { self.tls.number() } else { self.plain.number() });
        settings.security = security;
        settings.username = user.into();
        settings.ca_file = Some(self.folder.path().join("cert.pem"));
        settings
    }

    /// Puts mails directly into a maildir, as a delivery would.
    fn fill(&self, user: &str, mails: impl Iterator<Item = Vec<u8>>) {
        let maildir = self.folder.path().join("mail").join(user);
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(maildir.join(part)).unwrap();
        }
        for (index, mail) in mails.enumerate() {
            std::fs::write(maildir.join(format!("new/{}.{index:06}.test", 1_700_000_000 + index)), mail).unwrap();
        }
        own(&maildir);
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        let stopped =
            Command::new("doveadm").arg("-c").arg(self.folder.path().join("dovecot.conf")).arg("stop").status();
        if !stopped.is_ok_and(|status| status.success()) {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// Dovecot opens no mailbox as root. If the tests run as root, the mails belong to the user nobody.
fn mail_user(flag: &str) -> String {
    if run("id", &["-u"]) == "0" { run("id", &[flag, "nobody"]) } else { run("id", &[flag]) }
}

fn own(folder: &Path) {
    run("chown", &["-R", &format!("{}:{}", mail_user("-u"), mail_user("-g")), folder.to_str().unwrap()]);
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn configuration(folder: &Path, plain: &Port, tls: &Port) -> String {
    let (user, uid, gid) = (run("id", &["-un"]), mail_user("-u"), mail_user("-g"));
    let (internal, login) = if user == "root" { ("dovecot", "dovenull") } else { (user.as_str(), user.as_str()) };
    let folder = folder.display();
    format!(
        "protocols = pop3\nlisten = 127.0.0.1\nbase_dir = {folder}/run\nstate_dir = {folder}/state\n\
         log_path = {folder}/log\nmail_location = maildir:{folder}/mail/%u\n\
         default_internal_user = {internal}\ndefault_login_user = {login}\n\
         mail_uid = {uid}\nmail_gid = {gid}\nfirst_valid_uid = 0\nfirst_valid_gid = 0\n\
         ssl = required\nssl_cert = <{folder}/cert.pem\nssl_key = <{folder}/key.pem\n\
         passdb {{\n driver = static\n args = password=s3cr3t\n}}\n\
         userdb {{\n driver = static\n args = uid={uid} gid={gid} home={folder}/mail/%u\n}}\n\
         service pop3-login {{\n chroot =\n inet_listener pop3 {{\n port = {plain}\n }}\n\
         inet_listener pop3s {{\n port = {tls}\n ssl = yes\n }}\n}}\n\
         service anvil {{\n chroot =\n}}\n"
    )
}

/// Octets that a careless client would change: dots, 8-bit octets, control characters except NUL, and a last line without a line end.
const DELICATE: &[u8] = b"Subject: =?utf-8?q?=C3=A9?=\r\n\r\n.\r\n..\r\n.leading\r\n\xE9\xFF\x01\ttail \r\nend";

#[tokio::test(flavor = "multi_thread")]
async fn every_octet_survives_over_tls_and_stls_and_deletion_waits_for_quit() {
    let dovecot = Dovecot::start().await;
    dovecot.fill("centre", (0..150).map(|index| [DELICATE, format!(" {index}").as_bytes()].concat()));
    for security in [Security::Tls, Security::Starttls] {
        let mut session = open(&dovecot.settings("centre", security)).await.unwrap();
        assert!(session.is_pipelining());
        let listed = session.listing().await.unwrap().mails;
        assert_eq!(listed.len(), 150);
        let mut retrieval = session.retrieve(&listed, 5_000_000).await.unwrap();
        let mut seen = 0;
        while let Some(mail) = retrieval.next().await.unwrap() {
            let expected = [DELICATE, format!(" {seen}\r\n").as_bytes()].concat();
            assert_eq!(mail.outcome, Outcome::Mail(expected));
            seen += 1;
        }
        assert_eq!(seen, 150);
        let numbers: Vec<u32> = listed.iter().map(|listed| listed.number).collect();
        assert!(session.delete(&numbers).await.unwrap().is_empty());
        // The session with the marked mails is dropped without QUIT, so nothing is deleted: the session with the other kind of TLS, and the
        // one after the loop, must still find all mails.
    }
    let mut session = open(&dovecot.settings("centre", Security::Tls)).await.unwrap();
    assert_eq!(session.delete(&[1, 2, 3, 999]).await.unwrap(), [999]);
    session.quit().await.unwrap();
    let mut session = open(&dovecot.settings("centre", Security::Tls)).await.unwrap();
    assert_eq!(session.stat().await.unwrap().mails, 147);
    session.quit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_over_size_mail_comes_as_its_head() {
    let dovecot = Dovecot::start().await;
    let large = [&b"Subject: large\r\n\r\n"[..], "0123456789abcdef\r\n".repeat(20_000).as_bytes()].concat();
    dovecot.fill("centre", [large.clone(), b"Subject: small\r\n\r\nx\r\n".to_vec()].into_iter());
    let mut session = open(&dovecot.settings("centre", Security::Tls)).await.unwrap();
    let listed = session.listing().await.unwrap().mails;
    let outcomes = all(&mut session.retrieve(&listed, 100_000).await.unwrap()).await;
    let Outcome::OverSize { head, size_bytes } = &outcomes[0] else { panic!("{:?}", outcomes[0]) };
    assert_eq!(*size_bytes, large.len() as u64);
    assert!(head.len() > 3000 && head.len() <= HEAD_BYTES_MAX && large.starts_with(head), "{}", head.len());
    assert!(matches!(&outcomes[1], Outcome::Mail(_)));
    assert_eq!(session.top(1).await.unwrap(), *head);
    session.quit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_a_failure_to_sign_in() {
    let dovecot = Dovecot::start().await;
    let mut settings = dovecot.settings("centre", Security::Tls);
    settings.password = Some(Secret::new("wrong"));
    let error = open(&settings).await.err().unwrap();
    assert!(matches!((error.step, &error.cause), (Step::SignIn, Cause::Refused(_))), "{error}");
    let report = Mailbox::new(dovecot.settings("centre", Security::Starttls)).unwrap().test().await;
    assert!(report.failure.is_none(), "{:?}", report.failure);
}

/// This is a measurement, not a test: `cargo test -p mail --release -- --ignored --nocapture pipelining_pays`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures 5 000 mails against Dovecot"]
async fn pipelining_pays() {
    let dovecot = Dovecot::start().await;
    let mail = format!(
        "Subject: SDC\r\n\r\n{}",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(18)
    );
    dovecot.fill("centre", std::iter::repeat_n(mail.into_bytes(), 5000));
    for (security, window) in
        [(Security::Tls, 1), (Security::Tls, 1), (Security::Tls, 16), (Security::Tls, 64), (Security::Tls, 256)]
    {
        let mut settings = dovecot.settings("centre", security);
        settings.window_mails = window;
        let mut session = open(&settings).await.unwrap();
        let since = Instant::now();
        let listed = session.listing().await.unwrap().mails;
        let listing = since.elapsed();
        let since = Instant::now();
        let outcomes = all(&mut session.retrieve(&listed, 100_000).await.unwrap()).await;
        let rate = outcomes.len() as f64 / since.elapsed().as_secs_f64();
        println!("window {window}: {} mails, {rate:.0} mails/s (listing {listing:?})", outcomes.len());
        session.quit().await.unwrap();
    }
}
