//! A test centre with tables that operators made, adopted in a real PostgreSQL, and letters for these tables. `tests/faults` has tables and
//! letters that were handled wrongly in the past.

use std::sync::LazyLock;

use sdc::answer::receipt::Receipt;
use sdc::letter::{FORMAT_VERSION, Letter, Mode, Office};
use sdc::refusal::Refusal;
use sdc::request::{Records, Request, TableRecords};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::AdministrationError;
use crate::people::Operator;
use crate::settle::tests::world::World;
use crate::settle::{Arrival, Outcome};
use crate::tables::catalogue::Catalogue;
use crate::tables::examine::{self, TableRows};
use crate::tables::{self, Adoption, TablesFile};

/// An operator with every privilege.
pub static OPERATOR: LazyLock<Operator> = LazyLock::new(Operator::superviseur);
pub const AGENCY: u32 = 42;

/// Returns one file of a case in `tests/faults`.
macro_rules! fault {
    ($case:literal, $file:literal) => {
        include_str!(concat!("../../../../tests/faults/", $case, "/", $file))
    };
}

/// Returns the table, definition file and letter of a case.
macro_rules! case {
    ($case:literal) => {
        (fault!($case, "table.sql"), fault!($case, "table.toml"), fault!($case, "body.json"))
    };
}

/// A test centre with tables that operators made.
pub struct Lab {
    pub world: World,
    sequence: u64,
}

impl Lab {
    pub async fn empty() -> Lab {
        Lab { world: World::new().await, sequence: 0 }
    }

    /// Makes a centre, creates these tables in it and adopts them.
    pub async fn adopting(sql: &str, definitions: &str) -> Lab {
        let lab = Lab::empty().await;
        lab.adopt(sql, definitions).await.unwrap();
        lab
    }

    pub async fn adopt(&self, sql: &str, definitions: &str) -> Result<Vec<Adoption>, AdministrationError> {
        self.world.sql(sql).await;
        let file = TablesFile::parse(definitions)?;
        tables::adopt(&mut *self.world.connection().await, &OPERATOR, &file).await
    }

    fn letter(&self, body: &str) -> Letter {
        self.letter_of(Request::Export(serde_json::from_str(body).unwrap()))
    }

    fn letter_of(&self, request: Request) -> Letter {
        Letter {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: Office { agency: AGENCY.try_into().unwrap(), installation: "pc1".to_owned() },
            to: "centre".to_owned(),
            sequence: self.sequence,
            time: chrono::Utc::now(),
            mode: Mode::Live,
            seen: None,
            request,
        }
    }

    /// Makes the arrival of a new letter with these records.
    pub async fn arrival(&mut self, body: &str) -> Arrival {
        self.sequence += 1;
        self.world.arrival(&self.letter(body)).await
    }

    /// Sends records in a new letter and returns its receipt.
    pub async fn send(&mut self, body: &str) -> Receipt {
        self.ask(Request::Export(serde_json::from_str(body).unwrap())).await
    }

    /// Sends a request in a new letter and returns its receipt.
    pub async fn ask(&mut self, request: Request) -> Receipt {
        self.sequence += 1;
        let letter = self.letter_of(request);
        self.world.settle(vec![self.world.arrival(&letter).await]).await;
        self.world.receipt(&letter).await
    }

    /// Sends records in a new letter and returns the outcome; a letter that waits has no receipt.
    pub async fn outcome(&mut self, body: &str) -> Outcome {
        self.sequence += 1;
        self.world.settle(vec![self.world.arrival(&self.letter(body)).await]).await.remove(0)
    }

    /// Sends records twice, in two letters, and checks that they are new the first time and duplicates the second time.
    pub async fn send_twice(&mut self, body: &str, rows: u32) {
        let first = self.send(body).await;
        assert_eq!(first.refusal, None, "{body}");
        assert_eq!((first.rows[0].new, first.rows[0].duplicate), (rows, 0), "{body}");
        let again = self.send(body).await;
        assert_eq!(again.refusal, None, "{body}");
        assert_eq!((again.rows[0].new, again.rows[0].duplicate), (0, rows), "{body}");
    }

    /// Sends records that are refused, and returns the refusal.
    pub async fn refusal(&mut self, body: &str) -> Refusal {
        self.send(body).await.refusal.unwrap_or_else(|| panic!("accepted: {body}"))
    }

    /// Makes the centre work with the rights of a new role from here on. The role is neither superuser nor owner of the operators' tables.
    /// Roles belong to all databases of the cluster, so each test gives another name.
    pub async fn work_as(&mut self, role: &str) {
        self.world
            .sql(&format!(
                "CREATE ROLE {role}; GRANT USAGE ON SCHEMA xm, registry, lab TO {role};
                 GRANT ALL ON ALL TABLES IN SCHEMA xm, registry, lab TO {role}; GRANT ALL ON ALL SEQUENCES IN SCHEMA xm, lab TO {role};
                 GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO {role}"
            ))
            .await;
        self.world.take_role(role).await;
    }

    /// Returns the problems of `lab.T` that `check` reports.
    pub async fn drift(&self) -> Vec<String> {
        let drifts = tables::check(&mut *self.world.connection().await).await.unwrap();
        drifts
            .into_iter()
            .filter(|drift| drift.table == "lab.T")
            .flat_map(|drift| drift.problems)
            .map(|problem| problem.to_string())
            .collect()
    }

    /// Examines records as settling does.
    pub async fn examine(&self, body: &str) -> Result<Vec<TableRows>, Refusal> {
        let letter = self.letter(body);
        let arrival = self.world.arrival(&letter).await;
        let catalogue = Catalogue::load(&mut *self.world.connection().await).await.unwrap();
        let Request::Export(records) = &letter.request else { panic!("not an export") };
        examine::examine(records, &catalogue, "standard", &arrival.signer().unwrap().scopes)
    }
}

/// Makes a body with one row of one table: `Numero` 1, `Status` 2 and these values.
pub fn row(table: &str, values: &[(&str, Value)]) -> String {
    let mut columns = vec!["Numero".to_owned(), "Status".to_owned()];
    columns.extend(values.iter().map(|(name, _)| (*name).to_owned()));
    let mut arrays = vec![vec![json!(1)], vec![json!(2)]];
    arrays.extend(values.iter().map(|(_, value)| vec![value.clone()]));
    let table = TableRecords { table: table.to_owned(), columns, values: arrays };
    serde_json::to_string(&Records { application: "lab".to_owned(), tables: vec![table] }).unwrap()
}

/// Returns SQL that creates a table `lab."T"` with these columns besides the obligatory ones.
pub fn table(columns: &str) -> String {
    format!(
        "CREATE SCHEMA lab; CREATE TABLE lab.\"T\" (\"Numero\" bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
         \"Status\" smallint NOT NULL, {columns})"
    )
}

/// Returns a definition file of `lab."T"` with this legal key.
pub fn keyed(legal_key: &str, more: &str) -> String {
    format!("application = \"lab\"\n[[tables]]\nname = \"T\"\nlegal_key = [\"{legal_key}\"]\n{more}")
}

pub(super) use {case, fault};
