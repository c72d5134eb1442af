//! A model of the database's state after a batch, for tests of deciding without a database.

use sdc::letter::Matricule;

use super::{KnownLetter, Standing};
use crate::settle::account::Account;
use crate::settle::arrival::Content;
use crate::settle::batch::Case;
use crate::settle::decision::Decision;
use crate::settle::judge::Key;

impl Standing {
    /// Makes the standing of agencies that have not sent any letter.
    pub fn of_accounts(accounts: impl IntoIterator<Item = (Matricule, Account)>) -> Standing {
        Standing { accounts: accounts.into_iter().collect(), ..Standing::default() }
    }

    /// Adds what a batch commits: verdicts by id and by sequence number, the highest sequence numbers, and the balances.
    pub fn commit(&mut self, batch: &[Case]) {
        // The receipts' balances are those in the order of effect, and the batch is in the order of arrival. So the balance after the batch
        // is not taken from its last letter: all payments are summed, since a sum does not depend on the order.
        let mut paid = std::collections::HashMap::<Matricule, i64>::new();
        for case in batch {
            let Content::Signed { signer, digest, .. } = &case.arrival.content else { continue };
            let agency = signer.matricule;
            match &case.decision {
                Decision::Accepted { key, acceptance, .. } => {
                    *paid.entry(agency).or_default() += acceptance.price.amount - acceptance.effect.credited();
                    self.keep(agency, key, digest.as_bytes(), true);
                }
                Decision::Refused { key, .. } | Decision::Held { key, .. } => {
                    self.keep(agency, key, digest.as_bytes(), false);
                }
                Decision::Duplicate(_) | Decision::Stranger(_) | Decision::Deferred => {}
            }
        }
        for (agency, amount) in paid {
            if let Some(account) = self.accounts.get_mut(&agency) {
                account.balance -= amount;
            }
        }
    }

    fn keep(&mut self, agency: Matricule, key: &Key, digest: &[u8; 32], is_accepted: bool) {
        let letter = KnownLetter { digest: digest.to_vec(), attempt: key.attempt, is_accepted };
        if let Some(sequence) = key.sequence {
            let numbers = self.numbers.entry((agency, key.installation.clone())).or_default();
            numbers.highest = numbers.highest.max(sequence);
            self.by_sequence.insert((agency, key.installation.clone(), sequence), letter.clone());
        }
        self.by_id.insert((agency, key.letter_id), letter);
    }
}
