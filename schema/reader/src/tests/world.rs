//! A table with a column of every type: its definition in Rust, and its statement for PostgreSQL.

use sdc::letter::Matricule;
use sdc::service::Service;
use store::reading::Permit;
use store::tables::definition::{Column, ColumnType, Corrections, Definition};

/// Key of the table in `xm.tables`.
pub const TABLE_ID: i32 = 7;

/// Statements that create the table and its schema.
pub const TABLE: &str = r#"
    CREATE SCHEMA lab;
    CREATE TABLE lab.acte (
        "Numero" bigint PRIMARY KEY, "Status" smallint NOT NULL, "Centre" varchar(12), "Nom" text, "Sexe" char(3),
        "Rang" smallint, "Poids" integer, "Somme" bigint, "Taux" numeric(12,3), "Vivant" boolean, "Jour" date,
        "Heure" time, "Instant" timestamptz, "Uid" uuid, "Image" bytea,
        xm_agency integer, xm_installation text, xm_numero bigint, xm_sequence bigint, xm_letter uuid)
"#;

pub fn matricule(number: u32) -> Matricule {
    number.try_into().unwrap()
}

fn column(name: &str, kind: ColumnType) -> Column {
    let nullable = !matches!(name, "Numero" | "Status");
    Column { name: name.to_owned(), kind, nullable, has_default: false, multiline: false }
}

pub fn columns() -> Vec<Column> {
    let text = |length_chars_max, padded| ColumnType::Text { length_chars_max, padded };
    vec![
        column("Numero", ColumnType::Bigint),
        column("Status", ColumnType::Smallint),
        column("Centre", text(Some(12), false)),
        column("Nom", text(None, false)),
        column("Sexe", text(Some(3), true)),
        column("Rang", ColumnType::Smallint),
        column("Poids", ColumnType::Integer),
        column("Somme", ColumnType::Bigint),
        column("Taux", ColumnType::Numeric { precision: Some(12), scale: Some(3) }),
        column("Vivant", ColumnType::Boolean),
        column("Jour", ColumnType::Date),
        column("Heure", ColumnType::Time),
        column("Instant", ColumnType::Timestamptz { fraction_digits: None }),
        column("Uid", ColumnType::Uuid),
        column("Image", ColumnType::Bytea),
    ]
}

pub fn definition() -> Definition {
    Definition {
        table_id: TABLE_ID,
        application: "lab".to_owned(),
        name: "Acte".to_owned(),
        schema_name: "lab".to_owned(),
        relation_name: "acte".to_owned(),
        version: 1,
        scope_column: Some("Centre".to_owned()),
        legal_key: vec!["Centre".to_owned(), "Rang".to_owned()],
        corrections: Corrections::Never,
        results: false,
        checks: Vec::new(),
        notes: None,
        columns: columns(),
    }
}

/// Makes a permit for the records of one agency in the given centres; `None` permits all records.
pub fn permit(own: Option<(u32, &[&str])>) -> Permit {
    Permit {
        service: Service::Import,
        table_id: TABLE_ID,
        version: 1,
        own: own.map(|(agency, _)| matricule(agency)),
        codes: own.map(|(_, codes)| codes.iter().map(|code| (*code).to_owned()).collect()),
        gives_record: false,
    }
}
