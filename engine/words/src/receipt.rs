//! Words for the codes of a receipt: refusals with their parameters, remedies and rules.

use sdc::refusal::{RefusalCode, Remedy};

use crate::value::plain;
use crate::{Value, Words};

impl Words {
    /// Returns the meaning of a refusal in a sentence.
    pub fn refusal(&self, code: RefusalCode) -> String {
        self.text(&format!("refusal-{code}"), [])
    }

    /// Returns a short name of a refusal, for people who do not know the codes.
    pub fn refusal_short(&self, code: RefusalCode) -> String {
        self.text(&format!("refusal-{code}-short"), [])
    }

    /// Returns a sentence about what the office should do after a refusal.
    pub fn remedy(&self, remedy: Remedy) -> String {
        let name = match remedy {
            Remedy::Mend => "remedy-mend",
            Remedy::Wait => "remedy-wait",
        };
        self.text(name, [])
    }

    /// Returns the name of a rule that a row breaks. A check of a table keeps the name that the table gave it.
    pub fn rule(&self, code: &str) -> String {
        self.named("rule", code)
    }

    /// Returns the name of a refusal's parameter.
    pub fn parameter(&self, name: &str) -> String {
        self.named("parameter", name)
    }

    /// Translates a refusal that quarantine keeps as a text: `refused: CODE, NAME VALUE, …, COUNT faulty rows`. Returns none where the
    /// text is not such a refusal, or has an unknown parameter.
    pub(crate) fn refused(&self, english: &str) -> Option<String> {
        let told = english.strip_prefix("refused: ")?;
        let (code, rest) = told.split_once(", ").unwrap_or((told, ""));
        RefusalCode::parse(code)?;
        let (rest, count) = without_count(rest);
        let mut said = vec![code.to_owned()];
        for (name, value) in parameters(rest)? {
            said.push(format!("{} {}", self.parameter(name), self.expected(value)));
        }
        said.extend(count.map(|count| self.text("refusal-faulty-rows", [("count", count)])));
        Some(self.text("error-detail", [("reason", Value::from(said.join(", ")))]))
    }

    /// Returns the word for a code of a family of messages; the code itself where the family does not have it.
    pub fn named(&self, family: &str, code: &str) -> String {
        let name = format!("{family}-{code}");
        if self.has(&name) || Words::english().has(&name) { self.text(&name, []) } else { code.to_owned() }
    }
}

/// Splits the number of faulty rows from the end of a refusal's text; none where the text has no such number.
fn without_count(text: &str) -> (&str, Option<Value>) {
    let (before, last) = text.rsplit_once(", ").unwrap_or(("", text));
    match last.strip_suffix(" faulty rows").and_then(plain) {
        Some(count) => (before, Some(count)),
        None => (text, None),
    }
}

/// Splits the text of a refusal's parameters, `NAME VALUE, NAME VALUE`. A value may contain a comma, so a word counts as a name only where
/// it is a known name and follows the name before it in the alphabet, as in every refusal.
fn parameters(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut names: Vec<(usize, &str)> = Vec::new();
    let mut start = 0;
    for piece in text.split(", ").filter(|_| !text.is_empty()) {
        let name = piece.split_once(' ').map(|(name, _)| name);
        let is_known = |name: &&str| Words::english().has(&format!("parameter-{name}"));
        let is_next = |name: &&str| names.last().is_none_or(|(_, last)| last < name);
        names.extend(name.filter(is_known).filter(is_next).map(|name| (start, name)));
        if names.is_empty() {
            return None;
        }
        start += piece.len() + ", ".len();
    }
    let mut found = Vec::with_capacity(names.len());
    for (at, (start, name)) in names.iter().enumerate() {
        let end = names.get(at + 1).map_or(text.len(), |(next, _)| next - ", ".len());
        found.push((*name, &text[start + name.len() + 1..end]));
    }
    Some(found)
}
