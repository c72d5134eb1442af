//! Tests of the wrappings in which a letter is found, of the limits, and of the cost of reading.

mod cost;
mod limits;
mod wrappings;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

/// The shortest document. It replaces any letter in these tests.
const SDC: &str = "SDC 1 agency=000042\r\n-----BEGIN CMS-----\r\nMAA=\r\n-----END CMS-----\r\n";

fn found(mail: &[u8]) -> Extracted {
    extract(mail, &MailLimits::default()).unwrap()
}

fn containers(mail: &str) -> Vec<String> {
    let containers = found(mail.as_bytes()).containers.into_iter();
    containers.map(|container| String::from_utf8(container).unwrap()).collect()
}

/// Encodes octets in base64 with the line length of mail programs.
fn base64_lines(octets: &[u8]) -> String {
    let text = BASE64.encode(octets);
    text.as_bytes().chunks(76).map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap())).collect()
}

/// Makes a mail with a greeting and one part with this header and body.
fn with_part(header: &str, body: &str) -> String {
    format!(
        "From: Poste <Poste@Office.Example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nBonjour\r\n--b\r\n{header}\r\n{body}\r\n--b--\r\n"
    )
}

fn attached(encoding: &str, content: &str) -> String {
    let header = "Content-Type: application/octet-stream; name=l.sdc\r\n";
    with_part(&format!("{header}Content-Transfer-Encoding: {encoding}\r\n"), content)
}
