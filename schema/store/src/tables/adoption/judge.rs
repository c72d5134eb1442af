//! Judges whether a table is fit for adoption. All problems are reported together, so that one ALTER TABLE can repair them all.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::names::same;

use super::file::{TableFile, TablesFile};
use super::inspect::{Found, PROVENANCE, Relation};
use super::problem::{Problem, ProblemCode};
use crate::database::fault::Fault;
use crate::database::identifier::{is_plain, quoted};
use crate::database::schema::tables;
use crate::tables::definition::{ColumnType, Counted, Notes, Term};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Returns the problems that prevent the adoption of the table; empty if there are none.
pub async fn problems(
    connection: &mut AsyncPgConnection,
    file: &TablesFile,
    table: &TableFile,
    relation: &Relation,
) -> Result<Vec<Problem>, Fault> {
    let mut problems = Vec::new();
    judge_columns(relation, &mut problems);
    judge_obligatory(relation, &mut problems);
    judge_keys(table, relation, &mut problems);
    judge_lines(table, relation, &mut problems);
    for check in &table.checks {
        if check.left.is_empty() || check.right.is_empty() {
            problems.push(Problem::new(ProblemCode::CheckSideEmpty).with("check", &check.code));
        }
        if check.allowance.as_ref().is_some_and(|allowance| (allowance.percent == 0) != allowance.of.is_none()) {
            problems.push(Problem::new(ProblemCode::CheckAllowance).with("check", &check.code));
        }
        for term in check.terms() {
            judge_term(connection, file, &check.code, term, relation, &mut problems).await?;
        }
    }
    if let Some(notes) = &table.notes {
        judge_notes(connection, file, notes, relation, &mut problems).await?;
    }
    let mut codes: Vec<&str> = table.checks.iter().map(|check| check.code.as_str()).collect();
    codes.sort_unstable();
    if codes.windows(2).any(|pair| pair[0] == pair[1]) {
        problems.push(Problem::new(ProblemCode::ChecksSameCode));
    }
    if problems.is_empty() {
        judge_rows(connection, file.schema_name(), table, &mut problems).await?;
    }
    Ok(problems)
}

fn judge_columns(relation: &Relation, problems: &mut Vec<Problem>) {
    for (index, found) in relation.columns.iter().enumerate() {
        let name = &found.name;
        let of = |code| Problem::new(code).with("column", name);
        if !is_plain(name) {
            problems.push(of(ProblemCode::ColumnNotPlain));
        }
        if relation.columns[..index].iter().any(|other| same(&other.name, name)) {
            problems.push(of(ProblemCode::ColumnTwin));
        }
        if found.is_provenance() {
            match PROVENANCE.iter().find(|(own, _)| own == name) {
                Some((_, type_name)) if *type_name == found.type_name && found.nullable => {}
                Some((_, type_name)) => problems.push(of(ProblemCode::ProvenanceUnfit).with("type", type_name)),
                None => problems.push(of(ProblemCode::ColumnReserved)),
            }
        } else if found.kind().is_none() {
            problems.push(of(ProblemCode::TypeUnsupported).with("type", &found.type_name));
        } else if let Some(problem) = found.inexact() {
            problems.push(problem);
        } else if found.is_generated {
            problems.push(of(ProblemCode::ColumnGenerated));
        }
    }
}

fn judge_obligatory(relation: &Relation, problems: &mut Vec<Problem>) {
    match relation.column("Numero") {
        None => problems.push(Problem::new(ProblemCode::NumeroMissing)),
        Some(numero) => {
            if !(numero.is_integer() && numero.has_default && !numero.nullable) {
                problems.push(Problem::new(ProblemCode::NumeroUnfit));
            }
        }
    }
    match relation.column("Status") {
        None => problems.push(Problem::new(ProblemCode::StatusMissing)),
        Some(status) if status.kind() != Some(ColumnType::Smallint) || status.nullable => {
            problems.push(Problem::new(ProblemCode::StatusUnfit));
        }
        Some(_) => {}
    }
}

