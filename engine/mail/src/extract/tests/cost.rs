//! Tests that all input is read in time linear in its octets. The octets are counted, so the result is the same on any machine.

use super::*;

/// Tokens that made libraries and walks slow, and others that might.
const TOKENS: [&str; 35] = [
    " =?x?=x",
    "=?",
    "?=",
    "--",
    "--b\n",
    "--b--\n",
    ";",
    "*0*=",
    "; a*0*=b",
    "; boundary*1=",
    "boundary=",
    "(",
    ")",
    "\"",
    "\\",
    "'",
    "%41",
    ":",
    "=",
    "=\r\n",
    "=3D",
    "\r\n ",
    "\n",
    "\r",
    "\0",
    ">",
    "\u{feff}",
    "-----BEGIN CMS-----\n",
    "-----END CMS-----\n",
    "Content-Transfer-Encoding: base64\n",
    "Content-Type: message/rfc822\n\n",
    "Content-Type: multipart/mixed; boundary=b\n\n",
    "LS0tLS1CRUdJTiBDTVMtLS0tLQ",
    "+AC0-",
    "ÿ",
];

/// Reads a mail, and checks that its cost is within the bound. Returns the number of octets examined.
fn cost(mail: &[u8]) -> usize {
    let (_, cost) = extract_counted(mail, &MailLimits::default());
    let (octets, max) = (cost.octets(), Cost::max(mail.len()));
    let beginning = String::from_utf8_lossy(&mail[..mail.len().min(300)]).into_owned();
    assert!(octets <= max, "{octets} octets examined of a mail of {}, at most {max}: {beginning:?}", mail.len());
    octets
}

/// Puts a stranger's text into one place of a mail.
type Placed = Box<dyn Fn(&str) -> Vec<u8>>;

fn fields() -> Vec<Placed> {
    let names = [
        "From",
        "Message-ID",
        "Auto-Submitted",
        "Content-Transfer-Encoding",
        "Content-Type: multipart/mixed; boundary=b",
    ];
    let of_mail =
        names.map(|name| -> Placed { Box::new(move |text| format!("{name}: {text}\r\n\r\nx\r\n").into_bytes()) });
    let of_part = names
        .map(|name| -> Placed { Box::new(move |text| with_part(&format!("{name}: {text}\r\n"), "x").into_bytes()) });
    // If the text is the whole mail, each of its lines may be a header field.
    let bare: Placed = Box::new(|text| format!("{text}\r\n\r\nx").into_bytes());
    of_mail.into_iter().chain(of_part).chain([bare]).collect()
}

fn bodies() -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::new();
    for header in [
        "",
        "Content-Transfer-Encoding: base64\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "Content-Type: text/plain; charset=utf-16\r\n",
        "Content-Type: text/plain; charset=utf-7\r\nContent-Transfer-Encoding: quoted-printable\r\n",
        "Content-Type: multipart/alternative; boundary=b\r\n",
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n",
    ] {
        placed.push(Box::new(move |text| format!("{header}\r\n{text}").into_bytes()));
    }
    placed.push(Box::new(|text| nested(text, 10, "b").into_bytes()));
    placed.push(Box::new(|text| encoded_mails(text.as_bytes().to_vec(), 4, "quoted-printable", |octets| octets)));
    placed.push(Box::new(|text| {
        let encode = |octets: Vec<u8>| base64_lines(&octets).into_bytes();
        encoded_mails(text.as_bytes().to_vec(), 4, "base64", encode)
    }));
    placed
}

/// Nests a text in multiparts whose boundaries differ only in their last character.
fn nested(text: &str, levels: u8, boundary: &str) -> String {
    (0..levels).fold(format!("\r\n{text}"), |inner, level| {
        let boundary = format!("{boundary}{}", char::from(b'A' + level % 26));
        format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n{inner}\r\n--{boundary}--\r\n")
    })
}

/// Nests a text in encoded mails within encoded mails.
fn encoded_mails(text: Vec<u8>, levels: usize, name: &str, encode: fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let header = format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: {name}\r\n\r\n").into_bytes();
    (0..levels).fold([b"\r\n", &text[..]].concat(), |inner, _| [header.clone(), encode(inner)].concat())
}

fn repeated(tokens: &[&str], bytes: usize) -> String {
    let unit = tokens.concat();
    unit.repeat(bytes.div_ceil(unit.len()))
}

/// Reads a text of this size, and one of twice the size. Checks both costs against the bound, and the second cost against the first.
fn hold(places: &[Placed], tokens: &[&str], bytes: usize) {
    for (number, place) in places.iter().enumerate() {
        let single = cost(&place(&repeated(tokens, bytes)));
        let double = cost(&place(&repeated(tokens, 2 * bytes)));
        assert!(2 * double <= 5 * single, "place {number}, {tokens:?}: {single} octets examined, then {double}");
    }
}

#[test]
fn tokens_alone_and_in_pairs_are_read_in_linear_time_wherever_they_stand() {
    let places: Vec<Placed> = fields().into_iter().chain(bodies()).collect();
    for first in TOKENS {
        hold(&places, &[first], 3000);
        for second in TOKENS {
            // The text is so long that its cost is not dominated by the nesting, which is bounded.
            hold(&places, &[first, second], 1500);
        }
    }
}

