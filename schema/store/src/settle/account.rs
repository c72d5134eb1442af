//! The account of an agency, as read under a lock.

/// An account whose row is locked. Amounts are in minor units of the centre's currency.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub id: i32,
    pub balance: i64,
    /// Amount by which the balance may be below zero, in minor units.
    pub credit_limit: i64,
}
