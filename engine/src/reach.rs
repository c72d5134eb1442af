//! Tries the connections to mailboxes, transfer folder and relay, step by step: DNS, TCP, TLS, sign-in, mailbox.

use std::path::Path;
use std::time::Instant;

use actors::transfer_folder::{self, LOOK_PATIENCE};
use mail::pop3::Mailbox;
use mail::smtp::Relay;
use mail::{Cause, Step, TestReport};
use serde::Serialize;

use crate::configuration::{Configuration, FolderConfiguration, RelayConfiguration};

/// Result of trying one connection.
#[derive(Clone, Debug, Serialize)]
pub struct Reached {
    /// The server or folder that was tried, such as `mailbox main`, or `relay`.
    pub subject: String,
    /// Steps that succeeded, in order.
    pub passed: Vec<PassedStep>,
    /// The step that failed; none where all succeeded.
    pub failure: Option<FailedStep>,
}

/// A step that succeeded.
#[derive(Clone, Debug, Serialize)]
pub struct PassedStep {
    /// Name of the step, such as `TLS`.
    pub step: &'static str,
    /// Duration of the step, in milliseconds.
    pub milliseconds: u64,
}

/// The step that failed.
#[derive(Clone, Debug, Serialize)]
pub struct FailedStep {
    /// Name of the step; none where it is not known.
    pub step: Option<&'static str>,
    /// Sentence that says what went wrong.
    pub message: String,
}

/// Tries the mailboxes, the folder and the relay, or only the mailbox or folder named `only`.
pub async fn reach(configuration: &Configuration, only: Option<&str>) -> Vec<Reached> {
    let mut all = Vec::new();
    for mailbox in configuration.mailboxes.iter().filter(|mailbox| only.is_none_or(|name| mailbox.name == name)) {
        let report = match Mailbox::new(mailbox.pop3.clone()) {
            Ok(open) => open.test().await,
            Err(error) => TestReport { passed: Vec::new(), failure: Some(error) },
        };
        let username = Some(mailbox.pop3.username.as_str());
        let compared = compared(username, mailbox.pop3.password_file.as_deref(), mailbox.pop3.password_env.as_deref());
        all.push(told(format!("mailbox {}", mailbox.name), report, &compared));
    }
    if let Some(folder) = configuration.folder.as_ref().filter(|folder| only.is_none_or(|name| folder.name == name)) {
        all.push(folder_reached(folder));
    }
    if let (Some(relay), None) = (&configuration.relay, only) {
        all.push(relay_reached(relay).await);
    }
    all
}

/// Returns advice to compare username and password, for a server that refused them. The advice is empty if the configuration names no
/// username, or names neither a file nor a variable with the password.
fn compared(username: Option<&str>, file: Option<&Path>, variable: Option<&str>) -> String {
    let Some(username) = username else { return String::new() };
    let secret = match (file, variable) {
        (Some(file), _) => format!("the first line of {}", file.display()),
        (None, Some(variable)) => format!("the value of {variable}"),
        (None, None) => return String::new(),
    };
    format!("; compare username {username} and {secret} with what the mail server knows")
}

fn told(subject: String, report: TestReport, compared: &str) -> Reached {
    let passed = report
        .passed
        .into_iter()
        .map(|(step, time)| PassedStep { step: step.as_str(), milliseconds: milliseconds(time) })
        .collect();
    let failure = report.failure.map(|error| {
        let is_refused = matches!((error.step, &error.cause), (Step::SignIn, Cause::Refused(_)));
        let message = if is_refused { format!("{error}{compared}") } else { error.to_string() };
        FailedStep { step: Some(error.step.as_str()), message }
    });
    Reached { subject, passed, failure }
}

fn folder_reached(folder: &FolderConfiguration) -> Reached {
    let mut reached = Reached { subject: format!("folder {}", folder.name), passed: Vec::new(), failure: None };
    for name in [transfer_folder::IN, transfer_folder::OUT] {
        let started = Instant::now();
        match transfer_folder::open_within(&folder.path, name, LOOK_PATIENCE) {
            Ok(_open) => reached.passed.push(PassedStep { step: name, milliseconds: milliseconds(started.elapsed()) }),
            Err(trouble) => {
                reached.failure = Some(FailedStep { step: Some(name), message: trouble.to_string() });
                break;
            }
        }
    }
    reached
}

