//! The account of an agency, as it is under lock.

/// An account under lock. Amounts are in minor units of the centre's currency.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub id: i32,
    pub balance: i64,
    /// How far below zero the balance may be.
    pub credit_limit: i64,
}
