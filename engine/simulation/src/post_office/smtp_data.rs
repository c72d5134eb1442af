//! Receives the text after DATA: removes the doubled dots, and finds the end as RFC 5321 4.1.1.4 defines it.
//!
//! Only CRLF "." CRLF ends the text. If one server also takes a bare LF or CR as a line end and another does not, an attacker can smuggle a
//! second mail inside the first. Here a bare LF or CR is text, and stays as it came.

use memchr::memchr;

/// The position of the next octet within its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Text,
    /// The position after a CR, which is already stored as text.
    Return,
    /// The position after a dot at the start of the line; the dot is not stored yet.
    Dot,
    /// The position after a dot at the start of the line and a CR; neither is stored yet.
    DotReturn,
}

/// Receives the text of one mail, in pieces of any size.
#[derive(Debug)]
pub(super) struct DataReceiver {
    at: At,
    text: Vec<u8>,
    size_bytes_max: usize,
    oversize: bool,
}

impl DataReceiver {
    /// Makes a receiver that keeps at most `size_bytes_max` octets.
    pub(super) fn new(size_bytes_max: usize) -> DataReceiver {
        // The CRLF after the command DATA counts as the one before the first line, so a dot may end the text at once.
        DataReceiver { at: At::LineStart, text: Vec::new(), size_bytes_max, oversize: false }
    }

    /// Takes a piece of input. Returns how many of its octets belong to this mail, and whether the mail ends there.
    pub(super) fn take(&mut self, piece: &[u8]) -> (usize, bool) {
        let mut position = 0;
        while let Some(&octet) = piece.get(position) {
            if self.at == At::Text {
                let rest = &piece[position..];
                let length = memchr(b'\r', rest).map_or(rest.len(), |found| {
                    self.at = At::Return;
                    found + 1
                });
                self.keep(&rest[..length]);
                position += length;
                continue;
            }
            position += 1;
            if self.at == At::DotReturn && octet == b'\n' {
                return (position, true);
            }
            self.step(octet);
        }
        (position, false)
    }

    fn step(&mut self, octet: u8) {
        self.at = match (self.at, octet) {
            (At::LineStart, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotReturn,
            (At::DotReturn, _) => {
                // The text does not end here: the dot was doubled by the sender and is dropped, and the CR is text.
                self.keep(b"\r");
                self.keep(&[octet]);
                if octet == b'\r' { At::Return } else { At::Text }
            }
            (At::Return, b'\n') => {
                self.keep(b"\n");
                At::LineStart
            }
            (_, b'\r') => {
                self.keep(b"\r");
                At::Return
            }
            _ => {
                self.keep(&[octet]);
                At::Text
            }
        };
    }

    fn keep(&mut self, octets: &[u8]) {
        if self.text.len() + octets.len() > self.size_bytes_max {
            self.oversize = true;
        }
        if !self.oversize {
            self.text.extend_from_slice(octets);
        }
    }

    /// Returns the text, or `None` where it was larger than allowed.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.oversize).then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn receive(wire: &[u8], piece_bytes: usize) -> Option<(Vec<u8>, usize)> {
        let mut receiver = DataReceiver::new(1 << 20);
        let mut consumed = 0;
        for piece in wire.chunks(piece_bytes) {
            let (length, done) = receiver.take(piece);
            consumed += length;
            if done {
                return receiver.finish().map(|text| (text, consumed));
            }
        }
        None
    }

    #[test]
    fn only_crlf_dot_crlf_ends_the_text() {
        for (wire, text) in [
            (".\r\n", ""),
            ("\r\n.\r\n", "\r\n"),
            ("a\r\n.\r\n", "a\r\n"),
            ("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n"),
            ("a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"),
            ("a\r.\rb\r\n.\r\n", "a\r.\rb\r\n"),
            ("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"),
            ("a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n"),
            ("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n"),
            ("..\r\n...\r\n.a\r\n.\r\n", ".\r\n..\r\na\r\n"),
            ("a\r\r\n.\r\n", "a\r\r\n"),
        ] {
            for piece_bytes in 1..=wire.len() {
                let after = format!("{wire}QUIT\r\n");
                let expected = Some((text.as_bytes().to_vec(), wire.len()));
                assert_eq!(receive(after.as_bytes(), piece_bytes), expected, "{wire:?} in pieces of {piece_bytes}");
            }
        }
        for endless in ["a\r\n.", "a\r\n.\r", "a.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "a\r\n.\n"] {
            assert_eq!(receive(endless.as_bytes(), 3), None, "{endless:?}");
        }
    }

    #[test]
    fn an_oversize_text_is_read_to_its_end_and_not_kept() {
        let mut receiver = DataReceiver::new(10);
        let wire = b"0123456789\r\n0123\r\n.\r\n";
        assert_eq!(receiver.take(wire), (wire.len(), true));
        assert!(receiver.text.len() <= 10);
        assert_eq!(receiver.finish(), None);
    }

    proptest! {
        #[test]
        fn what_a_sender_stuffs_is_what_arrives(lines in prop::collection::vec("[.a\r\n]{0,4}", 0..12), piece in 1_usize..9) {
            let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let mut stuffed = String::new();
            for (index, line) in text.split("\r\n").enumerate() {
                stuffed.push_str(if index > 0 { "\r\n" } else { "" });
                stuffed.push_str(if line.starts_with('.') { "." } else { "" });
                stuffed.push_str(line);
            }
            stuffed.push_str(".\r\n");
            prop_assert_eq!(receive(stuffed.as_bytes(), piece), Some((text.into_bytes(), stuffed.len())));
        }
    }
}
