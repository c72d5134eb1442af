//! Things that can interfere with the rows of a table: they may drop a row, hide it, lose it or change it.
//!
//! A letter is accepted if its rows are in the table, each once, and stay there. If PostgreSQL's catalogue shows that this is not certain,
//! the table is not adopted. The effect of a trigger's code cannot be known beforehand. So triggers are reported to the operator, and
//! settling counts the written rows.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::problem::{Problem, ProblemCode};
use crate::database::fault::Fault;

/// The properties in PostgreSQL's catalogue by which a table may drop, hide, lose or change its rows: logging, partition, row level
/// security, child tables, rules, and triggers that run before each inserted row.
#[derive(QueryableByName)]
pub struct Guard {
    #[diesel(sql_type = Bool)]
    is_logged: bool,
    #[diesel(sql_type = Bool)]
    is_partition: bool,
    #[diesel(sql_type = Bool)]
    hides_rows: bool,
    #[diesel(sql_type = Array<Text>)]
    children: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    rules: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    before_rows: Vec<String>,
}

/// A trigger of a table.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize, Deserialize)]
pub struct Trigger {
    /// Name of the trigger.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// The `CREATE TRIGGER` statement of the trigger.
    #[diesel(sql_type = Text)]
    pub definition: String,
    /// MD5 of the code of the trigger's function, in hexadecimal. It shows whether somebody has replaced the code.
    #[diesel(sql_type = Text)]
    pub function_md5: String,
}

/// A fact about an adopted table that the operator should know: a code with parameters. The program that shows it adds the words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
pub enum Warning {
    /// A trigger runs before each row is written. It may change the row or drop it.
    TriggerBeforeRow {
        /// Name of the trigger.
        trigger: String,
    },
}

impl Guard {
    /// Reads from PostgreSQL's catalogue the properties by which an existing table may drop, hide, lose or change its rows.
    pub async fn find(
        connection: &mut AsyncPgConnection,
        schema_name: &str,
        relation_name: &str,
    ) -> Result<Guard, Fault> {
        // Bits in a trigger's type: 1 means FOR EACH ROW, 2 means BEFORE, 4 means INSERT. A trigger or rule that is marked `D` is disabled,
        // and one that is marked `R` runs only for rows that replication brings. Both kinds do not run for a letter's rows, so they are
        // left out.
        let guard = diesel::sql_query(
            "SELECT c.relpersistence = 'p' AS is_logged, c.relispartition AS is_partition,
                    row_security_active(c.oid) AS hides_rows,
                    ARRAY(SELECT format('%s.%s', m.nspname, k.relname) FROM pg_inherits i
                            JOIN pg_class k ON k.oid = i.inhrelid JOIN pg_namespace m ON m.oid = k.relnamespace
                           WHERE i.inhparent = c.oid ORDER BY 1) AS children,
                    ARRAY(SELECT r.rulename::text FROM pg_rewrite r
                           WHERE r.ev_class = c.oid AND r.ev_type = '3' AND r.ev_enabled NOT IN ('D', 'R')
                           ORDER BY 1) AS rules,
                    ARRAY(SELECT t.tgname::text FROM pg_trigger t
                           WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled NOT IN ('D', 'R')
                             AND t.tgtype::integer & 7 = 7
                           ORDER BY 1) AS before_rows
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = $1 AND c.relname = $2",
        )
        .bind::<Text, _>(schema_name)
        .bind::<Text, _>(relation_name)
        .get_result(connection)
        .await?;
        Ok(guard)
    }

    /// Returns the problems that prevent the adoption of the table, or that make an adopted table unreliable.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.children.is_empty() {
            problems.push(Problem::new(ProblemCode::Inherited).with("children", self.children.join(", ")));
        }
        if self.is_partition {
            problems.push(Problem::new(ProblemCode::Partition));
        }
        if !self.rules.is_empty() {
            problems.push(Problem::new(ProblemCode::Rules).with("rules", self.rules.join(", ")));
        }
        if self.hides_rows {
            problems.push(Problem::new(ProblemCode::RowsHidden));
        }
        if !self.is_logged {
            problems.push(Problem::new(ProblemCode::Unlogged));
        }
        problems
    }

    /// Returns the facts that the operator should know although they do not prevent the adoption.
    pub fn warnings(&self) -> Vec<Warning> {
        self.before_rows.iter().map(|trigger| Warning::TriggerBeforeRow { trigger: trigger.clone() }).collect()
    }
}

/// Lists the triggers of a table that operators made.
pub async fn triggers(
    connection: &mut AsyncPgConnection,
    schema_name: &str,
    relation_name: &str,
) -> Result<Vec<Trigger>, Fault> {
    let triggers = diesel::sql_query(
        "SELECT t.tgname::text AS name, pg_get_triggerdef(t.oid, true) AS definition, md5(p.prosrc) AS function_md5
           FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_proc p ON p.oid = t.tgfoid
          WHERE n.nspname = $1 AND c.relname = $2 AND NOT t.tgisinternal AND t.tgenabled NOT IN ('D', 'R')
          ORDER BY t.tgname::text COLLATE \"C\"",
    )
    .bind::<Text, _>(schema_name)
    .bind::<Text, _>(relation_name)
    .load(connection)
    .await?;
    Ok(triggers)
}

/// Returns the differences between a table's triggers at its adoption and its triggers now. An operator has to look at new or changed
/// triggers: they may drop or change the rows of letters.
pub fn altered_triggers(seen: &[Trigger], found: &[Trigger]) -> Vec<Problem> {
    let of = |all: &[Trigger], name: &str| all.iter().find(|trigger| trigger.name == name).cloned();
    let problem = |code, trigger: &Trigger| Problem::new(code).with("trigger", &trigger.name);
    let made = found.iter().filter_map(|trigger| match of(seen, &trigger.name) {
        None => Some(problem(ProblemCode::TriggerNew, trigger)),
        Some(known) if known != *trigger => Some(problem(ProblemCode::TriggerChanged, trigger)),
        Some(_) => None,
    });
    let gone = seen.iter().filter(|trigger| of(found, &trigger.name).is_none());
    made.chain(gone.map(|trigger| problem(ProblemCode::TriggerGone, trigger))).collect()
}
