//! What is done with an approval, from the question to its end.

use serde::Serialize;
use serde_json::Value;

/// A step of an approval. Its members become part of the audit line's detail.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the parameters are those of the approval, told there")]
pub enum ApprovalStep<'a> {
    /// One person asked.
    Ask { operation: &'a str, parameters: &'a Value, seen: &'a Value },
    /// Another person confirmed.
    Confirm { operation: &'a str, asked_by: &'a str },
    /// A confirmation was refused because the state that the asker saw has changed since he asked.
    Changed { operation: &'a str, asked_by: &'a str },
    /// Another person refused.
    Refuse { asked_by: &'a str, reason: &'a str },
    /// The asker took it back.
    Withdraw { reason: &'a str },
    /// Somebody tried to confirm an operation that he may not confirm.
    RefusedTry { why: &'a str },
}

impl ApprovalStep<'_> {
    /// Returns the name of the step in the audit log, which never changes.
    pub fn name(&self) -> &'static str {
        match self {
            ApprovalStep::Ask { .. } => "approval.ask",
            ApprovalStep::Confirm { .. } => "approval.confirm",
            ApprovalStep::Changed { .. } => "approval.changed",
            ApprovalStep::Refuse { .. } => "approval.refuse",
            ApprovalStep::Withdraw { .. } => "approval.withdraw",
            ApprovalStep::RefusedTry { .. } => "approval.refused",
        }
    }
}
