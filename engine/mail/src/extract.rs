//! Finds the containers in a mail. MIME is only their wrapping; nothing that it says is believed.
//!
//! Whatever a stranger sends is read in time linear in its octets: one walk over the lines, fields and boundaries of bounded length, bodies
//! decoded in one pass each. Every octet that is examined is counted ([`Cost`]), and the count has a bound that tests hold against whatever
//! they can make up. A line, field or boundary that is longer than honest mail has it is skipped. Only the size of a mail or of a header
//! refuses the mail; a limit on what is looked into costs nobody the letters that stand before it.

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

/// Longest sender domain that is kept (RFC 1035, 2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;
/// Longest Message-ID that is kept.
const MESSAGE_ID_BYTES_MAX: usize = 250;

/// The limits of a mail.
#[derive(Clone, Debug)]
pub struct MailLimits {
    /// Whole mail, in bytes.
    pub mail_bytes_max: usize,
    /// Header of a mail, in bytes. Honest headers have up to 100 KB, with what each of several providers adds.
    pub header_bytes_max: usize,
    /// Header of a part, in bytes.
    pub part_header_bytes_max: usize,
    /// Parts that are looked into, and mails within the mail.
    pub parts_max: usize,
    /// Nesting of parts and mails.
    pub depth_max: usize,
    /// Containers taken out: each becomes a line of the journal.
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
    /// Larger than allowed.
    #[error("at most {0} bytes")]
    Size(usize),
    /// A header longer than allowed.
    #[error("a header of at most {0} bytes")]
    Header(usize),
    /// More parts than allowed.
    #[error("at most {0} parts")]
    Parts(usize),
    /// Nested more deeply than allowed.
    #[error("parts nested at most {0} deep")]
    Depth(usize),
    /// More containers than allowed.
    #[error("at most {0} documents")]
    Containers(usize),
}

/// What was found in a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Containers in the order in which they stand, each with the few lines before its block.
    pub containers: Vec<Vec<u8>>,
    /// The limit, on parts, nesting or containers, that the mail exceeds: it may hold more containers then.
    pub beyond: Option<MailRefused>,
    /// Domain of `From`, in lower case; a claim that anybody can make. Empty where there is none.
    pub sender_domain: String,
    /// Whether the mail calls itself automatic (RFC 3834): a receipt of ours that came back, a bounce, a vacation notice.
    pub is_automatic: bool,
    /// Its Message-ID in angle brackets, if it is of bounded length and plain.
    pub message_id: Option<String>,
}

/// Finds the containers of a mail, attached under any type or standing in the text.
///
/// # Errors
/// The limit, on its size or on that of a header, that the mail exceeds.
pub fn extract(raw: &[u8], limits: &MailLimits) -> Result<Extracted, MailRefused> {
    extract_counted(raw, limits).0
}

/// Finds the containers as [`extract`] does, and says what that cost.
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
