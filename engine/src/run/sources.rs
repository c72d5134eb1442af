//! The sources of letters, made from the configuration.

use std::sync::Arc;
use std::time::Duration;

use actors::admission::lender::Patience;
use actors::pipeline::{PolledSource, PushedSource};
use actors::transfer_folder::TransferFolder;
use actors::transport::NoContainer;
use actors::transport::http::{HttpIntake, HttpSettings};
use actors::transport::intake::MailIntake;
use anyhow::Context;
use mail::intake::tls::Certificate;
use mail::intake::{IntakeSettings, Listener};
use mail::pop3::Mailbox;
use tokio::runtime::Handle;

use super::reread::Named;
use crate::configuration::{Configuration, FolderConfiguration, IntakeConfiguration, MailboxConfiguration};

/// After the longest hold, a sender is answered within this time. The time is needed because a try at its mail may just have begun.
const ANSWER_AFTER_HOLD: Duration = Duration::from_secs(5);

/// A source to which letters are pushed, and the certificate that it shows, if it shows one.
pub(super) struct Listening {
    pub(super) source: PushedSource,
    pub(super) certificate: Option<Arc<Certificate>>,
}

impl Listening {
    /// Returns the certificate under the name of the source.
    pub(super) fn named(&self) -> Option<Named> {
        Some((self.source.name.clone(), Arc::clone(self.certificate.as_ref()?)))
    }
}

/// Makes a mailbox a source of letters.
pub(super) fn polled(mailbox: &MailboxConfiguration) -> anyhow::Result<PolledSource> {
    let open = Mailbox::new(mailbox.pop3.clone()).with_context(|| format!("mailbox {}", mailbox.name))?;
    Ok(PolledSource {
        name: mailbox.name.clone(),
        transport: Arc::new(open),
        mail_bytes_max: mailbox.pop3.mail_size_max_bytes,
        no_container: mailbox.no_container,
        interval: Duration::from_secs(mailbox.poll_interval_seconds),
    })
}

/// Makes the folder `in` of the transfer folder a source of letters. Every file `*.sdc` counts as a document, so the rule for mail without
/// a container is never used.
pub(super) fn taken(configured: &FolderConfiguration, folder: &TransferFolder) -> PolledSource {
    PolledSource {
        name: configured.name.clone(),
        transport: Arc::new(folder.clone()),
        mail_bytes_max: configured.file_size_max_bytes,
        no_container: NoContainer::Quarantine,
        interval: Duration::from_secs(configured.poll_interval_seconds),
    }
}

/// Makes an address at which mail is pushed a source of letters. Its connections run on `runtime`.
pub(super) fn pushed(
    configuration: &Configuration,
    intake: &IntakeConfiguration,
    runtime: &Handle,
) -> anyhow::Result<Listening> {
    let settings = IntakeSettings { addresses: configuration.addresses_of(intake), ..intake.smtp.clone() };
    let mail_bytes_max = settings.mail_size_max_bytes;
    let listener = Listener::new(settings).with_context(|| format!("intake {}", intake.name))?;
    listener.check_files().map_err(anyhow::Error::msg).with_context(|| format!("intake {}", intake.name))?;
    let hold = Duration::from_secs(intake.hold_seconds_max);
    let certificate = listener.certificate();
    let source = PushedSource {
        name: intake.name.clone(),
        transport: Arc::new(MailIntake { name: intake.name.clone(), listener, runtime: runtime.clone() }),
        mail_bytes_max,
        patience: Patience { hold, answer: hold + ANSWER_AFTER_HOLD },
        no_container: intake.no_container,
    };
    Ok(Listening { source, certificate })
}

/// Makes the address at which offices post letters a source of letters. A body is a document, whatever it holds, so the rule for mail
/// without a container is never used.
pub(super) fn posted(settings: &HttpSettings) -> anyhow::Result<Listening> {
    settings.check_files().map_err(anyhow::Error::msg).context("letters over HTTPS")?;
    let hold = Duration::from_secs(settings.hold_seconds_max);
    let intake = HttpIntake::new(settings.clone());
    let certificate = intake.certificate();
    let source = PushedSource {
        name: settings.name.clone(),
        transport: Arc::new(intake),
        mail_bytes_max: settings.document_size_max_bytes,
        patience: Patience { hold, answer: hold + ANSWER_AFTER_HOLD },
        no_container: NoContainer::Quarantine,
    };
    Ok(Listening { source, certificate })
}
