//! The proof that a second person confirmed what one person alone may not do.

use super::act::Act;
use super::need::Need;
use super::operator::Operator;
use super::privilege::Operation;
use super::standing::Standing;
use crate::error::AdministrationError;

/// Proves that a second person confirmed the operation that it is handed to: nothing but [`judge`] makes one.
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

/// Judges the two people, which alone gives the proof: they are two, the asker may still ask, and one is of the commission where one
/// must be.
///
/// # Errors
/// Which of these they are not.
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
    // Who asks for results and who confirms them: one of the two is of the commission.
    if need.is_of_commission() && !asker.is_commission && !decider.is_commission() {
        return Err(AdministrationError::ApprovalWithoutCommission(id));
    }
    Ok(Approved(()))
}
