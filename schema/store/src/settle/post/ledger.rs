//! Charges and credits the accounts of accepted letters: one entry for each letter, and the balances of the agencies.

use std::collections::HashSet;

use crate::database::fault::Fault;
use crate::database::statement::Bind;
use crate::settle::verdict::VerdictRow;
use crate::settle::written::Written;

impl Written {
    pub(super) async fn insert_entries(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        // Each entry has the balance after it. Entries are written in the order in which the letters take effect, so that the balances of
        // an account follow from each other in the order of the entries' ids.
        let mut moved: Vec<(usize, &VerdictRow)> = moved(verdicts).enumerate().collect();
        moved.sort_by_key(|(at, verdict)| (verdict.agency, verdict.key.order_of_effect(*at)));
        let moved: Vec<&VerdictRow> = moved.into_iter().map(|(_, verdict)| verdict).collect();
        if moved.is_empty() {
            return Ok(());
        }
        let is_charge = |verdict: &VerdictRow| verdict.credit.is_none();
        let amount = |verdict: &VerdictRow| verdict.credit.as_ref().map_or(verdict.cost, |credit| credit.amount);
        let mut binds = vec![
            Bind::Integers(moved.iter().map(|verdict| Some(verdict.account.id)).collect()),
            Bind::Bigints(moved.iter().map(|verdict| Some(amount(verdict))).collect()),
            Bind::Matricules(moved.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Uuids(moved.iter().map(|verdict| is_charge(verdict).then_some(verdict.key.letter_id)).collect()),
            Bind::Bigints(moved.iter().map(|verdict| Some(verdict.account.balance)).collect()),
            Bind::Bigints(moved.iter().map(|verdict| verdict.balance_floor).collect()),
            Bind::Timestamptzs(moved.iter().map(|verdict| Some(verdict.decided_at)).collect()),
            Bind::Smallints(moved.iter().map(|verdict| is_charge(verdict).then_some(verdict.key.attempt)).collect()),
        ];
        let text = if moved.iter().all(|verdict| is_charge(verdict)) {
            "INSERT INTO xm.entries (credit, kind, debit, amount, agency, letter_id, balance_after, balance_floor,
                                     posted_at, attempt)
             SELECT (SELECT id FROM xm.accounts WHERE kind = 'income' AND agency IS NULL), 'letter',
                    unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)"
        } else {
            let notes = moved.iter().map(|verdict| Some(verdict.credit.as_ref().map_or("", |credit| &credit.note)));
            binds.push(Bind::Texts(notes.collect()));
            // An entry refers to a letter only if it is the charge for this letter. A voucher was paid when it was sold, so its entry
            // refers to no letter; the voucher's own row says which letter redeemed it.
            "INSERT INTO xm.entries (credit, kind, debit, amount, agency, letter_id, balance_after, balance_floor,
                                     posted_at, attempt, note)
             SELECT CASE WHEN n.letter_id IS NULL THEN n.account ELSE i.id END,
                    CASE WHEN n.letter_id IS NULL THEN 'voucher' ELSE 'letter' END,
                    CASE WHEN n.letter_id IS NULL THEN r.id ELSE n.account END,
                    n.amount, n.agency, n.letter_id, n.balance_after, n.balance_floor, n.posted_at, n.attempt, n.note
               FROM unnest(?, ?, ?, ?, ?, ?, ?, ?, ?) WITH ORDINALITY
                    AS n (account, amount, agency, letter_id, balance_after, balance_floor, posted_at, attempt, note, place),
                    xm.accounts i, xm.accounts r
              WHERE i.kind = 'income' AND i.agency IS NULL AND r.kind = 'recharge' AND r.agency IS NULL
              ORDER BY n.place"
        };
        self.execute(text, &binds).await?;
        Ok(())
    }

    pub(super) async fn change_balances(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let change = |verdict: &VerdictRow| verdict.cost - verdict.credit.as_ref().map_or(0, |credit| credit.amount);
        let (accounts, amounts): (Vec<Option<i32>>, Vec<Option<i64>>) =
            moved(verdicts).map(|verdict| (Some(verdict.account.id), Some(change(verdict)))).unzip();
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

/// Returns the verdicts that change the balance of an account. No letter is both charged and credited, since a recharge is free.
fn moved(verdicts: &[VerdictRow]) -> impl Iterator<Item = &VerdictRow> {
    verdicts.iter().filter(|verdict| verdict.cost > 0 || verdict.credit.is_some())
}
