//! The body of `message`: a text for the operators of the centre, which begins a thread or continues one.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use uuid::{Uuid, Variant};

use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{optional_members, text};
use crate::printable::steers;
use crate::refusal::Refusal;

/// Maximum number of characters of a message.
pub const MESSAGE_CHARS_MAX: usize = 4_000;

/// A text for the operators.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// UUID of the first message of the thread that this message continues. Absent where the message begins a thread; the UUID of its
    /// letter then identifies the thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<Uuid>,
    /// Text of the message; it may have several lines.
    pub text: String,
}

/// Brings a text into the form of a message: Unicode normalization form C, without blanks around it. Returns `None` if the text cannot be a
/// message.
pub fn message_text(text: &str) -> Option<String> {
    let text: String = text.trim().nfc().collect();
    is_message(&text).then_some(text)
}

/// Says whether a text may be a message: it is not blank, is not too long, and has no control characters except line ends.
fn is_message(text: &str) -> bool {
    let steering = |character: char| steers(character) && character != '\n';
    text.chars().count() <= MESSAGE_CHARS_MAX && !text.trim().is_empty() && !text.contains(steering)
}

// `Debug` shows no content, since a message is an office's own text.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} octets)", self.text.len())
    }
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value) -> Result<Message, Refusal> {
    let [thread, written] = optional_members(body, "body", &["thread", "text"])?;
    let thread = thread.map(|thread| read_thread(thread).ok_or_else(|| malformed("body.thread", Expected::LetterId)));
    let written = written.and_then(text).filter(|text| is_message(text));
    let text = written.ok_or_else(|| malformed("body.text", Expected::MessageText))?;
    Ok(Message { thread: thread.transpose()?, text })
}

fn read_thread(value: Value) -> Option<Uuid> {
    let text = text(value)?;
    let id = Uuid::try_parse(&text).ok()?;
    let is_v7 = id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122;
    (is_v7 && text == id.hyphenated().to_string()).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_has_lines_and_perhaps_a_thread() {
        let thread = "019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08";
        let message = read(json!({ "thread": thread, "text": "Bonjour\nÉdéa" })).unwrap();
        assert_eq!((message.thread.unwrap().to_string().as_str(), message.text.as_str()), (thread, "Bonjour\nÉdéa"));
        assert_eq!(format!("{message:?}"), "Message(14 octets)");
        assert_eq!(read(json!({ "text": "x".repeat(4000) })).unwrap().thread, None);
        for wrong in [
            json!({}),
            json!({ "text": "" }),
            json!({ "text": " \n" }),
            json!({ "text": "a\rb" }),
            json!({ "text": "a\u{202E}b" }),
            json!({ "text": "x".repeat(4001) }),
            json!({ "text": "x", "thread": null }),
            json!({ "text": "x", "thread": "019A5F0E-8F3B-7C61-A2D4-5B1E9C3F7A08" }),
            json!({ "text": "x", "thread": "019a5f0e-8f3b-4c61-a2d4-5b1e9c3f7a08" }),
            json!({ "text": "x", "to": "mbome" }),
        ] {
            read(wrong.clone()).expect_err(&wrong.to_string());
        }
    }
}
