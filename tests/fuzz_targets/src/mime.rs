//! The surface `mime`: containers in a mail. Their number and size are bounded; each of them is in the mail, and none is missed.

use mail::extract::{Cost, Extracted, MailLimits, extract, extract_counted};
use memchr::memmem;
use sdc::document::claim;

use crate::armour::{armour, check_claim};

const BEGINS: [&[u8]; 2] = [b"-----BEGIN CMS-----", b"-----BEGIN PKCS7-----"];

/// Checks the promises about a mail.
pub fn mime(raw: &[u8]) {
    check_claim(raw, claim(raw));
    let wide = MailLimits::default();
    let (found, cost) = extract_counted(raw, &wide);
    assert!(cost.octets() <= Cost::max(raw.len()), "{} octets examined of {}", cost.octets(), raw.len());
    if let Ok(extracted) = &found {
        check(raw, extracted, &wide);
        assert!(!extracted.containers.is_empty() || !has_plain_block(raw), "a letter is passed over");
        extracted.containers.iter().for_each(|container| armour(container));
    }
    let tight = MailLimits {
        mail_bytes_max: 4096,
        header_bytes_max: 512,
        part_header_bytes_max: 256,
        parts_max: 3,
        depth_max: 2,
        containers_max: 2,
    };
    if let Ok(within) = extract(raw, &tight) {
        check(raw, &within, &tight);
        let is_all = within.beyond.is_none();
        assert!(!is_all || found == Ok(within), "what stays within tight limits stays within wide ones");
    }
}

fn check(raw: &[u8], extracted: &Extracted, limits: &MailLimits) {
    assert!(raw.len() <= limits.mail_bytes_max);
    assert!(extracted.containers.len() <= limits.containers_max);
    let bytes: usize = extracted.containers.iter().map(Vec::len).sum();
    // Text in other character sets is turned into UTF-8. It may grow: an octet without meaning in its character set becomes U+FFFD, which
    // has three octets.
    assert!(bytes <= 3 * raw.len(), "{bytes} bytes found in {}", raw.len());
    assert!(
        extracted.containers.iter().all(|container| has_marker(container)),
        "a container has the first line of a block"
    );
    let is_domain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'.' | b'-');
    assert!(extracted.sender_domain.len() <= 253 && extracted.sender_domain.bytes().all(is_domain));
    assert!(extracted.message_id.as_ref().is_none_or(|id| id.len() <= 250 && !id.contains(char::is_control)));
}

fn has_marker(text: &[u8]) -> bool {
    BEGINS.iter().any(|begin| memmem::find(text, begin).is_some())
}

/// Says whether a block begins the body of a mail that has neither parts nor an encoding.
fn has_plain_block(raw: &[u8]) -> bool {
    let lower = raw.to_ascii_lowercase();
    let is_wrapped = ["multipart", "encoding"].iter().any(|word| memmem::find(&lower, word.as_bytes()).is_some());
    !is_wrapped
        && [&b"\n\n"[..], b"\r\n\r\n"].iter().any(|blank| memmem::find(raw, &[blank, BEGINS[0]].concat()).is_some())
}
