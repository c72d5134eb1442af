//! Wrappings in which a letter is found, limits that are kept, and what reading costs.

mod cost;
mod limits;
mod wrappings;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

/// A document of the least octets, which stands for any letter.
const SDC: &str = "SDC 1 agency=000042\r\n-----BEGIN CMS-----\r\nMAA=\r\n-----END CMS-----\r\n";

fn found(mail: &[u8]) -> Extracted {
    extract(mail, &MailLimits::default()).unwrap()
}

fn containers(mail: &str) -> Vec<String> {
    let containers = found(mail.as_bytes()).containers.into_iter();
    containers.map(|container| String::from_utf8(container).unwrap()).collect()
}

/// Encodes octets as mail programs do, in lines.
fn base64_lines(octets: &[u8]) -> String {
    let text = BASE64.encode(octets);
    text.as_bytes().chunks(76).map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap())).collect()
}

/// A mail with a greeting and one part of this header and body.
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
