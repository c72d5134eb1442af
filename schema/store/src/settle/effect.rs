//! What an accepted letter does beside its rows and its answer.

/// What it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Its agency's account is credited.
    Credit(Credit),
}

/// What a voucher gives to the letter that redeems it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// What its code is kept as.
    pub mac: Vec<u8>,
    /// Minor units.
    pub amount: i64,
    /// Stands in the ledger: the batch's number and its own.
    pub note: String,
}

impl Effect {
    /// Returns what the account is credited with.
    pub fn credit(&self) -> Option<&Credit> {
        match self {
            Effect::Credit(credit) => Some(credit),
            Effect::None => None,
        }
    }

    /// Returns by how much the account rises, in minor units.
    pub fn credited(&self) -> i64 {
        self.credit().map_or(0, |credit| credit.amount)
    }
}