fn judge_keys(file: &TableFile, relation: &Relation, problems: &mut Vec<Problem>) {
    if file.legal_key.is_empty() {
        problems.push(Problem::new(ProblemCode::LegalKeyEmpty));
    }
    for (index, name) in file.legal_key.iter().enumerate() {
        match relation.column(name) {
            None => problems.push(missing("legal_key", name, relation)),
            Some(column) if column.nullable => {
                problems.push(Problem::new(ProblemCode::LegalKeyNullable).with("column", name));
            }
            Some(_) => {}
        }
        if file.legal_key[..index].contains(name) || name == "Numero" || name == "Status" {
            problems.push(Problem::new(ProblemCode::LegalKeyTwice).with("column", name));
        }
    }
    if let Some(name) = &file.scope {
        match relation.column(name) {
            None => problems.push(missing("scope", name, relation)),
            Some(column) if column.nullable => {
                problems.push(Problem::new(ProblemCode::ScopeNullable).with("column", name));
            }
            Some(_) => {}
        }
    }
}

fn judge_lines(table: &TableFile, relation: &Relation, problems: &mut Vec<Problem>) {
    for name in table.areas.iter().filter(|name| relation.column(name).is_none()) {
        problems.push(missing("areas", name, relation));
    }
    for name in &table.multiline {
        match relation.column(name) {
            None => problems.push(missing("multiline", name, relation)),
            Some(column) if !matches!(column.kind(), Some(ColumnType::Text { .. })) => {
                let unfit = Problem::new(ProblemCode::MultilineNotText).with("column", name);
                problems.push(unfit.with("type", &column.type_name));
            }
            Some(_) => {}
        }
    }
}

fn missing(role: &str, name: &str, relation: &Relation) -> Problem {
    let of = |code| Problem::new(code).with("role", role).with("column", name);
    match relation.columns.iter().find(|column| same(&column.name, name)) {
        Some(near) => of(ProblemCode::ColumnMisspelt).with("near", &near.name),
        None => of(ProblemCode::ColumnMissing),
    }
}

async fn judge_term(
    connection: &mut AsyncPgConnection,
    file: &TablesFile,
    code: &str,
    term: &Term,
    relation: &Relation,
    problems: &mut Vec<Problem>,
) -> Result<(), Fault> {
    let of = |problem| Problem::new(problem).with("check", code);
    let mut summand = |found: Option<&Found>, name: &str| match found {
        None => problems.push(of(ProblemCode::CheckColumnMissing).with("column", name)),
        Some(found) if !found.is_integer() => {
            let unfit = of(ProblemCode::CheckColumnNotInteger).with("column", name);
            problems.push(unfit.with("type", &found.type_name));
        }
        Some(_) => {}
    };
    let (table, column, on) = match term {
        Term::Number(_) => return Ok(()),
        Term::Column(name) => {
            summand(relation.column(name), name);
            return Ok(());
        }
        Term::Count { table, on, .. } => (table, None, on),
        Term::Sum { table, sum: column, on, .. } | Term::Reference { table, column, on } => (table, Some(column), on),
    };
    let Some(other) = find_named(connection, file, table).await? else {
        let missing = of(ProblemCode::CheckTableMissing).with("table", table);
        problems.push(missing.with("application", &file.application));
        return Ok(());
    };
    if let Some(column) = column {
        summand(other.relation.column(column), &format!("{table}.{column}"));
    }
    if on.is_empty() {
        problems.push(of(ProblemCode::CheckJoinEmpty).with("table", table));
    }
    for name in on {
        match (relation.column(name), other.relation.column(name)) {
            (Some(own), Some(others)) if term.is_of_tables() && joined_as(own) != joined_as(others) => {
                let unlike = of(ProblemCode::CheckJoinUnlike).with("column", name);
                problems.push(unlike.with("type", &own.type_name).with("other", &others.type_name));
            }
            (Some(own), Some(_)) if term.is_of_tables() && joined_as(own).is_none() => {
                let unlike = of(ProblemCode::CheckJoinUnlike).with("column", name);
                problems.push(unlike.with("type", &own.type_name).with("other", &own.type_name));
            }
            (Some(_), Some(_)) => {}
            _ => problems.push(of(ProblemCode::CheckJoinMissing).with("column", name)),
        }
    }
    if let Some(code) = unfit_key(term, on, &other.legal_key) {
        problems.push(of(code).with("table", table).with("key", other.legal_key.join(", ")));
    }
    Ok(())
}

