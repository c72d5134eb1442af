//! Joins UIDL and LIST into one entry per mail.
//!
//! Only a mail's number is needed to fetch it. Its unique id is a hint by which it may be recognised later, and from its size the caller
//! estimates how much memory the mail will take. So an odd line in either listing discards neither the listing nor the mail: the mail only
//! lacks its id or its size. Servers differ in blanks, omit ids, repeat ids, and send longer ids than RFC 1939, 7 allows.

use std::collections::HashMap;

use crate::pop3::reply::Body;
use crate::words::printable;

/// Longest unique id, in octets (RFC 1939, 7). A hostile server could use longer ids to attack programs that store them (CVE-2005-2335).
pub const UIDL_BYTES_MAX: usize = 70;

/// Largest size in bytes that is reported for a mail; larger sizes are reported as this one. It is beyond any limit and fits every column
/// that holds sizes.
pub const SIZE_BYTES_MAX: u64 = i32::MAX as u64;

/// Longest line of a listing, in octets: ten digits, a space, the unique id, CRLF.
pub(crate) const LISTING_LINE_BYTES_MAX: usize = 10 + 1 + UIDL_BYTES_MAX + 2;

/// One mail of a mailbox, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Number of the mail. It is valid in this session only.
    pub number: u32,
    /// Unique id, 1 to 70 printable ASCII characters; `None` where the server gives none, or the same id to several mails. It is a hint and
    /// never a key, because servers change it.
    pub uidl: Option<Box<str>>,
    /// Size in bytes according to the server, or 0 if the server does not say. The fetched mail may be larger.
    pub size_bytes: u64,
}

/// The mails of a mailbox, in the order of their numbers. No mail is listed twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The mails.
    pub mails: Vec<Listed>,
    /// Number of lines that do not have the form of RFC 1939.
    pub odd_lines: usize,
    /// The first odd line, fit to be shown.
    pub first_odd_line: Option<String>,
}

impl Listing {
    fn tell(&mut self, command: &str, line: &[u8]) {
        self.odd_lines += 1;
        if self.first_odd_line.is_none() {
            self.first_odd_line = Some(format!("{command}: {}", printable(line.get(..80).unwrap_or(line))));
        }
    }
}

/// Joins the bodies of UIDL and LIST into at most `entries_max` mails. A server may refuse one of the two commands, not both. A mail that
/// is in only one of the two listings exists. If a listing was cut, its complete lines are used; the next session lists the other mails.
pub fn join(uidl: Option<&Body>, list: Option<&Body>, entries_max: usize) -> Listing {
    let mut listing = Listing::default();
    let ids = Lines::read("UIDL", uidl, entries_max, &mut listing);
    let sizes = Lines::read("LIST", list, entries_max, &mut listing);
    let last = ids.last_if_cut.unwrap_or(u32::MAX).min(sizes.last_if_cut.unwrap_or(u32::MAX));
    let mut ids_left = ids.lines.iter().peekable();
    let mut sizes_left = sizes.lines.iter().peekable();
    // Position in the listing of each id, to find ids that several mails share.
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(ids.lines.len());
    while let Some(number) = ids_left.peek().into_iter().chain(sizes_left.peek()).map(|(number, _)| *number).min() {
        let id = ids_left.next_if(|(of, _)| *of == number).map(|(_, id)| *id);
        let size = sizes_left.next_if(|(of, _)| *of == number).map(|(_, size)| *size);
        if number > last || listing.mails.len() == entries_max {
            break;
        }
        let mut uidl = id.and_then(unique_id);
        if uidl.is_none() && ids.is_given {
            listing.tell("UIDL", id.unwrap_or(b"a mail of LIST is missing"));
        }
        if let Some(before) = uidl.and_then(|id| seen.insert(id, listing.mails.len())) {
            listing.tell("UIDL", uidl.unwrap_or_default().as_bytes());
            uidl = None;
            listing.mails[before].uidl = None;
        }
        let size_bytes = size.and_then(size_of);
        if size_bytes.is_none() && sizes.is_given {
            listing.tell("LIST", size.unwrap_or(b"a mail of UIDL is missing"));
        }
        listing.mails.push(Listed { number, uidl: uidl.map(Into::into), size_bytes: size_bytes.unwrap_or(0) });
    }
    listing
}

/// The lines of one listing. Each consists of a mail's number and the rest of the line.
struct Lines<'b> {
    /// Numbers and rests of lines, in the order of the numbers. No number occurs twice.
    lines: Vec<(u32, &'b [u8])>,
    /// Whether the server sent this listing.
    is_given: bool,
    /// Largest number read, if the listing is not whole.
    last_if_cut: Option<u32>,
}

