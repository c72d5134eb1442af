//! The proof that a second person has confirmed an operation that needs two people.

use super::act::Act;
use super::need::Need;
use super::operator::Operator;
use super::privilege::Operation;
use super::standing::Standing;
use crate::error::AdministrationError;

/// Proof that a second person has confirmed the operation to which it is passed. Only `judge` makes such a value.
#[derive(Debug)]
pub struct Approved(());

impl Approved {
    /// Fails if no second person has confirmed the operation.
    ///
    /// # Errors
    /// [`AdministrationError::ApprovalNeeded`] with the act, if `approved` is `None`.
    pub(crate) fn demand(approved: Option<&Approved>, act: impl FnOnce() -> Act) -> Result<(), AdministrationError> {
        match approved {
            Some(_) => Ok(()),
            None => Err(AdministrationError::ApprovalNeeded(Box::new(act()))),
        }
    }
}

/// Checks the asker and the decider: they are two people, the asker may still ask, and one of them belongs to the commission if the need
/// requires this. Only this function makes the proof [`Approved`].
///
/// # Errors
/// An error for the condition that fails.
pub(crate) fn judge(
    id: i64,
    need: Need,
    operation: Operation,
    (asked_by, asker): (&str, &Standing),
    decider: &Operator,
) -> Result<Approved, AdministrationError> {
    if asked_by == decider.user() {
        return Err(AdministrationError::ApprovalOwn(id));
    }
    if asker.privilege < operation.privilege() || asker.is_locked {
        return Err(AdministrationError::ApprovalAskerMayNot { id, user: asked_by.to_owned() });
    }
    // A result of an election may be changed only if a member of the election commission agrees, as asker or as decider.
    if need.is_of_commission() && !asker.is_commission && !decider.is_commission() {
        return Err(AdministrationError::ApprovalWithoutCommission(id));
    }
    Ok(Approved(()))
}
