//! The form in which the memory keeps records: their identifying fields, and a digest of their values.

use sdc::digest::Digest;
use sdc::request::Records;
use serde_json::Value;

/// One row of an accepted letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowMemory {
    /// Application and table, such as `ecr.ActeNaissance`.
    pub table: &'static str,
    /// The number that the sender gave to the record.
    pub numero: i64,
    /// SHA-256 of the record's values, computed by [`content`].
    pub content: Digest,
    /// The fields by which an act is found; none for a record that is no act.
    pub act: Option<ActMemory>,
}

/// The fields by which an act is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActMemory {
    /// The number of the act in its register.
    pub number: i64,
    /// The surname of the person whom the act is about.
    pub name: String,
}

/// Returns the rows of a letter in the form in which the memory keeps them. Rows of tables that are not the samples' are left out.
pub fn rows(records: &Records) -> Vec<RowMemory> {
    let mut rows = Vec::new();
    for table in &records.tables {
        let Some(name) = table_name(&records.application, &table.table) else { continue };
        for row in 0..table.row_count() {
            let cells: Vec<(&str, &Value)> = table
                .columns
                .iter()
                .zip(&table.values)
                .map(|(column, values)| (column.as_str(), &values[row]))
                .collect();
            rows.push(row_of(name, &cells));
        }
    }
    rows
}

/// Returns one record in the form in which the memory keeps it.
pub fn row_of(table: &'static str, cells: &[(&str, &Value)]) -> RowMemory {
    let cell = |name: &str| cells.iter().find(|(column, _)| *column == name).map(|(_, value)| *value);
    let usual = Value::from(PRECISION_USUAL);
    let mut whole = cells.to_vec();
    whole.extend(filled_in(table).iter().filter(|column| cell(column).is_none()).map(|column| (*column, &usual)));
    let act = name_column(table).and_then(|column| {
        Some(ActMemory { number: cell("NumeroActe")?.as_i64()?, name: cell(column)?.as_str()?.to_owned() })
    });
    RowMemory {
        table,
        numero: cell("Numero").and_then(Value::as_i64).unwrap_or_default(),
        content: content(&whole),
        act,
    }
}

/// Returns the digest of what a selection of number and name gives for an act.
pub fn number_and_name(table: &str, act: &ActMemory) -> Digest {
    let (number, name) = (Value::from(act.number), Value::from(act.name.as_str()));
    content(&[("NumeroActe", &number), (name_column(table).unwrap_or_default(), &name)])
}

/// The tables that the demo's agencies write to.
const TABLES: [&str; 5] =
    ["ecr.ActeNaissance", "ecr.ActeMariage", "ecr.ActeDeces", "election.ResultatBureau", "election.VoixCandidat"];

/// The default precision of a date of birth, where the letter does not give one.
const PRECISION_USUAL: &str = "jour";

/// Returns the columns that the table fills with [`PRECISION_USUAL`] where a letter leaves them out.
fn filled_in(table: &str) -> &'static [&'static str] {
    match table {
        "ecr.ActeNaissance" => &["DateNaissancePrecision", "DateNaissancePerePrecision", "DateNaissanceMerePrecision"],
        "ecr.ActeMariage" => &["DateNaissanceEpouxPrecision", "DateNaissanceEpousePrecision"],
        "ecr.ActeDeces" => &["DateNaissancePrecision"],
        _ => &[],
    }
}

/// Returns the column with the surname of the person whom an act is about; none where the table's records are no acts.
pub fn name_column(table: &str) -> Option<&'static str> {
    match table {
        "ecr.ActeNaissance" => Some("NomEnfant"),
        "ecr.ActeMariage" => Some("NomEpoux"),
        "ecr.ActeDeces" => Some("NomDefunt"),
        _ => None,
    }
}

/// Finds a table of the samples by application and name, and returns its full name.
pub fn table_name(application: &str, table: &str) -> Option<&'static str> {
    TABLES.into_iter().find(|name| name.split_once('.') == Some((application, table)))
}

/// Computes a digest of the values of a row, in the order of the column names and in the form in which PostgreSQL writes them. Null values
/// are left out, and so are the columns that differ at the centre: the record's number, and where the record comes from.
pub fn content(cells: &[(&str, &Value)]) -> Digest {
    let mut cells: Vec<(&str, String)> = cells
        .iter()
        .filter(|(column, _)| *column != "Numero" && !column.starts_with("xm_"))
        .filter_map(|(column, value)| Some((*column, text(value)?)))
        .collect();
    cells.sort_unstable();
    let text: Vec<String> = cells.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    Digest::of(text.join("\u{1f}").as_bytes())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