impl<'b> Lines<'b> {
    /// Splits a listing into lines. A line without the number of a mail counts as odd and is omitted. A last line without a line end is
    /// incomplete, because the body was cut.
    fn read(command: &str, body: Option<&'b Body>, entries_max: usize, listing: &mut Listing) -> Lines<'b> {
        let Some(body) = body else { return Lines { lines: Vec::new(), is_given: false, last_if_cut: None } };
        let mut is_cut = body.is_cut();
        let mut lines = Vec::with_capacity((body.bytes.len() / 32).min(entries_max));
        for line in body.bytes.split_inclusive(|b| *b == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else { break };
            let line = line.trim_ascii();
            let end = line.iter().position(|b| !b.is_ascii_digit()).unwrap_or(line.len());
            let (number, rest) = line.split_at(end);
            let number = digits(number).and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0);
            match number.filter(|_| rest.first().is_none_or(u8::is_ascii_whitespace)) {
                Some(_) if lines.len() == entries_max => {
                    is_cut = true;
                    break;
                }
                Some(number) => lines.push((number, rest.trim_ascii_start())),
                None => listing.tell(command, line),
            }
        }
        // Servers usually list in order, and sorting a sorted list needs only one pass.
        lines.sort_by_key(|(number, _)| *number);
        let listed = lines.len();
        lines.dedup_by_key(|(number, _)| *number);
        for _ in lines.len()..listed {
            listing.tell(command, b"a mail is listed twice");
        }
        let last_if_cut = is_cut.then(|| lines.last().map_or(0, |(number, _)| *number));
        Lines { lines, is_given: true, last_if_cut }
    }
}

