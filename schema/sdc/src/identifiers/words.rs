//! Texts of a signer's identifier for people. The container's sender wrote the identifier, so its text is bounded and has no characters
//! that control a terminal.

use std::fmt::Write;

use openssl::x509::X509Name;

use super::SignerId;
use crate::printable::printable;

/// Maximum number of octets of an identifier that are shown: a sender may write a very long one, which would fill the screen or the log.
const OCTETS_SHOWN_MAX: usize = 32;
/// Longest issuer's name that is read, in octets of DER.
const ISSUER_OCTETS_MAX: usize = 2048;
/// Longest text of an issuer's name, in characters.
const ISSUER_CHARACTERS_MAX: usize = 200;

impl SignerId {
    /// Returns the identifier's text: `key id 1ac5…`, or `serial 0a1b of CN=Mairie d'Édéa`, with at most 300 characters.
    pub fn words(&self) -> String {
        match self {
            SignerId::KeyId(octets) => format!("key id {}", hexadecimal(octets)),
            SignerId::IssuerSerial { issuer, serial } => {
                format!("serial {} of {}", hexadecimal(serial), name(issuer))
            }
        }
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    let mut text = String::new();
    for octet in octets.iter().take(OCTETS_SHOWN_MAX) {
        // Writing to a string cannot fail.
        write!(text, "{octet:02x}").ok();
    }
    if octets.len() > OCTETS_SHOWN_MAX {
        text.push('…');
    }
    text
}

fn name(der: &[u8]) -> String {
    let unreadable = || format!("an issuer of {} octets", der.len());
    if der.len() > ISSUER_OCTETS_MAX {
        return unreadable();
    }
    let Ok(name) = X509Name::from_der(der) else { return unreadable() };
    let entries: Vec<String> = name
        .entries()
        .map(|entry| {
            let kind = entry.object().nid().short_name().unwrap_or("?");
            let value = entry.data().to_string().unwrap_or_else(|_| "?".to_owned());
            format!("{kind}={value}")
        })
        .collect();
    printable(&entries.join(", ")).chars().take(ISSUER_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509NameBuilder;

    use super::*;

    fn issuer(common_name: &str) -> Vec<u8> {
        let mut builder = X509NameBuilder::new().unwrap();
        builder.append_entry_by_text("C", "CM").unwrap();
        builder.append_entry_by_text("CN", common_name).unwrap();
        builder.build().to_der().unwrap()
    }

    #[test]
    fn an_identifier_is_worded_within_a_bound() {
        assert_eq!(SignerId::KeyId(vec![0x1a, 0xc5, 0x00]).words(), "key id 1ac500");
        let long = SignerId::KeyId(vec![0xff; 100_000]).words();
        assert_eq!(long, format!("key id {}…", "ff".repeat(32)));
        let named = |issuer: Vec<u8>| SignerId::IssuerSerial { issuer, serial: vec![10, 27] }.words();
        assert_eq!(named(issuer("Mairie d'Édéa")), "serial 0a1b of C=CM, CN=Mairie d'Édéa");
        assert_eq!(named(b"no DER".to_vec()), "serial 0a1b of an issuer of 6 octets");
        assert_eq!(named(vec![0x30; 5000]), "serial 0a1b of an issuer of 5000 octets");
        for steering in ["\u{1b}[2J", "\u{9b}2J", "\u{202e}", "\u{202a}", "\u{2066}", "\u{2069}"] {
            let words = named(issuer(&format!("a{steering}b")));
            assert!(words.contains("CN=a\u{fffd}") && !words.contains(crate::printable::steers), "{words:?}");
        }
    }
}
