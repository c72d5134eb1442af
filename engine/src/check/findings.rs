//! What `check` found: a line each, with how well the thing is.

use serde::Serialize;

/// How well a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Worth a change; the centre works.
    Warn,
    /// The centre does not work, or breaks a promise.
    Fail,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How well it is.
    pub verdict: Verdict,
    /// What was looked at.
    pub subject: String,
    /// What was found, and what to do.
    pub text: String,
}

/// Lines in the order in which they were found.
#[derive(Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a line.
    pub fn add(&mut self, verdict: Verdict, subject: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { verdict, subject: subject.into(), text: text.into() });
    }

    /// Adds a line of what failed, or one that all is well.
    pub fn judge(&mut self, subject: &str, verdict: Verdict, problems: Vec<String>, well: impl Into<String>) {
        if problems.is_empty() {
            self.add(Verdict::Ok, subject, well);
        }
        for problem in problems {
            self.add(verdict, subject, problem);
        }
    }

    /// Says whether a line says fail.
    pub fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.verdict == Verdict::Fail)
    }
}