async fn relay_reached(relay: &RelayConfiguration) -> Reached {
    let mut reached = Reached { subject: "relay".to_owned(), passed: Vec::new(), failure: None };
    let open = match Relay::new(&relay.smtp) {
        Ok(open) => open,
        Err(error) => {
            reached.failure = Some(FailedStep { step: Some(error.step.as_str()), message: error.to_string() });
            return reached;
        }
    };
    let started = Instant::now();
    match open.test().await {
        Ok(()) => {
            let step = if relay.smtp.username.is_some() { "sign-in" } else { "greeting" };
            reached.passed.push(PassedStep { step, milliseconds: milliseconds(started.elapsed()) });
        }
        Err(failure) => {
            let step = failure.step.map(|step| step.as_str());
            let told = step.map(|step| format!("{step}: ")).unwrap_or_default();
            let mut message = format!("{}:{}: {told}{}", relay.smtp.host, relay.smtp.port(), failure.reply);
            // Code 535: the server refuses the credentials (RFC 4954, 6).
            if failure.step == Some(Step::SignIn) && failure.reply.starts_with("535") {
                let smtp = &relay.smtp;
                let (file, variable) = (smtp.password_file.as_deref(), smtp.password_env.as_deref());
                message.push_str(&compared(smtp.username.as_deref(), file, variable));
            }
            reached.failure = Some(FailedStep { step, message });
        }
    }
    reached
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use actors::transport::NoContainer;
    use mail::settings::{MailboxSettings, RelaySettings, Secret, Security};

    use super::*;
    use crate::configuration::MailboxConfiguration;

    /// Serves one connection: sends a greeting, then the same answer to every line.
    fn server(greeting: &'static str, answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).split(b'\n');
            let mut is_heard = stream.write_all(greeting.as_bytes()).is_ok();
            for line in lines {
                is_heard &= line.is_ok() && stream.write_all(answer.as_bytes()).is_ok();
                if !is_heard {
                    return;
                }
            }
        });
        port
    }

    async fn reached(
        security: Security,
        pop3: (&'static str, &'static str),
        smtp: (&'static str, &'static str),
    ) -> [String; 2] {
        let mut mailbox = MailboxSettings::new("localhost", "centre");
        let mut relay = RelaySettings::new("localhost");
        (mailbox.port, relay.port) = (Some(server(pop3.0, pop3.1)), Some(server(smtp.0, smtp.1)));
        (mailbox.security, relay.security) = (security, security);
        mailbox.password = Some(Secret::new("secret"));
        let peers = [mailbox.port, relay.port].map(|port| format!("localhost:{}", port.unwrap()));
        let mailbox = MailboxConfiguration {
            name: "main".to_owned(),
            poll_interval_seconds: 10,
            no_container: NoContainer::Leave,
            pop3: mailbox,
        };
        let configuration = Configuration {
            mailboxes: vec![mailbox],
            relay: Some(RelayConfiguration { address: "centre@example.org".to_owned(), smtp: relay }),
            ..Configuration::default()
        };
        let all = reach(&configuration, None).await;
        let messages: Vec<String> = all.into_iter().map(|one| one.failure.unwrap().message).collect();
        for (message, peer) in messages.iter().zip(&peers) {
            assert_eq!(message.matches(peer).count(), 1, "who it was is told once: {message}");
            assert!(!message.contains(|c: char| c.is_control() || c == '\u{202E}'), "{message:?}");
        }
        messages.try_into().unwrap()
    }

    #[tokio::test]
    async fn no_text_of_a_server_reaches_the_terminal_as_it_came() {
        const EVIL: &str = "\x1b[2J \x1b]0;evil\x07 \u{202E}no\r\n";
        for (pop3, smtp) in [
            (("-ERR \x1b[2J\u{202E}\r\n", ""), ("554 \x1b[2J\u{202E}\r\n", "")),
            ((EVIL, ""), (EVIL, "")),
            (("+OK\r\n", "-ERR \x1b[2J\x07\r\n"), ("220 x\r\n", "550 \x1b[2J\x07\r\n")),
            (("+OK\r\n", EVIL), ("220 x\r\n", EVIL)),
        ] {
            reached(Security::None, pop3, smtp).await;
        }
    }

    #[test]
    fn what_a_refused_password_is_compared_with_is_named() {
        let file = Some(Path::new("/srv/mailbox-password"));
        for (told, expected) in [
            (
                compared(Some("centre"), file, None),
                "; compare username centre and the first line of /srv/mailbox-password with what the mail server knows",
            ),
            (
                compared(Some("centre"), None, Some("SECRET")),
                "; compare username centre and the value of SECRET with what the mail server knows",
            ),
            (compared(Some("centre"), None, None), ""),
            (compared(None, file, None), ""),
        ] {
            assert_eq!(told, expected);
            let refused = format!("localhost:110: sign_in: the server refused: no{told}");
            assert!(::words::Words::is_sentence(&refused), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_plain_port_is_told_with_its_step_and_what_to_do() {
        let messages = reached(Security::Tls, ("+OK ready\r\n", ""), ("220 ready\r\n", "")).await;
        for message in messages {
            assert!(message.contains(": tls: port ") && message.contains("security = \"starttls\""), "{message}");
        }
    }
}
