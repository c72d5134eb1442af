//! Letters by SMTP, answers by POP3. Answers are fetched first: a letter whose answer waits in the mailbox is not sent again.

use agency::collect::{self, Then};
use agency::kit::{KitMail, KitServer};
use mail::pop3::Mailbox;
use mail::smtp::{FailureKind, Outgoing, Relay};
use mail::{MailboxSettings, RelaySettings, Secret};
use sdc::service::Service;

use super::{Away, Carried, NoWay, Taken, finished, take};
use crate::desk::{Desk, now};
use crate::letters::Due;
use crate::settings::Setting;

/// Fetches answers, sends what is due, and counts bytes.
///
/// # Errors
/// The office has no mail; a server does not do its part ([`Away`]); the database cannot be written. What was done before the error stays
/// done.
pub async fn by_mail(desk: &Desk) -> anyhow::Result<Carried> {
    let kit = desk.database.kit()?;
    let mail = kit.mail.ok_or(NoWay::Mail)?;
    let password = desk.database.setting(Setting::MailPassword)?.map(Secret::new);
    let mut carried = Carried::default();
    let done = both(desk, &mail, password, &mut carried).await;
    finished(desk, "mail", done, carried)
}

async fn both(desk: &Desk, mail: &KitMail, password: Option<Secret>, carried: &mut Carried) -> anyhow::Result<()> {
    let fetched = fetch(desk, &mail.pop3, password.clone(), carried).await;
    // A mailbox that cannot be reached keeps no letter at home.
    let sent = send(desk, mail, password, carried).await;
    fetched.and(sent)
}

async fn fetch(desk: &Desk, server: &KitServer, password: Option<Secret>, carried: &mut Carried) -> anyhow::Result<()> {
    let mut settings = MailboxSettings::new(&server.host, server.user.clone().unwrap_or_default());
    settings.port = server.port;
    settings.security = server.security;
    settings.password = Some(password.ok_or(NoWay::Password)?);
    let mailbox = Mailbox::new(settings).map_err(Away::of)?;
    let database = &desk.database;
    let passed: Vec<String> = database.list("SELECT uidl FROM passed_over", [], |row| row.get(0))?;
    let mut failed: Option<anyhow::Error> = None;
    let is_wanted = |uidl: Option<&str>| uidl.is_none_or(|uidl| !passed.iter().any(|known| known == uidl));
    let taking = async |mail: collect::Mail<'_>| {
        carried.bytes_received += mail.octets;
        let mut then = if mail.documents.is_empty() { Then::Leave } else { Then::Delete };
        for document in &mail.documents {
            match take(desk, document, carried) {
                Ok(Taken::Ours) => {}
                Ok(Taken::Foreign) => then = Then::Leave,
                Err(error) => {
                    failed = Some(error);
                    return Then::Leave;
                }
            }
        }
        if let (Then::Leave, Some(uidl)) = (then, mail.uidl) {
            let noted = database.change("INSERT INTO passed_over VALUES (?1) ON CONFLICT DO NOTHING", [uidl]);
            failed = failed.take().or(noted.err().map(Into::into));
        }
        then
    };
    let collected = collect::collect_wanted(&mailbox, is_wanted, taking).await;
    if let Some(error) = failed {
        return Err(error);
    }
    collected.map_err(Away::of)?;
    Ok(())
}

async fn send(desk: &Desk, mail: &KitMail, password: Option<Secret>, carried: &mut Carried) -> anyhow::Result<()> {
    let due = desk.database.due(chrono::Utc::now())?;
    if due.is_empty() {
        return Ok(());
    }
    let mut settings = RelaySettings::new(&mail.smtp.host);
    settings.port = mail.smtp.port;
    settings.security = mail.smtp.security;
    settings.username.clone_from(&mail.smtp.user);
    settings.password = settings.username.as_ref().and(password);
    let relay = Relay::new(&settings).map_err(Away::of)?;
    let mut failed = None;
    for letter in &due {
        let outgoing = outgoing(desk, letter)?;
        let bytes = outgoing.render().map(|octets| octets.len()).unwrap_or(letter.document.len());
        if let Err(failure) = relay.send(&outgoing).await {
            // What the relay has against one letter keeps no other at home.
            let is_of_letter = matches!(failure.kind, FailureKind::Permanent);
            failed = failed.or(Some(failure));
            if is_of_letter {
                continue;
            }
            break;
        }
        // Where the program ends here, the letter is sent again: the same octets, which the centre knows by their digest.
        desk.database.note_sent(letter.sequence, &now())?;
        carried.sent.push(letter.sequence);
        carried.bytes_sent += u64::try_from(bytes).unwrap_or(u64::MAX);
    }
    failed.map_or(Ok(()), |failure| Err(Away::of(failure).into()))
}

/// Wraps a letter into a mail. A letter that is sent again is the same mail, under the same Message-ID.
fn outgoing(desk: &Desk, letter: &Due) -> anyhow::Result<Outgoing> {
    // Only the address is needed of the office, so the service matters not; that of an enrolment is admitted before the enrolment.
    Ok(desk.office(Service::Enrol)?.mail_of(&letter.name, &letter.document))
}