/// Checks that the table of marginal notes exists and can be joined by the named columns, because a certification reads the notes of a
/// record through them.
async fn judge_notes(
    connection: &mut AsyncPgConnection,
    file: &TablesFile,
    notes: &Notes,
    relation: &Relation,
    problems: &mut Vec<Problem>,
) -> Result<(), Fault> {
    let Notes { table, on } = notes;
    let Some(other) = find_named(connection, file, table).await? else {
        let missing = Problem::new(ProblemCode::NotesTableMissing).with("table", table);
        problems.push(missing.with("application", &file.application));
        return Ok(());
    };
    if on.is_empty() {
        problems.push(Problem::new(ProblemCode::NotesJoinEmpty).with("table", table));
    }
    for name in on {
        match (relation.column(name), other.relation.column(name)) {
            (Some(own), Some(others)) if joined_as(own) != joined_as(others) || joined_as(own).is_none() => {
                let unlike = Problem::new(ProblemCode::NotesJoinUnlike).with("column", name);
                problems.push(unlike.with("type", &own.type_name).with("other", &others.type_name));
            }
            (Some(_), Some(_)) => {}
            _ => problems.push(Problem::new(ProblemCode::NotesJoinMissing).with("column", name)),
        }
    }
    Ok(())
}

/// Returns the SQL type to which a column's values are cast for a comparison with another table; `None` if they cannot be compared.
fn joined_as(found: &Found) -> Option<&'static str> {
    found.kind().and_then(ColumnType::joined_as)
}

/// Returns a problem if the index of the legal key cannot be used to find rows by the columns of a term; `None` if it can.
fn unfit_key(term: &Term, on: &[String], legal_key: &[String]) -> Option<ProblemCode> {
    let leads = |columns: &[String]| on.len() == columns.len() && columns.iter().all(|column| on.contains(column));
    match term {
        Term::Reference { .. } => (!leads(legal_key)).then_some(ProblemCode::CheckReferenceKey),
        Term::Sum { held: true, .. } | Term::Count { count: Counted::Held, .. } => {
            // The index of the legal key finds rows by its first columns. If `on` has all columns of the key, the index finds one row, and
            // conditions on more columns may then exclude this row.
            let leading = legal_key.get(..on.len()).unwrap_or_default();
            let is_whole = legal_key.iter().all(|column| on.contains(column));
            (!is_whole && (leading.is_empty() || !leads(leading))).then_some(ProblemCode::CheckHeldKey)
        }
        _ => None,
    }
}

/// A table to which a check of the judged table refers: the table in PostgreSQL, and its legal key.
struct Named {
    relation: Relation,
    legal_key: Vec<String>,
}

/// Finds a table by its name in letters, in the same file or among the adopted tables.
async fn find_named(connection: &mut AsyncPgConnection, file: &TablesFile, name: &str) -> Result<Option<Named>, Fault> {
    let of_file = file.tables.iter().find(|table| same(&table.name, name));
    let (schema_name, relation_name, legal_key) = match of_file {
        Some(table) => (file.schema_name().to_owned(), table.relation_name().to_owned(), table.legal_key.clone()),
        None => {
            let adopted: Vec<(String, String, String, Vec<String>)> = tables::table
                .filter(tables::application.eq(&file.application).and(tables::abandoned_at.is_null()))
                .select((tables::name, tables::schema_name, tables::relation_name, tables::legal_key))
                .load(connection)
                .await?;
            match adopted.into_iter().find(|(adopted, ..)| same(adopted, name)) {
                Some((_, schema_name, relation_name, legal_key)) => (schema_name, relation_name, legal_key),
                None => return Ok(None),
            }
        }
    };
    let relation = Relation::find(connection, &schema_name, &relation_name).await?;
    Ok(relation.map(|relation| Named { relation, legal_key }))
}

/// Adds a problem if two rows that are already in the table have the same legal key, since adoption could then not make the unique index of
/// this key.
async fn judge_rows(
    connection: &mut AsyncPgConnection,
    schema_name: &str,
    file: &TableFile,
    problems: &mut Vec<Problem>,
) -> Result<(), Fault> {
    let key = file.legal_key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let relation = format!("{}.{}", quoted(schema_name), quoted(file.relation_name()));
    let Count { count } = diesel::sql_query(format!(
        "SELECT count(*) AS count FROM (SELECT FROM {relation} WHERE \"Status\" <> 0 GROUP BY {key} HAVING count(*) > 1) twice"
    ))
    .get_result(connection)
    .await?;
    if count > 0 {
        let held = Problem::new(ProblemCode::LegalKeyHeldTwice).with("count", count);
        problems.push(held.with("key", file.legal_key.join(", ")));
    }
    Ok(())
}
