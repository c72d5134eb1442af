//! The rule for an office's e-mail address. Commands of operators, letters, and the programs of centre and offices all use it.

/// Maximum number of octets of an address (RFC 5321, 4.5.3.1, without the angle brackets of a path).
const OCTETS_MAX: usize = 254;
/// Maximum number of octets before the `@`.
const LOCAL_OCTETS_MAX: usize = 64;

/// Says whether a text is an e-mail address that needs no quoting in a header or in an SMTP command, so that no address can inject lines.
/// Only ASCII is admitted: mail servers take other addresses only from senders that speak SMTPUTF8 (RFC 6531), which the centre does not.
/// So its answers to such an address would never arrive.
pub fn is_address(text: &str) -> bool {
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && !text.ends_with('.')
            && !text.contains("..")
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
    };
    text.split_once('@').is_some_and(|(local, domain)| {
        plain(local)
            && plain(domain)
            && !local.starts_with('-')
            && local.len() <= LOCAL_OCTETS_MAX
            && text.len() <= OCTETS_MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_two_plain_parts() {
        let long = format!("{}@example.org", "x".repeat(65));
        for address in ["mairie@example.org", "m.b+c@sub.example.org", "x@y"] {
            assert!(is_address(address), "{address}");
        }
        for wrong in
            ["", "mairie", "@x", "x@", "a@b@c", ".a@b", "a..b@c", "é@x.org", "a b@c", "a@b\r\nBcc: x@y", "-a@b", &long]
        {
            assert!(!is_address(wrong), "{wrong:?}");
        }
    }
}
