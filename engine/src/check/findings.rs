//! Findings of `check`: each is a line with a verdict.

use serde::Serialize;

/// Verdict of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing needs a change.
    Ok,
    /// Something should be changed, but the centre works.
    Warn,
    /// The centre does not work, or does not do what it promises.
    Fail,
}

/// One line of the findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// The thing that was checked.
    pub subject: String,
    /// What was found, and what to do about it.
    pub text: String,
}

/// The findings, in the order in which they were added.
#[derive(Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, verdict: Verdict, subject: impl Into<String>, text: impl Into<String>) {
        self.0.push(Finding { verdict, subject: subject.into(), text: text.into() });
    }

    /// Adds a finding with the verdict for each problem. If there are no problems, adds a finding `Ok` with the text `well`.
    pub fn judge(&mut self, subject: &str, verdict: Verdict, problems: Vec<String>, well: impl Into<String>) {
        if problems.is_empty() {
            self.add(Verdict::Ok, subject, well);
        }
        for problem in problems {
            self.add(verdict, subject, problem);
        }
    }

    /// Says whether any finding has the verdict `Fail`.
    pub fn has_failed(&self) -> bool {
        self.0.iter().any(|finding| finding.verdict == Verdict::Fail)
    }
}
