//! Stores held letters whole, and their rows for the operators to read.

use serde_json::Value;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, runs, unnested};
use crate::settle::batch::Case;
use crate::settle::decision::{Decision, Hold};
use crate::settle::judge::Key;
use crate::settle::written::Written;
use crate::tables::examine::row_number;

/// A held letter: its case, key, hold, and its checks as JSON.
struct HeldLetter<'a> {
    case: &'a Case,
    key: &'a Key,
    hold: &'a Hold,
    checks: Value,
}

/// A row of a held letter, as it is written to `xm.held_rows`.
struct HeldRow<'a> {
    letter: &'a HeldLetter<'a>,
    table_id: i32,
    row: i32,
    numero: Option<i64>,
    content: Value,
}

impl Written {
    /// Writes the held letters of the batch. If the batch has none, as is usual, no statement is sent.
    pub(super) async fn insert_held(&self) -> Result<(), Fault> {
        let mut letters = Vec::new();
        for case in self.batch.iter() {
            let Decision::Held { key, hold, .. } = &case.decision else { continue };
            let checks: Vec<_> = hold.found.iter().map(|found| &found.flag).collect();
            let checks = serde_json::to_value(checks).map_err(|_no_json| {
                Fault::Bug("the checks of a held letter could not be written as JSON".to_owned())
            })?;
            letters.push(HeldLetter { case, key, hold, checks });
        }
        for run in runs(&letters, |letter| letter.case.arrival.container.len()) {
            self.insert_held_run(run).await?;
        }
        let rows: Vec<HeldRow<'_>> = letters.iter().flat_map(rows_of).collect();
        // The size of a row as JSON is not known beforehand, so a statement is limited by its number of rows. A full birth record takes 1
        // 200 bytes.
        for run in rows.chunks(1000) {
            self.insert_held_rows(run).await?;
        }
        Ok(())
    }

    async fn insert_held_run(&self, letters: &[HeldLetter<'_>]) -> Result<(), Fault> {
        let service = |letter: &HeldLetter<'_>| letter.case.letter().map(|letter| letter.request.service().name());
        let tables = |letter: &HeldLetter<'_>| {
            let ids = letter.hold.work.table_ids().map(|id| id.to_string()).collect::<Vec<String>>();
            format!("{{{}}}", ids.join(","))
        };
        let tables: Vec<String> = letters.iter().map(tables).collect();
        let binds = [
            Bind::Matricules(letters.iter().map(|letter| letter.case.agency()).collect()),
            Bind::Uuids(letters.iter().map(|letter| Some(letter.key.letter_id)).collect()),
            Bind::Smallints(letters.iter().map(|letter| Some(letter.key.attempt)).collect()),
            Bind::Texts(letters.iter().map(|letter| Some(letter.key.installation.as_str())).collect()),
            Bind::Texts(letters.iter().map(service).collect()),
            Bind::Texts(letters.iter().map(|letter| Some(letter.hold.code.as_str())).collect()),
            Bind::Jsonbs(letters.iter().map(|letter| Some(&letter.checks)).collect()),
            Bind::Texts(tables.iter().map(|ids| Some(ids.as_str())).collect()),
            Bind::Booleans(letters.iter().map(|letter| Some(letter.hold.work.is_of_results())).collect()),
            Bind::Timestamptzs(letters.iter().map(|letter| Some(letter.case.arrival.received_at)).collect()),
            Bind::Timestamptzs(letters.iter().map(|letter| Some(self.decided_at(&letter.case.arrival))).collect()),
            Bind::Texts(letters.iter().map(|letter| Some(letter.case.arrival.source.transport)).collect()),
            Bind::Texts(letters.iter().map(|letter| Some(&*letter.case.arrival.source.mailbox)).collect()),
            Bind::Texts(letters.iter().map(|letter| Some(letter.case.arrival.source.sender_domain.as_str())).collect()),
            Bind::Byteas(letters.iter().map(|letter| Some(letter.case.arrival.container.as_slice())).collect()),
        ];
        let text = format!(
            "INSERT INTO xm.held (agency, letter_id, attempt, installation, service, code, checks, tables, is_of_results,
                                  received_at, held_at, transport, mailbox, sender_domain, original)
             SELECT agency, letter_id, attempt, installation, service, code, checks, tables::integer[], is_of_results,
                    received_at, held_at, transport, mailbox, sender_domain, original
               FROM (SELECT {}) AS n (agency, letter_id, attempt, installation, service, code, checks, tables, is_of_results,
                                      received_at, held_at, transport, mailbox, sender_domain, original)
                 ON CONFLICT ON CONSTRAINT held_letter DO UPDATE
                SET attempt = excluded.attempt, code = excluded.code, checks = excluded.checks, tables = excluded.tables,
                    is_of_results = excluded.is_of_results, held_at = excluded.held_at, original = excluded.original,
                    state = 'open', decided_at = NULL, decided_by = NULL, reason = NULL",
            unnested(binds.len())
        );
        self.execute(&text, &binds).await?;
        let named = [
            Bind::Matricules(letters.iter().map(|letter| letter.case.agency()).collect()),
            Bind::Uuids(letters.iter().map(|letter| Some(letter.key.letter_id)).collect()),
        ];
        let text = "DELETE FROM xm.held_rows r USING xm.held h, unnest(?, ?) AS n (agency, letter_id)
                     WHERE h.agency = n.agency AND h.letter_id = n.letter_id AND r.held = h.id";
        self.execute(text, &named).await?;
        Ok(())
    }

    async fn insert_held_rows(&self, rows: &[HeldRow<'_>]) -> Result<(), Fault> {
        let binds = [
            Bind::Matricules(rows.iter().map(|row| row.letter.case.agency()).collect()),
            Bind::Uuids(rows.iter().map(|row| Some(row.letter.key.letter_id)).collect()),
            Bind::Integers(rows.iter().map(|row| Some(row.table_id)).collect()),
            Bind::Integers(rows.iter().map(|row| Some(row.row)).collect()),
            Bind::Bigints(rows.iter().map(|row| row.numero).collect()),
            Bind::Jsonbs(rows.iter().map(|row| Some(&row.content)).collect()),
        ];
        let text = "INSERT INTO xm.held_rows (held, table_id, row_number, numero, content)
                    SELECT h.id, n.table_id, n.row_number, n.numero, n.content
                      FROM unnest(?, ?, ?, ?, ?, ?) AS n (agency, letter_id, table_id, row_number, numero, content)
                      JOIN xm.held h ON h.agency = n.agency AND h.letter_id = n.letter_id";
        self.execute(text, &binds).await?;
        Ok(())
    }
}

/// Returns the rows of a held letter, as they would be written if it were released.
fn rows_of<'a>(letter: &'a HeldLetter<'a>) -> impl Iterator<Item = HeldRow<'a>> {
    let corrections = letter.hold.work.corrections().iter().enumerate().map(move |(at, correction)| HeldRow {
        letter,
        table_id: correction.definition.table_id,
        row: i32::try_from(row_number(at)).unwrap_or(i32::MAX),
        numero: correction.found.as_ref().map(|found| found.numero),
        content: correction.json(),
    });
    let written = letter.hold.work.tables().iter().flat_map(move |rows| {
        (0..rows.row_count()).map(move |row| HeldRow {
            letter,
            table_id: rows.definition.table_id,
            row: i32::try_from(row_number(row)).unwrap_or(i32::MAX),
            numero: rows.numeros.get(row).copied(),
            content: rows.json(row),
        })
    });
    written.chain(corrections)
}
