//! The detail of an audit line: the action's parameters as JSON.

use serde_json::Value;

use super::AuditAction;
use crate::database::fault::Fault;

impl AuditAction<'_> {
    /// Returns the action's parameters as JSON, in the form in which the audit line stores them.
    ///
    /// # Errors
    /// The detail cannot be written as JSON, which is a mistake of the program.
    pub fn detail(&self) -> Result<Value, Fault> {
        serde_json::to_value(self)
            .map_err(|error| Fault::Bug(format!("the audit line of {} is no JSON: {error}", self.name())))
    }
}