fn unique_id(id: &[u8]) -> Option<&str> {
    let is_one = (1..=UIDL_BYTES_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
    if is_one { std::str::from_utf8(id).ok() } else { None }
}

/// Reads a size. Some servers write further text after it, which is ignored.
fn size_of(rest: &[u8]) -> Option<u64> {
    let size = rest.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    digits(size).map(|size| size.min(SIZE_BYTES_MAX))
}

/// Reads a number. If it is too large for the type, returns the largest value.
pub(super) fn digits(bytes: &[u8]) -> Option<u64> {
    let append =
        |value: u64, b: &u8| b.is_ascii_digit().then(|| value.saturating_mul(10).saturating_add(u64::from(b - b'0')));
    if bytes.is_empty() { None } else { bytes.iter().try_fold(0, append) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        Body { bytes: text.as_bytes().to_vec(), size_bytes: text.len() }
    }

    fn mail(number: u32, uidl: &str, size_bytes: u64) -> Listed {
        Listed { number, uidl: (!uidl.is_empty()).then(|| uidl.into()), size_bytes }
    }

    fn joined(uidl: &str, list: &str) -> Listing {
        join(Some(&body(uidl)), Some(&body(list)), 10)
    }

    #[test]
    fn joins_by_number_whatever_the_order() {
        let listing = joined("2 bb\r\n1 aa\r\n", "1 10\r\n2 20 extra\r\n");
        assert_eq!(listing, Listing { mails: vec![mail(1, "aa", 10), mail(2, "bb", 20)], ..Listing::default() });
    }

    #[test]
    fn a_hundred_thousand_entries_are_joined_from_any_order() {
        let (mut uidl, mut list) = (String::new(), String::new());
        for number in 1..=100_000_u32 {
            // 7919 is prime, so `other` takes every value once.
            let other = number * 7919 % 100_003;
            uidl.push_str(&format!("{other} 00000001{other:08x}\r\n"));
            list.push_str(&format!("{} {number}\r\n", 100_001 - number));
        }
        let listing = join(Some(&body(&uidl)), Some(&body(&list)), 100_000);
        let is_right = |mail: &Listed| mail.size_bytes == u64::from(100_001 - mail.number);
        assert!(listing.mails.len() == 100_000 && listing.mails.iter().filter(|mail| is_right(mail)).count() > 99_990);
    }

    #[test]
    fn a_cut_listing_gives_the_lines_that_came_whole() {
        let mut uidl = body("1 aa\r\n2 bb\r\n3 c");
        uidl.size_bytes += 100;
        let list = body("1 10\r\n2 20\r\n3 30\r\n");
        assert_eq!(join(Some(&uidl), Some(&list), 10).mails.len(), 2);
        let mut cut = list.clone();
        cut.size_bytes += 1;
        assert_eq!(join(None, Some(&cut), 10).mails.len(), 3);
        let many = body("3 c\r\n1 a\r\n2 b\r\n");
        assert_eq!(join(Some(&many), Some(&list), 1).mails.len(), 1);
        assert_eq!(join(Some(&many), None, 2).mails.len(), 2);
    }

    /// Every mail can be fetched, even if its lines are odd.
    #[test]
    fn odd_lines_cost_an_id_or_a_size_and_no_mail() {
        let long = format!("1 {}\r\n2 b\r\n", "x".repeat(72));
        let longest = format!("1 {}\r\n2 b\r\n", "x".repeat(70));
        for (uidl, list, expected) in [
            // Blanks are ignored.
            ("1   a\r\n2\tb\r\n", "1  10\r\n 2 \t 20\r\n", [mail(1, "a", 10), mail(2, "b", 20)]),
            ("1 a \r\n  2 b\t\r\n", "1 10 \r\n2 20\t\r\n", [mail(1, "a", 10), mail(2, "b", 20)]),
            // Ids that are missing, empty or too long, that have several words, or that consist of other characters.
            ("1 \r\n2 b\r\n", "1 10\r\n2 20\r\n", [mail(1, "", 10), mail(2, "b", 20)]),
            ("1\r\n2 b\r\n", "1 10\r\n2 20\r\n", [mail(1, "", 10), mail(2, "b", 20)]),
            ("2 b\r\n", "1 10\r\n2 20\r\n", [mail(1, "", 10), mail(2, "b", 20)]),
            ("", "1 10\r\n2 20\r\n", [mail(1, "", 10), mail(2, "", 20)]),
            ("\r\n1 a\r\n\r\n2 b\r\n", "1 10\r\n\r\n2 20\r\n", [mail(1, "a", 10), mail(2, "b", 20)]),
            (&long, "1 10\r\n2 20\r\n", [mail(1, "", 10), mail(2, "b", 20)]),
            (&longest, "1 10\r\n2 20\r\n", [mail(1, &"x".repeat(70), 10), mail(2, "b", 20)]),
            ("1 a b\r\n2 b\r\n", "1 10\r\n2 20\r\n", [mail(1, "", 10), mail(2, "b", 20)]),
            ("1 a\x01\r\n2 \u{E9}\r\n", "1 10\r\n2 20\r\n", [mail(1, "", 10), mail(2, "", 20)]),
            // Ids that several mails share identify none of them.
            ("1 a\r\n2 a\r\n", "1 10\r\n2 20\r\n", [mail(1, "", 10), mail(2, "", 20)]),
            ("1 a\r\n1 a\r\n2 b\r\n", "2 20\r\n1 10\r\n1 11\r\n", [mail(1, "a", 10), mail(2, "b", 20)]),
            // Sizes that are missing, not numbers, or beyond all limits.
            ("1 a\r\n2 b\r\n", "2 20\r\n", [mail(1, "a", 0), mail(2, "b", 20)]),
            ("1 a\r\n2 b\r\n", "1 -10\r\n2 x\r\n", [mail(1, "a", 0), mail(2, "b", 0)]),
            ("1 a\r\n2 b\r\n", "1\r\n2 20\r\n", [mail(1, "a", 0), mail(2, "b", 20)]),
            ("1 a\r\n2 b\r\n", "1 3221225472\r\n2 20\r\n", [mail(1, "a", SIZE_BYTES_MAX), mail(2, "b", 20)]),
            (
                "1 a\r\n2 b\r\n",
                "1 9999999999999999999\r\n2 99999999999999999999999\r\n",
                [mail(1, "a", SIZE_BYTES_MAX), mail(2, "b", SIZE_BYTES_MAX)],
            ),
            // Lines without the number of a mail.
            ("0 z\r\n1 a\r\n4294967296 y\r\n2 b\r\n", "x\r\n1 10\r\n2 20\r\n", [mail(1, "a", 10), mail(2, "b", 20)]),
            ("-1 a\r\n1 a\r\n1x q\r\n2 b\r\n", "+1 1\r\n1 10\r\n2 20\r\n", [mail(1, "a", 10), mail(2, "b", 20)]),
        ] {
            assert_eq!(joined(uidl, list).mails, expected, "{uidl:?} {list:?}");
        }
    }

    #[test]
    fn odd_lines_are_counted_and_the_first_is_told() {
        let listing = joined("1 \x1b[2J\r\n2 b\r\n3 b\r\n", "1 x\r\n2 2\r\n3 3\r\n");
        let told = Some("UIDL: \u{FFFD}[2J".to_owned());
        assert_eq!((listing.odd_lines, listing.first_odd_line), (3, told));
        assert_eq!(joined("1 a\r\n", "1 1\r\n").odd_lines, 0);
        // UIDL is optional. If it is missing, no line counts as odd.
        assert_eq!(join(None, Some(&body("1 1\r\n")), 10).odd_lines, 0);
    }
}
