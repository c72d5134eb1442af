//! Sender and subject of a mail's header, for an operator to read. Neither is proven.

use sdc::printable::steers;

/// Number of octets at the beginning of a mail that are searched. A stranger's header of megabytes contains nothing useful beyond them.
const SEARCHED_BYTES_MAX: usize = 64 << 10;
/// Longest value that is kept, in characters. An address has at most 320 (RFC 3696, 3).
const CHARACTERS_MAX: usize = 320;
/// Longest value that is read before it is shortened, in octets. A character has at most four octets.
const VALUE_BYTES_MAX: usize = 4 * CHARACTERS_MAX;

/// Sender and subject of a mail, on one line each. Characters that control a terminal or the direction of writing are replaced by blanks.
/// Encoded words stay encoded (RFC 2047), because decoding a stranger's text can be costly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letterhead {
    /// The first `From`, at most 320 characters; empty where there is none.
    pub sender: String,
    /// The first `Subject`, at most 320 characters; empty where there is none.
    pub subject: String,
}

/// Reads the letterhead of a mail.
pub fn read(mail: &[u8]) -> Letterhead {
    let searched = &mail[..mail.len().min(SEARCHED_BYTES_MAX)];
    let mut letterhead = Letterhead::default();
    let mut lines = searched.split(|octet| *octet == b'\n').peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() || line == b"\r" {
            break;
        }
        let Some((name, value)) = field(line) else { continue };
        let kept = match name {
            b"from" => &mut letterhead.sender,
            _ => &mut letterhead.subject,
        };
        if !kept.is_empty() {
            continue;
        }
        let mut octets = value.to_vec();
        // A field continues in lines that begin with white space (RFC 5322, 2.2.3).
        while let Some(folded) = lines.next_if(|line| matches!(line, [b' ' | b'\t', ..])) {
            if octets.len() < VALUE_BYTES_MAX {
                octets.extend_from_slice(folded);
            }
        }
        *kept = plain(&octets);
    }
    letterhead
}

/// If the line begins a wanted field, returns its name in lower case and its value. Blanks may precede the colon (RFC 5322, 4.5).
fn field(line: &[u8]) -> Option<(&'static [u8], &[u8])> {
    [&b"from"[..], b"subject"].into_iter().find_map(|name| {
        let rest = line.get(name.len()..).filter(|_| line[..name.len()].eq_ignore_ascii_case(name))?;
        Some((name, rest.trim_ascii_start().strip_prefix(b":")?))
    })
}

fn plain(octets: &[u8]) -> String {
    let cut = &octets[..octets.len().min(VALUE_BYTES_MAX)];
    let text = String::from_utf8_lossy(cut.trim_ascii());
    text.chars()
        .filter(|character| *character != '\r')
        .map(|character| if steers(character) { ' ' } else { character })
        .take(CHARACTERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mail: &str) -> (String, String) {
        let Letterhead { sender, subject } = super::read(mail.as_bytes());
        (sender, subject)
    }

    fn both(sender: &str, subject: &str) -> (String, String) {
        (sender.to_owned(), subject.to_owned())
    }

    #[test]
    fn sender_and_subject_are_read_as_headers_write_them() {
        let mail =
            "Received: x\r\nFROM : Mairie <mairie@edea.example>\r\nSubject: Actes du\r\n\tmois\r\n\r\nFrom: x\r\n";
        assert_eq!(read(mail), both("Mairie <mairie@edea.example>", "Actes du\tmois".replace('\t', " ").as_str()));
        assert_eq!(read("subject:\n =?utf-8?q?=C3=A9?=\nfrom: a@b\nfrom: c@d\n\n"), both("a@b", "=?utf-8?q?=C3=A9?="));
        assert_eq!(read("X-From: a@b\r\n\r\nFrom: a@b\r\n"), both("", ""));
        assert_eq!(read(""), both("", ""));
    }

    #[test]
    fn what_is_read_is_bounded_and_plain() {
        let long = format!("Subject: {}\r\n {}\r\nFrom: x\r\n", "é".repeat(5000), "y\r\n ".repeat(5000));
        let (sender, subject) = read(&long);
        assert_eq!((sender.as_str(), subject.chars().count()), ("x", CHARACTERS_MAX));
        assert_eq!(read("From: a\u{1b}[2J\u{7}b\r\n\r\n").0, "a [2J b");
        let overrides =
            "From: \u{202E}moc.elpmaxe@eriam\u{2066}\u{9b}2J\r\nSubject: \u{202A}a\u{2069}\u{2028}b\r\n\r\n";
        assert_eq!(read(overrides), both(" moc.elpmaxe@eriam  2J", " a  b"));
        let behind = format!("X: {}\r\nFrom: a@b\r\n", "y".repeat(SEARCHED_BYTES_MAX));
        assert_eq!(read(&behind), both("", ""));
        let latin1 = super::read(b"From: \xe9d\xe9a\r\n\r\n");
        assert_eq!(latin1.sender, "\u{fffd}d\u{fffd}a");
    }
}
