//! Words for the codes that a receipt carries: refusals with their parameters, what to do about them, rules.

use sdc::refusal::{RefusalCode, Remedy};

use crate::value::plain;
use crate::{Value, Words};

impl Words {
    /// Says what a refusal means.
    pub fn refusal(&self, code: RefusalCode) -> String {
        self.text(&format!("refusal-{code}"), [])
    }

    /// Names a refusal in a few words, before people who do not know the codes.
    pub fn refusal_short(&self, code: RefusalCode) -> String {
        self.text(&format!("refusal-{code}-short"), [])
    }

    /// Says what the office does about a refusal.
    pub fn remedy(&self, remedy: Remedy) -> String {
        let name = match remedy {
            Remedy::Mend => "remedy-mend",
            Remedy::Wait => "remedy-wait",
        };
        self.text(name, [])
    }

    /// Names a rule that a row breaks; a check has the name that its table gave it.
    pub fn rule(&self, code: &str) -> String {
        self.named("rule", code)
    }

    /// Names a parameter of a refusal.
    pub fn parameter(&self, name: &str) -> String {
        self.named("parameter", name)
    }

    /// Says a refusal that stands as a text, as quarantine keeps it: `refused: CODE, NAME VALUE, …, COUNT faulty rows`. Returns nothing
    /// where the text is none, or has a parameter that is not known.
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

    /// Says the word for a code of a family; for one that it does not have, the code.
    pub fn named(&self, family: &str, code: &str) -> String {
        let name = format!("{family}-{code}");
        if self.has(&name) || Words::english().has(&name) { self.text(&name, []) } else { code.to_owned() }
    }
}

/// Takes the number of faulty rows off the end of a refusal's text, where it is told.
fn without_count(text: &str) -> (&str, Option<Value>) {
    let (before, last) = text.rsplit_once(", ").unwrap_or(("", text));
    match last.strip_suffix(" faulty rows").and_then(plain) {
        Some(count) => (before, Some(count)),
        None => (text, None),
    }
}

/// Divides the text of a refusal's parameters, `NAME VALUE, NAME VALUE`. A value may contain a comma, so a name counts only where it
/// is known and stands after the one before it in the alphabet, as a refusal tells them.
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
