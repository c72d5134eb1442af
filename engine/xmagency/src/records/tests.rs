//! Tests of records on their way from new to validated, and of files of comma-separated values.

use sdc::answer::notice::TableDefinition;
use serde_json::json;

use super::*;
use crate::vault::DatabaseKey;

/// Makes an office's database with the table of births.
pub fn with_births(look: impl FnOnce(&Database, &Table)) {
    let place = tempfile::tempdir().unwrap();
    let database = Database::open(place.path(), &DatabaseKey::generate().unwrap()).unwrap();
    let definition = births(1);
    database.define(&definition).unwrap();
    let table = database.table("actenaissance").unwrap();
    look(&database, &table);
}

/// Returns a definition of births, as short as tests need.
pub fn births(version: u32) -> TableDefinition {
    let column = |name: &str, kind: &str, nullable: bool| json!({ "name": name, "type": kind, "nullable": nullable, "has_default": false });
    TableDefinition {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        version,
        legal_key: ["CentreCode", "AnneeRegistre", "NumeroActe"].map(str::to_owned).to_vec(),
        scope: Some("CentreCode".to_owned()),
        corrections: "never".to_owned(),
        columns: vec![
            json!({ "name": "Numero", "type": "bigint", "nullable": false, "has_default": true }),
            column("Status", "smallint", false),
            column("NumeroActe", "integer", false),
            column("AnneeRegistre", "smallint", false),
            json!({ "name": "CentreCode", "type": "text", "length_chars_max": 12, "nullable": false, "has_default": false }),
            json!({ "name": "NomEnfant", "type": "text", "length_chars_max": 80, "nullable": false, "has_default": false }),
            column("DateNaissance", "date", true),
            column("ActeUid", "uuid", false),
        ],
    }
}

/// Returns what somebody typed for a birth.
pub fn pairs(number: &str, name: &str) -> Vec<(String, String)> {
    let pairs = [("numeroacte", number), ("AnneeRegistre", "2026"), ("CentreCode", "C01"), ("NomEnfant", name)];
    pairs.map(|(column, text)| (column.to_owned(), text.to_owned())).to_vec()
}

const BY: By<'static> = By { name: "awa", at: "2026-12-01T08:00:00Z" };

fn add(database: &Database, table: &Table, number: &str, name: &str) -> Result<i64, RecordError> {
    let mut columns = Map::new();
    read_pairs(table, pairs(number, name), &mut columns).unwrap();
    fill_identifiers(table, &mut columns);
    assert_eq!(examine(table, &columns), []);
    database.add_record(table, &columns, BY)
}

