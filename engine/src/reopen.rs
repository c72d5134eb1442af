//! Opens a container from quarantine as the decoder and the verifier would, without a mailbox and without actors, for an operator who has
//! it tried again.

use std::sync::Arc;

use actors::pipeline::Limits;
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mail::extract::{MailLimits, extract};
use sdc::cms::{self, Opened};
use sdc::document::Document;
use sdc::keys::CentreKeys;
use sdc::refusal::{Refusal, RefusalCode};
use store::certificates::signers::Signers;
use store::database::fault::Fault;
use store::letters::outbox::transport_named;
use store::letters::quarantine::QuarantineEntry;
use store::letters::quarantine::retry::TakenUp;
use store::settle::{Arrival, Claimed, Content, Source};

/// Certificates that are kept while the containers of one mail are opened.
const SIGNERS_MAX: u64 = 100;

/// Why nothing of an entry can be tried.
#[derive(Debug, thiserror::Error)]
pub enum ReopenError {
    /// A mail that cannot be read, or holds nothing.
    #[error("nothing of quarantine entry {id} can be tried: {refusal}")]
    NoContainer {
        /// Its number.
        id: i64,
        /// What is wrong with the mail.
        refusal: Refusal,
    },
    /// A certificate that this program cannot read.
    #[error("the certificate of the signer of quarantine entry {id} cannot be read: `xmserver check` names it")]
    SignerUnreadable {
        /// Its number.
        id: i64,
    },
    /// A transport that only a newer program knows.
    #[error(
        "the transport {transport} of quarantine entry {id} is not known to this program: retry it with the newer one"
    )]
    TransportUnknown {
        /// Its number.
        id: i64,
        /// The transport's name.
        transport: String,
    },
    /// The database.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Returns the containers of an entry, opened as far as they can be opened now.
///
/// # Errors
/// [`ReopenError`].
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
        let (rendered_bytes, content) = match open(&container, keys, limits) {
            Ok((opened, rendered_bytes)) => {
                let signer = opened.signer().clone();
                let found = signers.look_up(connection, std::slice::from_ref(&signer)).await?;
                if signers.is_unreadable(&signer) {
                    return Err(ReopenError::SignerUnreadable { id });
                }
                let content = match found.get(&signer) {
                    Some(signer) => verify(opened, signer, limits),
                    None => Content::Stranger(Refusal::new(RefusalCode::UnknownSigner)),
                };
                (rendered_bytes, content)
            }
            Err(refusal) => (container.len(), Content::Stranger(refusal)),
        };
        let (source, received_at) = (source(&taken_up.entry)?, taken_up.entry.received_at);
        arrivals.push(arrival(source, received_at, container, rendered_bytes, content));
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
