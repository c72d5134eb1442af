//! The proof that a second person confirmed what one person alone may not do.

use super::act::Act;
use super::need::Need;
use super::operator::Operator;
use super::privilege::Operation;
use super::standing::Standing;
use crate::error::AdministrationError;

/// Proves that a second person confirmed the operation that it is handed to: nothing but `judge` makes one.
#[derive(Debug)]
pub struct Approved(());

impl Approved {
    /// Demands a second person.
    ///
    /// # Errors
    /// [`AdministrationError::ApprovalNeeded`] where nobody confirmed it.
    pub(crate) fn demand(approved: Option<&Approved>, act: impl FnOnce() -> Act) -> Result<(), AdministrationError> {
        match approved {
            Some(_) => Ok(()),
            None => Err(AdministrationError::ApprovalNeeded(Box::new(act()))),
        }
    }
}

/// Judges the two people: they are two, the asker may still ask, and one is of the commission where one must be. Nothing else gives the
/// proof.
///
/// # Errors
/// Which of these conditions is not met.
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
    if asker.privilege < operation.privilege() {
        return Err(AdministrationError::ApprovalAskerMayNot { id, user: asked_by.to_owned() });
    }
    // Results need somebody of the commission: the one who asks, or the one who confirms.
    if need.is_of_commission() && !asker.is_commission && !decider.is_commission() {
        return Err(AdministrationError::ApprovalWithoutCommission(id));
    }
    Ok(Approved(()))
}
