//! Finds the containers in a mail. MIME is only their wrapping, and nothing that it states is believed.
//!
//! Whatever a stranger sends is read in time linear in its number of octets. There is one walk over the lines, fields and boundaries have a
//! bounded length, and each body is decoded in one pass per encoding. Every octet that is examined is counted ([`Cost`]), and tests check a
//! bound of this count with all input that they can construct. A line, field or boundary that is longer than in honest mail is skipped. A
//! mail is refused only if its size, or the size of a header, is beyond the limit. Beyond any other limit, the letters that precede it are
//! found.

mod beside;
mod boundaries;
mod charset;
mod containers;
mod cost;
mod header;
mod transfer_encoding;
mod walk;

pub use cost::Cost;
use header::Origin;
use walk::{Place, Walk};

/// Longest sender domain that is kept, in octets (RFC 1035, 2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;
/// Longest Message-ID that is kept, in octets.
const MESSAGE_ID_BYTES_MAX: usize = 250;

/// The limits of a mail.
#[derive(Clone, Debug)]
pub struct MailLimits {
    /// Size of the whole mail, in bytes.
    pub mail_bytes_max: usize,
    /// Size of a mail's header, in bytes. Honest headers have up to 100 KB, because each of several providers adds fields.
    pub header_bytes_max: usize,
    /// Size of a part's header, in bytes.
    pub part_header_bytes_max: usize,
    /// Number of parts that are searched, including mails within the mail.
    pub parts_max: usize,
    /// Depth to which parts and mails are nested.
    pub depth_max: usize,
    /// Number of containers that are extracted. The centre writes a row of its journal for each.
    pub containers_max: usize,
}

impl Default for MailLimits {
    fn default() -> MailLimits {
        MailLimits {
            mail_bytes_max: 8 << 20,
            header_bytes_max: 256 << 10,
            part_header_bytes_max: 64 << 10,
            parts_max: 1000,
            depth_max: 10,
            containers_max: 100,
        }
    }
}

/// A limit that a mail exceeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailRefused {
    /// The mail is larger than allowed.
    #[error("at most {0} bytes")]
    Size(usize),
    /// A header is longer than allowed.
    #[error("a header of at most {0} bytes")]
    Header(usize),
    /// The mail has more parts than allowed.
    #[error("at most {0} parts")]
    Parts(usize),
    /// The mail is nested more deeply than allowed.
    #[error("parts nested at most {0} deep")]
    Depth(usize),
    /// The mail has more containers than allowed.
    #[error("at most {0} documents")]
    Containers(usize),
}

/// Containers and header fields found in a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Containers in the order of the mail, each with the few lines before its block.
    pub containers: Vec<Vec<u8>>,
    /// Limit, on parts, nesting or containers, that the mail exceeds. If there is one, the mail may have more containers.
    pub beyond: Option<MailRefused>,
    /// Domain of `From`, in lower case. It is a claim that anybody can make. Empty where there is none.
    pub sender_domain: String,
    /// Whether the mail declares itself automatic (RFC 3834): a receipt of the centre that was returned, a bounce, or a vacation notice.
    pub is_automatic: bool,
    /// Message-ID of the mail in angle brackets, if it is not too long and consists of plain characters.
    pub message_id: Option<String>,
}

/// Finds the containers of a mail, in attachments of any type or in the text.
///
/// # Errors
/// The limit, on its size or on that of a header, that the mail exceeds.
pub fn extract(raw: &[u8], limits: &MailLimits) -> Result<Extracted, MailRefused> {
    extract_counted(raw, limits).0
}

/// Finds the containers as [`extract`] does, and returns the cost.
pub fn extract_counted(raw: &[u8], limits: &MailLimits) -> (Result<Extracted, MailRefused>, Cost) {
    if raw.len() > limits.mail_bytes_max {
        return (Err(MailRefused::Size(limits.mail_bytes_max)), Cost::default());
    }
    let mut walk = Walk::new(limits);
    let walked = walk.message(raw, Place::default());
    let Walk { containers, mut cost, .. } = walk;
    let found = |origin: Origin| {
        let (containers, beyond) = containers.into_parts(&mut cost);
        let sender_domain = sender_domain(origin.from.as_deref().unwrap_or_default());
        let is_automatic = is_automatic(origin.auto_submitted.as_deref().unwrap_or_default());
        let message_id = origin.message_id.and_then(message_id);
        Extracted { containers, beyond, sender_domain, is_automatic, message_id }
    };
    let found = walked.map(found);
    (found, cost)
}

fn sender_domain(from: &[u8]) -> String {
    let domain = memchr::memrchr(b'@', from).map_or(&from[..0], |at| &from[at + 1..]);
    let is_of_domain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-');
    let domain = domain.iter().copied().take_while(is_of_domain).take(DOMAIN_BYTES_MAX);
    domain.map(|octet| char::from(octet.to_ascii_lowercase())).collect()
}

fn is_automatic(auto_submitted: &[u8]) -> bool {
    let value = auto_submitted.trim_ascii();
    !value.is_empty() && !value.eq_ignore_ascii_case(b"no")
}

fn message_id(id: Vec<u8>) -> Option<String> {
    let is_plain = id.len() <= MESSAGE_ID_BYTES_MAX && id.iter().all(u8::is_ascii_graphic);
    String::from_utf8(id).ok().filter(|id| is_plain && id.starts_with('<') && id.ends_with('>'))
}

#[cfg(test)]
mod tests;
