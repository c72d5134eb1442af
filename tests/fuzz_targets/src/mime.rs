//! Containers found in a mail: bounded in number and size, none invented, none passed over.

use mail::extract::{Extracted, MailLimits, MailRefused, extract};
use memchr::memmem;
use sdc::document::claim;

use crate::armour::{armour, check_claim};

const BEGIN: &[u8] = b"-----BEGIN CMS-----";

/// Checks what is promised of a mail.
pub fn mime(raw: &[u8]) {
    check_claim(raw, claim(raw));
    let wide = MailLimits::default();
    let found = extract(raw, &wide);
    if let Ok(extracted) = &found {
        check(raw, extracted, &wide);
        assert!(!extracted.containers.is_empty() || !has_plain_block(raw), "a letter is passed over");
        extracted.containers.iter().for_each(|container| armour(container));
    }
    let tight = MailLimits {
        mail_bytes_max: 4096,
        header_bytes_max: 512,
        boundary_lines_max: 12,
        parts_max: 3,
        depth_max: 2,
        ..MailLimits::default()
    };
    match extract(raw, &tight) {
        Ok(within) => {
            check(raw, &within, &tight);
            assert_eq!(found, Ok(within), "what stays within tight limits stays within wide ones");
        }
        Err(refused) => {
            let is_unparsable = refused == MailRefused::Unparsable;
            assert!(!is_unparsable || found == Err(refused), "limits come before parsing");
        }
    }
}

fn check(raw: &[u8], extracted: &Extracted, limits: &MailLimits) {
    assert!(raw.len() <= limits.mail_bytes_max);
    assert!(extracted.containers.len() <= limits.parts_max);
    let bytes: usize = extracted.containers.iter().map(Vec::len).sum();
    // Reading quoted-printable makes CRLF of a bare LF.
    assert!(bytes <= 2 * raw.len(), "{bytes} bytes found in {}", raw.len());
    for container in &extracted.containers {
        let is_block = memmem::find(container, BEGIN).is_some();
        assert!(is_block || memmem::find(raw, container).is_some(), "a container is a block, or a part as it came");
    }
    let is_domain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || matches!(octet, b'.' | b'-');
    assert!(extracted.sender_domain.len() <= 253 && extracted.sender_domain.bytes().all(is_domain));
    assert!(extracted.message_id.as_ref().is_none_or(|id| id.len() <= 250 && !id.contains(char::is_control)));
}

/// Says whether a block begins the body of a mail that has neither parts nor an encoding.
fn has_plain_block(raw: &[u8]) -> bool {
    let lower = raw.to_ascii_lowercase();
    let is_wrapped = ["multipart", "encoding"].iter().any(|word| memmem::find(&lower, word.as_bytes()).is_some());
    !is_wrapped && [&b"\n\n"[..], b"\r\n\r\n"].iter().any(|blank| memmem::find(raw, &[blank, BEGIN].concat()).is_some())
}