#[test]
fn tokens_are_read_in_linear_time_in_mails_of_any_size() {
    for token in TOKENS {
        hold(&fields(), &[token], 50_000);
        hold(&bodies(), &[token], 50_000);
    }
    for token in [" =?x?=x", "--b\n", "-----BEGIN CMS-----\n", "=3D", "\n", ">"] {
        hold(&bodies()[..2], &[token], 2_400_000);
    }
}

/// Size in bytes of the largest mail that the tests read.
const MAIL_BYTES_MAX: usize = 5_000_000;
/// Number of pairs of tokens that are read in mails of up to `MAIL_BYTES_MAX`. The other pairs (the 35 tokens make 35 × 35 of them) are
/// read in smaller mails.
const LARGE_PAIRS: usize = 4;

/// Reads a text of this size, of twice the size, and so on, up to `bytes_max` and the largest mail. Checks each cost against the bound, and
/// against the previous cost.
fn hold_doubling(place: &Placed, tokens: &[&str], mut bytes: usize, bytes_max: usize) {
    let mut before: Option<usize> = None;
    while bytes <= bytes_max {
        let mail = place(&repeated(tokens, bytes));
        if mail.len() > MAIL_BYTES_MAX {
            break;
        }
        let now = cost(&mail);
        let is_linear = before.is_none_or(|before| 2 * now <= 5 * before);
        assert!(is_linear, "{tokens:?}: {before:?} octets examined, then {now} of {}", mail.len());
        (before, bytes) = (Some(now), 2 * bytes);
    }
}

/// Chooses which places of the mail and which `LARGE_PAIRS` pairs are tested. The number is fixed, so that the test gives the same result
/// every day. With another number, other places and pairs are tested.
const SAMPLE: usize = 0;

/// Every token alone is read in mails whose size doubles up to 5 MB, and every pair in mails up to 64 KB, each in one place. Four of the
/// pairs are read up to 5 MB, because all pairs in all places would take hours. The tests above read all pairs in every place, in smaller
/// mails.
#[test]
fn tokens_and_pairs_are_read_in_linear_time_in_mails_that_double_up_to_the_largest() {
    let places: Vec<Placed> = fields().into_iter().chain(bodies()).collect();
    let place = |number: usize| &places[(number + SAMPLE) % places.len()];
    for (number, token) in TOKENS.into_iter().enumerate() {
        hold_doubling(place(number), &[token], MAIL_BYTES_MAX >> 10, MAIL_BYTES_MAX);
    }
    let pairs: Vec<[&str; 2]> =
        TOKENS.iter().flat_map(|first| TOKENS.iter().map(move |second| [*first, *second])).collect();
    for (number, pair) in pairs.iter().enumerate() {
        hold_doubling(place(number), pair, 32 << 10, 64 << 10);
    }
    // The step 367 has no divisor in common with the number of pairs, so every pair is used before any is used again.
    for number in (SAMPLE * LARGE_PAIRS..).take(LARGE_PAIRS) {
        let at = number * 367 % pairs.len();
        hold_doubling(place(number), &pairs[at], MAIL_BYTES_MAX >> 10, MAIL_BYTES_MAX);
    }
}

/// These mails once blocked a decoder for minutes: each would have examined more than a thousand times the allowed octets.
#[test]
fn mails_that_once_stopped_the_centre_are_read_in_linear_time() {
    for field in ["From", "Message-ID", "Auto-Submitted", "Content-Transfer-Encoding"] {
        for words in [9_100, 35_000] {
            cost(format!("{field}:{}\r\n\r\nx\r\n", " =?x?=x".repeat(words)).as_bytes());
        }
        // The text is folded as RFC 5322 requires.
        let folded = format!("{}\r\n", " =?x?=x".repeat(140)).repeat(4_900_000 / 982);
        cost(format!("{field}:{folded}\r\nx\r\n").as_bytes());
    }
    for bytes in [400_000, 4_500_000] {
        let words = " =?x?=x".repeat(bytes / 7);
        cost(with_part(&format!("Content-Transfer-Encoding:{words}\r\n"), "x").as_bytes());
    }
    for boundary in ["-".repeat(3500), "-".repeat(69)] {
        cost(nested(&"-".repeat(4_500_000), 99, &boundary).as_bytes());
        cost(nested(&format!("{}\r\n", "-".repeat(72)).repeat(40_000), 10, &boundary).as_bytes());
    }
    let parameters = |count: usize| (0..count).map(|number| format!("; a{number}*0*=b")).collect::<String>();
    let part = format!("--b\r\nContent-Type: text/plain{}\r\n\r\nx\r\n", parameters(350).replace("; a9", ";\r\n a9"));
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    cost(format!("{head}{}--b--\r\n", part.repeat(90)).as_bytes());
    cost(with_part(&format!("Content-Type: text/plain{}\r\n", parameters(100_000)), "x").as_bytes());
    cost(format!("{head}--b\r\n{}", "a:\n".repeat(1_000_000)).as_bytes());
    cost(format!("{head}{}", "--b\r\n\r\n".repeat(600_000)).as_bytes());
}
