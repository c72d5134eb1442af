//! UIDL and LIST put together into one line per mail.

use crate::pop3::reply::{Body, printable};

/// Longest unique id (RFC 1939, 7). A longer one is how a hostile server attacks what stores it (CVE-2005-2335).
pub const UIDL_BYTES_MAX: usize = 70;

/// Longest line of a listing: ten digits, a space, the unique id, CRLF.
pub(crate) const LISTING_LINE_BYTES_MAX: usize = 10 + 1 + UIDL_BYTES_MAX + 2;

/// One mail of a mailbox, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Number of the mail, in this session only.
    pub number: u32,
    /// Unique id, 1 to 70 printable ASCII characters. A hint, never a key: servers repeat and change them.
    pub uidl: Box<str>,
    /// Size as the server tells it; what comes may be larger.
    pub size_bytes: u64,
}

/// Joins the bodies of UIDL and LIST, at most `entries_max` of them.
///
/// # Errors
/// The line that is wrong.
pub fn join(uidl: &Body, list: &Body, entries_max: usize) -> Result<Vec<Listed>, String> {
    let mut sizes = numbered(list, "LIST")?;
    let mut listed = Vec::with_capacity(sizes.len().min(entries_max));
    let mut ids = numbered(uidl, "UIDL")?;
    // Servers list in order; sorting what is sorted already costs one pass.
    sizes.sort_unstable_by_key(|(number, _)| *number);
    ids.sort_unstable_by_key(|(number, _)| *number);
    if !uidl.is_cut() && !list.is_cut() && sizes.len() != ids.len() {
        return Err(format!("UIDL lists {} mails and LIST {}", ids.len(), sizes.len()));
    }
    for (index, ((number, id), (size_number, size))) in ids.iter().zip(&sizes).enumerate().take(entries_max) {
        if number != size_number {
            return Err(format!("UIDL has mail {number} where LIST has mail {size_number}"));
        }
        if index > 0 && ids.get(index - 1).is_some_and(|(before, _)| before == number) {
            return Err(format!("mail {number} is listed twice"));
        }
        let size = size.split(|b| *b == b' ').next().unwrap_or_default();
        let size_bytes =
            digits(size).ok_or_else(|| format!("LIST gives mail {number} the size {:?}", printable(size)))?;
        listed.push(Listed { number: *number, uidl: unique_id(*number, id)?, size_bytes });
    }
    Ok(listed)
}

fn unique_id(number: u32, id: &[u8]) -> Result<Box<str>, String> {
    let id = id.trim_ascii_end();
    match std::str::from_utf8(id) {
        Ok(text) if (1..=UIDL_BYTES_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic) => Ok(text.into()),
        _ => Err(format!(
            "UIDL gives mail {number} a unique id that is not 1 to {UIDL_BYTES_MAX} printable characters: {:?}",
            printable(&id[..id.len().min(80)])
        )),
    }
}

/// Splits a listing into lines of a number and the rest. A last line without end was cut with the body, and is left out.
fn numbered<'b>(body: &'b Body, command: &str) -> Result<Vec<(u32, &'b [u8])>, String> {
    let mut lines = Vec::with_capacity(body.bytes.len() / 32);
    for line in body.bytes.split_inclusive(|b| *b == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let space = memchr::memchr(b' ', line).unwrap_or(line.len());
        let (number, rest) = line.split_at(space);
        match digits(number).and_then(|number| u32::try_from(number).ok()) {
            Some(number) if number > 0 => lines.push((number, rest.get(1..).unwrap_or_default())),
            _ => return Err(format!("{command} has the line {:?}", printable(&line[..line.len().min(80)]))),
        }
    }
    Ok(lines)
}

fn digits(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 19 {
        return None;
    }
    bytes.iter().try_fold(0_u64, |value, b| b.is_ascii_digit().then(|| value * 10 + u64::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        Body { bytes: text.as_bytes().to_vec(), size_bytes: text.len() }
    }

    #[test]
    fn joins_by_number_whatever_the_order() {
        let listed = join(&body("2 bb\r\n1 aa\r\n"), &body("1 10\r\n2 20 extra\r\n"), 10).unwrap();
        assert_eq!(listed[0], Listed { number: 1, uidl: "aa".into(), size_bytes: 10 });
        assert_eq!(listed[1], Listed { number: 2, uidl: "bb".into(), size_bytes: 20 });
    }

    #[test]
    fn a_hundred_thousand_entries_take_no_time() {
        let (mut uidl, mut list) = (String::new(), String::new());
        for number in 1..=100_000 {
            uidl.push_str(&format!("{number} 00000001{number:08x}\r\n"));
            list.push_str(&format!("{number} 1536\r\n"));
        }
        let since = std::time::Instant::now();
        let listed = join(&body(&uidl), &body(&list), 100_000).unwrap();
        assert_eq!(listed.len(), 100_000);
        assert!(since.elapsed().as_secs() < 2, "{:?}", since.elapsed());
    }

    #[test]
    fn a_cut_listing_gives_the_lines_that_came_whole() {
        let mut uidl = body("1 aa\r\n2 bb\r\n3 c");
        uidl.size_bytes += 100;
        let listed = join(&uidl, &body("1 10\r\n2 20\r\n3 30\r\n"), 10).unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!(join(&body("1 a\r\n2 b\r\n"), &body("1 1\r\n2 2\r\n"), 1).unwrap().len(), 1);
    }

    #[test]
    fn hostile_listings_are_named() {
        let long = format!("1 {}\r\n", "x".repeat(71));
        for (uidl, list, expected) in [
            (long.as_str(), "1 10\r\n", "70 printable"),
            ("1 \r\n", "1 10\r\n", "70 printable"),
            ("1 a\x01b\r\n", "1 10\r\n", "70 printable"),
            ("1 a b\r\n", "1 10\r\n", "70 printable"),
            ("1 a\r\n1 b\r\n", "1 10\r\n1 10\r\n", "listed twice"),
            ("0 a\r\n", "1 10\r\n", "UIDL has the line"),
            ("4294967296 a\r\n", "1 1\r\n", "UIDL has the line"),
            ("1 a\r\n", "1 -10\r\n", "the size"),
            ("1 a\r\n", "1 99999999999999999999\r\n", "the size"),
            ("1 a\r\n", "2 10\r\n", "where LIST has mail 2"),
            ("1 a\r\n2 b\r\n", "1 10\r\n", "UIDL lists 2 mails"),
        ] {
            let error = join(&body(uidl), &body(list), 10).unwrap_err();
            assert!(error.contains(expected), "{uidl:?} {list:?}: {error}");
        }
    }
}
