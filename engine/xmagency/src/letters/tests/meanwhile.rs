//! Tests of letters that the centre accepts after it had refused them, while the office wrote something else.

use serde_json::json;

use super::*;

impl World {
    /// Packs what is validated, and has the centre refuse it for a fault. Returns the letter.
    fn refused(&self) -> i64 {
        let sequence = self.packed();
        self.answer(&self.receipt(sequence, 1, Some(Refusal::new(RefusalCode::RowsInvalid)))).unwrap();
        sequence
    }

    fn packed(&self) -> i64 {
        let exported = export(&self.desk, None, false).unwrap();
        exported.letters[0].sequence.try_into().unwrap()
    }

    /// Reopens a record and gives it another name; no name takes it away.
    fn renamed(&self, numero: i64, column: &str, name: &str) {
        let (database, at) = (&self.desk.database, now());
        let (table, by) = (database.table("ActeNaissance").unwrap(), By { name: "mbome", at: &at });
        database.reopen_record(&self.record(numero), by).unwrap();
        let mut columns = self.record(numero).columns;
        read_pairs(&table, [(column.to_owned(), name.to_owned())], &mut columns).unwrap();
        database.edit_record(&table, &self.record(numero), &columns, by).unwrap();
    }

    fn validated(&self, numero: i64) {
        self.desk.database.validate_record(&self.record(numero), By { name: "mbome", at: &now() }).unwrap();
    }

    fn name_of(&self, numero: i64) -> String {
        self.record(numero).columns["NomEnfant"].as_str().unwrap().to_owned()
    }
}

#[test]
fn what_was_changed_and_validated_since_is_not_shown_as_exported() {
    let world = World::enrolled();
    let numero = world.birth(118);
    let letter = world.refused();
    world.renamed(numero, "NomEnfant", "Mbome");
    world.validated(numero);
    assert_eq!((world.status(numero), world.record(numero).sequence), (Status::Validated, None));
    world.answer(&world.receipt(letter, 2, None)).unwrap();
    // The centre has what was sent; the change is kept, and leads to a correction.
    assert_eq!((world.status(numero), world.name_of(numero)), (Status::Exported, "Ngo Biyong".to_owned()));
    assert_eq!(world.record(numero).sequence, Some(letter));
    let remark = world.record(numero).remark.unwrap();
    assert_eq!(
        (remark["code"].clone(), remark["columns"].clone()),
        (json!("accepted_meanwhile"), json!({ "NomEnfant": "Mbome" }))
    );
    assert_eq!(export(&world.desk, None, false).unwrap().letters.len(), 0);
    let columns = remark["columns"].as_object().cloned();
    let correcting = Correcting { columns, reason: "misread".to_owned(), reference: "PV 1".to_owned() };
    let sequence = correct(&world.desk, &world.record(numero), correcting).unwrap().sequence;
    world.answer(&world.receipt(sequence.try_into().unwrap(), 1, None)).unwrap();
    assert_eq!((world.name_of(numero), world.record(numero).remark), ("Mbome".to_owned(), None));
}

#[test]
fn what_waits_in_a_later_letter_is_decided_with_that() {
    let world = World::enrolled();
    let numero = world.birth(118);
    let first = world.refused();
    world.renamed(numero, "NomEnfant", "Mbome");
    world.validated(numero);
    let second = world.packed();
    world.answer(&world.receipt(first, 2, None)).unwrap();
    assert_eq!((world.status(numero), world.name_of(numero)), (Status::Packed, "Mbome".to_owned()));
    // The centre has the record by the first letter, so it refuses the second one.
    world.answer(&world.receipt(second, 1, Some(Refusal::new(RefusalCode::RowsInvalid)))).unwrap();
    assert_eq!((world.status(numero), world.name_of(numero)), (Status::Exported, "Ngo Biyong".to_owned()));
    assert_eq!(world.record(numero).remark.unwrap()["columns"], json!({ "NomEnfant": "Mbome" }));
}

