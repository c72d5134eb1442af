//! Writes the verdicts of attempts at letters after the first attempt: an operator's retry, or people's decision about a held letter. Each
//! of these attempts has a row of its own in `xm.attempts`.

use crate::database::fault::Fault;
use crate::database::statement::Bind;
use crate::settle::verdict::VerdictRow;
use crate::settle::written::Written;

impl Written {
    /// Deletes unsent answers to earlier attempts. The new answer gets a new row with a new id: a program that has leased the old row may
    /// still report it as sent, and must not change the new row by that.
    pub(super) async fn take_answers_back(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let again = self.again(verdicts);
        if again.is_empty() {
            return Ok(());
        }
        // The letters are locked before their answers, as in every transaction that changes answers (`letters::outbox`).
        let text = "WITH locked AS MATERIALIZED (
                         SELECT l.agency, l.letter_id FROM xm.letters l
                           JOIN unnest(?, ?) AS n (agency, letter_id) ON n.agency = l.agency AND n.letter_id = l.letter_id
                          ORDER BY l.agency, l.letter_id FOR NO KEY UPDATE OF l)
                    DELETE FROM xm.outbox o USING locked n
                     WHERE o.agency = n.agency AND o.letter_id = n.letter_id";
        self.execute(text, &names(&again)).await?;
        Ok(())
    }

    /// Writes the rows of these attempts in one statement. The statements that are sent after it, without waiting for its result, rely on
    /// all of these rows.
    pub(super) async fn insert_attempts(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let again = self.again(verdicts);
        let Some(retry) = self.retry.as_ref().filter(|_| !again.is_empty()) else { return Ok(()) };
        let mut binds = Vec::from(names(&again));
        binds.extend([
            Bind::Smallints(again.iter().map(|verdict| Some(verdict.key.attempt)).collect()),
            Bind::Texts(again.iter().map(|verdict| Some(verdict.outcome.as_str())).collect()),
            Bind::Byteas(again.iter().map(|verdict| Some(verdict.receipt.as_slice())).collect()),
            Bind::Timestamptzs(again.iter().map(|verdict| Some(verdict.decided_at)).collect()),
            Bind::Text(&retry.decider),
            Bind::Bigints(vec![retry.approval]),
        ]);
        let text = "WITH n AS (SELECT * FROM unnest(?, ?, ?, ?, ?, ?)
                                 AS n (agency, letter_id, attempt, verdict, receipt, decided_at)),
                         raised AS (UPDATE xm.letters l SET attempt = n.attempt, verdict = n.verdict, answered_at = NULL
                                      FROM n WHERE l.agency = n.agency AND l.letter_id = n.letter_id)
                    INSERT INTO xm.attempts (agency, letter_id, attempt, verdict, receipt, decided_at, decider, approval)
                    SELECT n.*, ?, (?)[1] FROM n";
        self.execute(text, &binds).await?;
        Ok(())
    }

    fn again<'a>(&self, verdicts: &'a [VerdictRow]) -> Vec<&'a VerdictRow> {
        let verdicts = verdicts.iter().filter(|_| self.retry.is_some());
        verdicts.filter(|verdict| !verdict.key.is_of_first_attempt()).collect()
    }
}

fn names<'a>(verdicts: &[&VerdictRow]) -> [Bind<'a>; 2] {
    [
        Bind::Matricules(verdicts.iter().map(|verdict| Some(verdict.agency)).collect()),
        Bind::Uuids(verdicts.iter().map(|verdict| Some(verdict.key.letter_id)).collect()),
    ]
}
