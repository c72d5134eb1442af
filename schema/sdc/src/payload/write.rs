//! Writes the JSON of letters and answers: members in the order of FORMAT.md, times in whole seconds.
//!
//! A reader admits members in any order. Letters are always written in this one, because the letters that the dictionary was trained with
//! have it, so the dictionary compresses it best.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use crate::answer::notice::{NOTICE, Notice, NoticeContent};
use crate::answer::part::PartHead;
use crate::answer::{Answer, AnswerBody};
use crate::letter::Letter;

impl Serialize for Letter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut letter = serializer.serialize_struct("Letter", if self.seen.is_some() { 10 } else { 9 })?;
        letter.serialize_field("sdc", &self.sdc)?;
        letter.serialize_field("id", &self.id)?;
        letter.serialize_field("from", &self.from)?;
        letter.serialize_field("to", &self.to)?;
        letter.serialize_field("sequence", &self.sequence)?;
        letter.serialize_field("time", &whole_seconds(self.time))?;
        letter.serialize_field("mode", &self.mode)?;
        if let Some(seen) = self.seen {
            letter.serialize_field("seen", &seen)?;
        }
        letter.serialize_field("service", &self.request.service())?;
        letter.serialize_field("body", &self.request)?;
        letter.end()
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut receipt = self.receipt.clone();
        receipt.received = receipt.received.trunc_subsecs(0);
        let mut answer = serializer.serialize_struct("Answer", if self.body.is_some() { 11 } else { 7 })?;
        answer.serialize_field("sdc", &self.sdc)?;
        answer.serialize_field("id", &self.id)?;
        answer.serialize_field("from", &self.from)?;
        answer.serialize_field("to", &self.to)?;
        answer.serialize_field("time", &whole_seconds(self.time))?;
        answer.serialize_field("mode", &self.mode)?;
        answer.serialize_field("receipt", &receipt)?;
        if let Some(AnswerBody { part, parts, content }) = &self.body {
            answer.serialize_field("service", &content.service())?;
            answer.serialize_field("part", part)?;
            answer.serialize_field("parts", parts)?;
            answer.serialize_field("body", content)?;
        }
        answer.end()
    }
}

impl Serialize for Notice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut notice = serializer.serialize_struct("Notice", 8)?;
        notice.serialize_field("sdc", &self.sdc)?;
        notice.serialize_field("id", &self.id)?;
        notice.serialize_field("from", &self.from)?;
        notice.serialize_field("to", &self.to)?;
        notice.serialize_field("time", &whole_seconds(self.time))?;
        notice.serialize_field("mode", &self.mode)?;
        notice.serialize_field("service", NOTICE)?;
        notice.serialize_field("body", &NoticeBody { number: self.number, content: self.content.clone() })?;
        notice.end()
    }
}

/// Writes all members of a part except the body. The caller appends the body as octets, because a large body is JSON already and need not
/// be parsed again.
impl Serialize for PartHead {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = serializer.serialize_struct("PartHead", if self.last { 10 } else { 9 })?;
        part.serialize_field("sdc", &self.sdc)?;
        part.serialize_field("id", &self.id)?;
        part.serialize_field("from", &self.from)?;
        part.serialize_field("to", &self.to)?;
        part.serialize_field("time", &whole_seconds(self.time))?;
        part.serialize_field("mode", &self.mode)?;
        part.serialize_field("answers", &self.answers)?;
        part.serialize_field("service", &self.service)?;
        part.serialize_field("part", &self.part)?;
        if self.last {
            part.serialize_field("last", &true)?;
        }
        part.end()
    }
}

/// The body of a notice: its number, then its content.
#[derive(Serialize, Deserialize)]
pub struct NoticeBody {
    pub number: u64,
    #[serde(flatten)]
    pub content: NoticeContent,
}

// Times are written in whole seconds, because no clock of an office or centre is exact to a fraction of a second, and every digit costs
// money over a satellite link.
fn whole_seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
