//! Opens a container of the quarantine again, for an operator's new attempt. It decodes and verifies the container as the decoder and the
//! verifier do, but without a mailbox and without actors.

use std::sync::Arc;

use actors::pipeline::Limits;
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mail::extract::{MailLimits, extract};
use sdc::cms::{self, Opened};
use sdc::document::Document;
use sdc::enrolment::Enrolment;
use sdc::keys::CentreKeys;
use sdc::refusal::{Refusal, RefusalCode};
use store::certificates::signers::Signers;
use store::database::fault::Fault;
use store::letters::outbox::transport_named;
use store::letters::quarantine::QuarantineEntry;
use store::letters::quarantine::retry::TakenUp;
use store::settle::{Arrival, Claimed, Content, Source};

/// Largest number of certificates that are kept in memory while the containers of one mail are opened.
const SIGNERS_MAX: u64 = 100;

/// The reason why no container of a quarantine entry can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// The mail cannot be read, or holds no container.
    #[error("nothing of quarantine entry {id} can be tried: {refusal}")]
    NoContainer {
        /// Number of the quarantine entry.
        id: i64,
        /// The fault of the mail, as a refusal.
        refusal: Refusal,
    },
    /// The registered certificate of the signer is stored in a form that this program cannot read.
    #[error("the certificate of the signer of quarantine entry {id} cannot be read: `xmserver check` names it")]
    SignerUnreadable {
        /// Number of the quarantine entry.
        id: i64,
    },
    /// The transport of the entry is unknown to this program, because a newer program has stored the entry.
    #[error(
        "the transport {transport} of quarantine entry {id} is not known to this program: retry it with the newer one"
    )]
    TransportUnknown {
        /// Number of the quarantine entry.
        id: i64,
        /// Name of the transport.
        transport: String,
    },
    /// The database failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Returns the containers of a quarantine entry, opened with the keys and certificates that are known now.
///
/// # Errors
/// [`ReopenError`]: no container can be tried.
pub async fn arrivals(
    connection: &mut AsyncPgConnection,
    keys: &CentreKeys,
    limits: &Limits,
    taken_up: &TakenUp,
) -> Result<Vec<Arrival>, ReopenError> {
    let id = taken_up.entry.id;
    let signers = Signers::new(SIGNERS_MAX);
    let mut arrivals = Vec::new();
    for container in containers(taken_up)? {
        let mut enrolment = None;
        let (rendered_bytes, content) = match open(&container, keys, limits) {
            Ok((opened, rendered_bytes)) => {
                let signer = opened.signer().clone();
                let found = signers.look_up(connection, std::slice::from_ref(&signer)).await?;
                if signers.is_unreadable(&signer) {
                    return Err(ReopenError::SignerUnreadable { id });
                }
                let content = match found.get(&signer) {
                    Some(signer) => verify(opened, signer, limits),
                    // The key is not registered, so this may be the first letter of an installation. Whether its enrolment code is valid is
                    // decided when the letter is settled.
                    None => Content::Stranger(match Enrolment::read(opened) {
                        Ok(read) => {
                            enrolment = Some(Arc::new(read));
                            Refusal::new(RefusalCode::EnrolmentRefused)
                        }
                        Err(refusal) => refusal,
                    }),
                };
                (rendered_bytes, content)
            }
            Err(refusal) => (container.len(), Content::Stranger(refusal)),
        };
        let (source, received_at) = (source(&taken_up.entry)?, taken_up.entry.received_at);
        arrivals.push(Arrival { enrolment, ..arrival(source, received_at, container, rendered_bytes, content) });
    }
    Ok(arrivals)
}

fn containers(taken_up: &TakenUp) -> Result<Vec<Vec<u8>>, ReopenError> {
    let TakenUp { entry, original } = taken_up;
    if !taken_up.is_mail() {
        return Ok(vec![original.clone()]);
    }
    let nothing = |refusal| ReopenError::NoContainer { id: entry.id, refusal };
    let limits = MailLimits { mail_bytes_max: original.len(), ..MailLimits::default() };
    let malformed = |limit| nothing(Refusal::new(RefusalCode::MailMalformed).with("limit", limit));
    let extracted = extract(original, &limits).map_err(malformed)?;
    if let Some(limit) = extracted.beyond {
        return Err(malformed(limit));
    }
    if extracted.containers.is_empty() {
        return Err(nothing(Refusal::new(RefusalCode::NoContainer)));
    }
    Ok(extracted.containers)
}

fn open(container: &[u8], keys: &CentreKeys, limits: &Limits) -> Result<(Opened, usize), Refusal> {
    let document = Document::parse(container, &limits.of_documents())?;
    Ok((cms::open(&document, keys)?, document.rendered_bytes()))
}

fn verify(opened: Opened, signer: &Arc<store::certificates::signers::Signer>, limits: &Limits) -> Content {
    let cipher = opened.cipher();
    match opened.verify(&signer.certificate) {
        Ok(verified) => Content::Signed {
            digest: verified.digest(),
            cipher,
            form: verified.form(),
            letter: verified.letter(&limits.of_payloads()),
            signer: Arc::clone(signer),
        },
        Err(refusal) => Content::Stranger(refusal),
    }
}

fn source(entry: &QuarantineEntry) -> Result<Source, ReopenError> {
    let Some(transport) = transport_named(&entry.transport) else {
        return Err(ReopenError::TransportUnknown { id: entry.id, transport: entry.transport.clone() });
    };
    let claimed = Claimed {
        sender: entry.sender.clone().unwrap_or_default(),
        subject: entry.subject.clone().unwrap_or_default(),
        signer: entry.signer.clone(),
        ..Claimed::default()
    };
    Ok(Source {
        transport,
        mailbox: entry.mailbox.as_str().into(),
        sender_domain: entry.sender_domain.clone(),
        claimed,
        is_fetched_again: false,
    })
}

fn arrival(
    source: Source,
    received_at: DateTime<Utc>,
    container: Vec<u8>,
    rendered_bytes: usize,
    content: Content,
) -> Arrival {
    Arrival {
        received_at,
        source,
        container_bytes: container.len(),
        container,
        rendered_bytes,
        content,
        enrolment: None,
        read: None,
    }
}
