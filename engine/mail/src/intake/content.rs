//! Receives the content of one mail after DATA, and bounds what is kept of it.

use std::slice::Iter;

/// Largest number of octets that are kept of a mail that is too large.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The content of a mail, without the dots that SMTP adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The mail, or its first octets where it is too large.
    pub mail: Vec<u8>,
    /// Whole size, in octets, of a mail that is too large. The dots that SMTP adds are counted. `None` where `mail` is the whole mail.
    pub over_size_bytes: Option<u64>,
}

/// The content of a mail, as far as it has been received.
pub(super) struct Incoming {
    kept: Vec<u8>,
    received: u64,
    bytes_max: usize,
    is_too_large: bool,
    place: Place,
}

/// Position of the next octet within the content.
///
/// The content ends with a line that has only a dot (RFC 5321, 4.1.1.4), and only CR LF ends a line, not a single CR or LF (2.3.8).
/// Otherwise a mail could smuggle in a second mail whose sender nobody has checked. The parser of `smtp-proto` is not used for this: it
/// also accepts `CR LF . CR CR LF` as the end, and misses the end in a mail without any line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineBegin,
    /// After a dot at the beginning of a line.
    Dot,
    /// After a dot at the beginning of a line and a CR.
    DotCr,
    /// Within a line. `after_cr` says whether the last octet is a CR.
    Text {
        after_cr: bool,
    },
}

impl Incoming {
    /// Begins to receive a mail. Of a mail with more than `bytes_max` octets, only the head is kept.
    pub(super) fn new(bytes_max: usize) -> Incoming {
        Incoming { kept: Vec::new(), received: 0, bytes_max, is_too_large: false, place: Place::LineBegin }
    }

    /// Takes octets from `input`. Returns the content once its end has arrived; octets after the end remain in `input`.
    pub(super) fn ingest(&mut self, input: &mut Iter<'_, u8>) -> Option<Content> {
        let before = input.len();
        let is_whole = self.ingest_lines(input);
        self.received += (before - input.len()) as u64;
        is_whole.then(|| {
            let over_size_bytes = self.is_too_large.then_some(self.received);
            Content { mail: std::mem::take(&mut self.kept), over_size_bytes }
        })
    }

    fn ingest_lines(&mut self, input: &mut Iter<'_, u8>) -> bool {
        let mut rest = input.as_slice();
        let is_whole = loop {
            let Some((first, behind)) = rest.split_first() else { break false };
            match (self.place, *first) {
                (Place::LineBegin, b'.') => {
                    self.place = Place::Dot;
                    rest = behind;
                }
                (Place::Dot, b'\r') => {
                    self.place = Place::DotCr;
                    rest = behind;
                }
                (Place::DotCr, b'\n') => {
                    rest = behind;
                    break true;
                }
                // The line does not end here, so SMTP has added its dot (RFC 5321, 4.5.2), which is left out.
                (Place::DotCr, _) => {
                    self.keep(b"\r");
                    self.place = Place::Text { after_cr: true };
                }
                (Place::LineBegin | Place::Dot, _) => self.place = Place::Text { after_cr: false },
                (Place::Text { after_cr }, _) => {
                    let (text, behind) = rest.split_at(memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1));
                    self.place = match text {
                        [b'\n'] if after_cr => Place::LineBegin,
                        [.., b'\r', b'\n'] => Place::LineBegin,
                        text => Place::Text { after_cr: text.ends_with(b"\r") },
                    };
                    self.keep(text);
                    rest = behind;
                }
            }
        };
        *input = rest.iter();
        is_whole
    }

    fn keep(&mut self, octets: &[u8]) {
        if self.is_too_large {
            return;
        }
        self.kept.extend_from_slice(octets);
        if self.kept.len() > self.bytes_max {
            self.is_too_large = true;
            self.kept.truncate(HEAD_BYTES_MAX);
            self.kept.shrink_to_fit();
        }
    }

    /// Returns the number of octets that are in memory.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept.len()
    }

    /// Returns the number of octets that have been received.
    pub(super) fn received_bytes(&self) -> u64 {
        self.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives `octets` in pieces of `step` octets. Returns the content, and the octets after its end.
    fn received(octets: &[u8], step: usize, bytes_max: usize) -> Option<(Content, Vec<u8>)> {
        let mut incoming = Incoming::new(bytes_max);
        let mut at = 0;
        for piece in octets.chunks(step) {
            let mut input = piece.iter();
            at += piece.len();
            if let Some(content) = incoming.ingest(&mut input) {
                return Some((content, octets[at - input.len()..].to_vec()));
            }
        }
        None
    }

    #[test]
    fn only_a_dot_alone_between_two_crlf_ends_a_mail() {
        // The cases of SMTP smuggling (CVE-2023-51764, -51765, -51766), and lines that only look like the end.
        for false_end in [
            "\n.\n",
            "\n.\r\n",
            "\r.\r\n",
            "\r.\r",
            "\r\n.\n",
            "\r\n.\r",
            "\r\n..\r\n",
            "\n.\r",
            "\r\n.\r\r\n",
            "\r\n\r.\r\n",
            "\r\n.x\r\n",
            "\r\n. \r\n",
        ] {
            let sent = format!("a{false_end}MAIL FROM:<x@y>\r\n.\r\nQUIT\r\n");
            for step in 1..=sent.len() {
                let (content, behind) = received(sent.as_bytes(), step, 1000).unwrap();
                assert!(
                    content.mail.ends_with(b"MAIL FROM:<x@y>\r\n"),
                    "{false_end:?} in steps of {step}: {content:?}"
                );
                assert_eq!(behind, b"QUIT\r\n", "{false_end:?} in steps of {step}");
            }
        }
    }

    #[test]
    fn dots_that_smtp_adds_are_taken_away_and_no_others() {
        for step in 1..20 {
            let (content, _) = received(b"a\r\n..\r\n..b\r\n.c\r\nd.\r\n.\r\n", step, 1000).unwrap();
            assert_eq!(content.mail, b"a\r\n.\r\n.b\r\nc\r\nd.\r\n", "in steps of {step}");
            assert_eq!(content.over_size_bytes, None);
        }
    }

    #[test]
    fn a_mail_that_is_too_large_is_swallowed_to_its_end() {
        let line = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n";
        let mut sent = line.repeat(1024);
        sent.extend_from_slice(b"\r\n.\nRSET\r\n.\r\nQUIT\r\n");
        for step in [1, 7, 4096, sent.len()] {
            let (content, behind) = received(&sent, step, 20_000).unwrap();
            assert_eq!(content.mail, sent[..HEAD_BYTES_MAX], "in steps of {step}");
            assert_eq!(content.over_size_bytes, Some(sent.len() as u64 - 6));
            assert_eq!(behind, b"QUIT\r\n", "in steps of {step}");
        }
    }

    #[test]
    fn a_mail_may_be_empty_and_may_begin_with_a_dot() {
        for step in 1..10 {
            assert_eq!(received(b".\r\nQUIT\r\n", step, 100).unwrap().0.mail, b"", "in steps of {step}");
            assert_eq!(received(b"..\r\n.\r\n", step, 100).unwrap().0.mail, b".\r\n", "in steps of {step}");
        }
    }

    #[test]
    fn a_mail_of_the_largest_size_is_whole() {
        let sent = b"0123456789abcdef\r\n.\r\n";
        assert_eq!(received(sent, 100, 18).unwrap().0.over_size_bytes, None);
        assert_eq!(received(sent, 100, 17).unwrap().0.over_size_bytes, Some(21));
    }
}
