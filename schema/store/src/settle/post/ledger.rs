//! Charges the accepted letters: an entry for each, and the balances of their agencies.

use std::collections::HashSet;

use crate::database::fault::Fault;
use crate::database::statement::Bind;
use crate::settle::verdict::VerdictRow;
use crate::settle::written::Written;

impl Written {
    pub(super) async fn insert_entries(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        // In the order of effect, so that the entries of an account run by their ids from balance to balance.
        let mut charged: Vec<(usize, &VerdictRow)> = charged(verdicts).enumerate().collect();
        charged.sort_by_key(|(at, verdict)| (verdict.agency, verdict.key.order_of_effect(*at)));
        let charged: Vec<&VerdictRow> = charged.into_iter().map(|(_, verdict)| verdict).collect();
        if charged.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Integers(charged.iter().map(|verdict| Some(verdict.account.id)).collect()),
            Bind::Bigints(charged.iter().map(|verdict| Some(verdict.cost)).collect()),
            Bind::Matricules(charged.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Uuids(charged.iter().map(|verdict| Some(verdict.key.letter_id)).collect()),
            Bind::Bigints(charged.iter().map(|verdict| Some(verdict.account.balance)).collect()),
            Bind::Bigints(charged.iter().map(|verdict| verdict.balance_floor).collect()),
            Bind::Timestamptzs(charged.iter().map(|verdict| Some(verdict.decided_at)).collect()),
            Bind::Smallints(charged.iter().map(|verdict| Some(verdict.key.attempt)).collect()),
        ];
        let text =
            "INSERT INTO xm.entries (credit, kind, debit, amount, agency, letter_id, balance_after, balance_floor,
                                     posted_at, attempt)
             SELECT (SELECT id FROM xm.accounts WHERE kind = 'income' AND agency IS NULL), 'letter',
                    unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)";
        self.execute(text, &binds).await?;
        Ok(())
    }

    pub(super) async fn change_balances(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let (accounts, amounts): (Vec<Option<i32>>, Vec<Option<i64>>) =
            charged(verdicts).map(|verdict| (Some(verdict.account.id), Some(verdict.cost))).unzip();
        if accounts.is_empty() {
            return Ok(());
        }
        let text = "UPDATE xm.accounts a SET balance = a.balance - n.amount
                      FROM (SELECT account, sum(amount)::bigint AS amount FROM unnest(?, ?) AS s (account, amount)
                             GROUP BY account) n
                     WHERE a.id = n.account AND a.agency IS NOT NULL";
        let distinct: HashSet<i32> = accounts.iter().copied().flatten().collect();
        let binds = [Bind::Integers(accounts), Bind::Bigints(amounts)];
        let updated = self.execute(text, &binds).await?;
        if updated != distinct.len() {
            return Err(Fault::Bug(
                "an agency has no account in xm.accounts: create it before it is charged".to_owned(),
            ));
        }
        Ok(())
    }
}

fn charged(verdicts: &[VerdictRow]) -> impl Iterator<Item = &VerdictRow> {
    verdicts.iter().filter(|verdict| verdict.cost > 0)
}