#[test]
fn a_record_goes_from_new_to_validated_and_back_and_its_story_is_kept() {
    with_births(|database, table| {
        let numero = add(database, table, "118", "Ngo Biyong").unwrap();
        let record = || database.record(numero).unwrap();
        assert_eq!((record().status, record().columns["NumeroActe"].clone()), (Status::New, json!(118)));
        let mut columns = record().columns;
        read_pairs(table, [("DateNaissance".to_owned(), "2026-11-01".to_owned())], &mut columns).unwrap();
        database.edit_record(table, &record(), &columns, BY).unwrap();
        database.reopen_record(&record(), BY).unwrap_err();
        database.validate_record(&record(), BY).unwrap();
        assert_eq!((record().status, record().validated_by.as_deref()), (Status::Validated, Some("awa")));
        let locked = database.edit_record(table, &record(), &columns, BY).unwrap_err().to_string();
        assert!(locked.starts_with("record 1 has status 2, expected 1"), "{locked}");
        database.reopen_record(&record(), BY).unwrap();
        database.cancel_record(&record(), "twice", BY).unwrap();
        assert_eq!(record().status, Status::Cancelled);
        database.cancel_record(&record(), "again", BY).unwrap_err();
        let acts = database.list("SELECT act FROM acts ORDER BY id", [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(acts, ["edit", "validate", "reopen", "cancel"]);
        assert!(database.record(7).is_err());
    });
}

#[test]
fn a_legal_key_is_of_one_live_record_and_a_number_is_never_given_again() {
    with_births(|database, table| {
        let first = add(database, table, "118", "Ngo Biyong").unwrap();
        assert!(matches!(add(database, table, "118", "Mbome"), Err(RecordError::Duplicate { .. })));
        database.cancel_record(&database.record(first).unwrap(), "twice", BY).unwrap();
        let second = add(database, table, "118", "Mbome").unwrap();
        assert!(second > first);
        let found =
            |filter: Filter| database.records(&filter, 10).unwrap().iter().map(|one| one.numero).collect::<Vec<_>>();
        assert_eq!(found(Filter::default()), [second, first]);
        assert_eq!(found(Filter { status: Some(Status::New), ..Filter::default() }), [second]);
        assert_eq!(found(Filter { text: Some("mbo".to_owned()), ..Filter::default() }), [second]);
    });
}

#[test]
fn what_the_centre_would_refuse_is_told_before_it_is_packed() {
    with_births(|_, table| {
        let mut columns = Map::new();
        let wrong = [("NumeroActe", "12.5"), ("Nom", "x"), ("CentreCode", "C0123456789012")];
        let wrong = wrong.map(|(column, text)| (column.to_owned(), text.to_owned()));
        let faults = read_pairs(table, wrong, &mut columns).unwrap_err();
        let rules: Vec<_> = faults.iter().map(|fault| (fault.column.as_str(), fault.rule)).collect();
        assert_eq!(rules, [("NumeroActe", "type"), ("Nom", "column"), ("CentreCode", "length")]);
        let missing: Vec<_> = examine(table, &columns).into_iter().map(|fault| (fault.column, fault.rule)).collect();
        let expected = ["NumeroActe", "AnneeRegistre", "CentreCode", "NomEnfant", "ActeUid"];
        assert_eq!(missing, expected.map(|column| (column.to_owned(), "not_null")));
    });
}

#[test]
fn a_change_takes_values_away_and_tells_what_it_cannot() {
    with_births(|_, table| {
        let record = json!({ "NomEnfant": "Ngo", "DateNaissance": "2026-11-01" });
        let read = |column: &str, text: &str| {
            let pairs = vec![(column.to_owned(), text.to_owned())];
            let rule = |faults: Vec<Fault>| faults.iter().map(|fault| fault.rule).collect::<Vec<_>>();
            read_changes(table, pairs, record.as_object().unwrap()).map(Value::Object).map_err(rule)
        };
        assert_eq!(read("datenaissance", ""), Ok(json!({ "DateNaissance": null })));
        assert_eq!(read("NomEnfant", "Mbome"), Ok(json!({ "NomEnfant": "Mbome" })));
        assert_eq!(read("NomEnfant", "Ngo"), Ok(json!({})));
        assert_eq!(read("NomEnfant", ""), Err(vec!["not_null"]));
        assert_eq!(read("Nom", ""), Err(vec!["column"]));
    });
}

#[test]
fn a_file_is_taken_whole_or_not_at_all() {
    with_births(|database, table| {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("births.csv");
        let load = |text: &str, is_dry| {
            std::fs::write(&file, text).unwrap();
            load(database, table, &file, is_dry, BY).unwrap()
        };
        let count = || database.records(&Filter::default(), 100).unwrap().len();
        let good =
            "\u{feff}NumeroActe,AnneeRegistre,CentreCode,NomEnfant\n118,2026,C01,\"Ngo, Biyong\"\n119,2026,C01,Mbome\n";
        let faulty = load(&format!("{good}x,2026,C01,Abena\n"), false);
        assert_eq!((faulty.records, faulty.faulty[0].0, count()), (2, 4, 0));
        assert_eq!((load(good, true).records, count()), (2, 0));
        assert_eq!((load(good, false).records, count()), (2, 2));
        let again = load(good, false);
        assert_eq!((again.records, again.duplicates, count()), (0, vec![2, 3], 2));
        let records = database.records(&Filter::default(), 100).unwrap();
        let out = written(table, &records);
        assert!(
            out.starts_with(
                "Numero,Status,NumeroActe,AnneeRegistre,CentreCode,NomEnfant,DateNaissance,ActeUid\n2,1,119"
            )
        );
        assert!(out.contains("1,1,118,2026,C01,\"Ngo, Biyong\",,"), "{out}");
    });
}

#[test]
fn the_highest_version_of_a_definition_holds() {
    with_births(|database, _| {
        let mut later = births(3);
        later.columns.pop();
        database.define(&later).unwrap();
        database.define(&births(2)).unwrap();
        let table = database.table("ecr.ActeNaissance").unwrap();
        assert_eq!((table.definition.version, table.columns.len()), (3, 5));
        assert!(database.table("ActeDeces").unwrap_err().to_string().contains("expected one of ecr.ActeNaissance"));
        let mut unknown = births(4);
        unknown.columns.push(json!({ "name": "Lieu", "type": "polygon", "nullable": true, "has_default": false }));
        assert!(Table::of(unknown).is_none());
    });
}