#[test]
fn a_record_that_was_given_up_is_the_centres_even_where_another_has_its_key() {
    let world = World::enrolled();
    let numero = world.birth(118);
    let letter = world.refused();
    let at = now();
    let by = By { name: "mbome", at: &at };
    world.desk.database.cancel_record(&world.record(numero), "wrong", by).unwrap();
    let other = world.birth(118);
    world.answer(&world.receipt(letter, 2, None)).unwrap();
    assert_eq!([world.status(numero), world.status(other)], [Status::Exported, Status::Validated]);
    assert_eq!(world.record(numero).remark.unwrap()["cancelled"], true);
    // Once a correction has cancelled it, a further receipt of the letter does not bring it back.
    let correcting = Correcting { columns: None, reason: "wrong".to_owned(), reference: "PV 1".to_owned() };
    let sequence = correct(&world.desk, &world.record(numero), correcting).unwrap().sequence;
    world.answer(&world.receipt(sequence.try_into().unwrap(), 1, None)).unwrap();
    world.answer(&world.receipt(letter, 3, None)).unwrap();
    assert_eq!(world.status(numero), Status::Cancelled);
}

#[test]
fn only_a_document_that_is_proven_foreign_is_not_the_offices() {
    let world = World::enrolled();
    world.birth(118);
    let letter = world.packed();
    let answer = world.receipt(letter, 1, None);
    let document = world.sealed(&payload::write_answer(&answer, PayloadForm::Json), &world.centre);
    let stranger = Identity::generate("centre-x", Algorithm::P256).unwrap();
    let forged = world.sealed(&payload::write_answer(&answer, PayloadForm::Json), &stranger);
    assert!(take(&world.desk, &forged).unwrap_err().is_of_document());
    // The register fails, then the keys do: the answer is not to blame.
    world.desk.database.change("ALTER TABLE parts RENAME TO away", []).unwrap();
    let failed = take(&world.desk, &document).unwrap_err();
    assert!(matches!(failed, LetterError::Answer(AnswerError::Register(_))) && !failed.is_of_document(), "{failed}");
    world.desk.database.change("ALTER TABLE keys RENAME TO lost", []).unwrap();
    let failed = take(&world.desk, &document).unwrap_err();
    assert!(matches!(failed, LetterError::Key(KeyError::Database(_))) && !failed.is_of_document(), "{failed}");
}

#[test]
fn a_correction_changes_the_record_and_its_key_once_and_an_older_one_nothing() {
    let world = World::enrolled();
    let numero = world.birth(118);
    let letter = world.packed();
    world.answer(&world.receipt(letter, 1, None)).unwrap();
    let corrected = |columns: serde_json::Value| {
        let columns = columns.as_object().cloned();
        let correcting = Correcting { columns, reason: "misread".to_owned(), reference: "PV 1".to_owned() };
        i64::try_from(correct(&world.desk, &world.record(numero), correcting).unwrap().sequence).unwrap()
    };
    let first = corrected(json!({ "NumeroActe": 119, "DateNaissance": "2026-11-01" }));
    let second = corrected(json!({ "NomEnfant": "Mbome", "DateNaissance": null }));
    let third = corrected(json!({ "NomEnfant": "Abena" }));
    let columns = || {
        let columns = world.record(numero).columns;
        ["NumeroActe", "NomEnfant", "DateNaissance"].map(|name| columns.get(name).cloned().unwrap_or_default())
    };
    world.answer(&world.receipt(first, 1, None)).unwrap();
    assert_eq!(columns(), [json!(119), json!("Ngo Biyong"), json!("2026-11-01")]);
    // The key of before is free again.
    world.birth(118);
    world.answer(&world.receipt(second, 1, None)).unwrap();
    assert_eq!(columns(), [json!(119), json!("Mbome"), json!(null)]);
    world.answer(&world.receipt(first, 2, None)).unwrap();
    assert_eq!(columns(), [json!(119), json!("Mbome"), json!(null)], "a further receipt changes nothing");
    let fourth = corrected(json!({ "NomEnfant": "Biloa" }));
    world.answer(&world.receipt(fourth, 1, None)).unwrap();
    world.answer(&world.receipt(third, 1, None)).unwrap();
    assert_eq!(columns()[1], "Biloa", "the third is older than what the record says");
}
