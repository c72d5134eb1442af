//! A centre for tests of operations by operators: a real PostgreSQL, with the audit log.

use std::sync::LazyLock;

use diesel_async::SimpleAsyncConnection;
use sdc::letter::{Matricule, Mode};
use sdc::refusal::{Refusal, RefusalCode};

use crate::agencies::{self, NewAgency};
use crate::centre::server::{self, Server};
use crate::database::{Connection, Database};
use crate::people::Operator;
use crate::settle::{Arrival, Content};
use crate::testing::TestCluster;
use crate::testing::fixture::arrival;

/// An operator with every privilege.
pub(crate) static OPERATOR: LazyLock<Operator> = LazyLock::new(Operator::superviseur);

pub(crate) fn number(matricule: u32) -> Matricule {
    Matricule::try_from(matricule).unwrap()
}

pub(crate) fn agency(matricule: u32) -> NewAgency {
    NewAgency {
        matricule: Some(number(matricule)),
        name: format!("Centre {matricule}"),
        town: "Ebolowa".to_owned(),
        area: String::new(),
        telephone: String::new(),
        email: format!("centre{matricule}@example.cm"),
        plan: None,
        status: None,
        credit_limit: 0,
    }
}

/// Makes a database with a server and the agencies 1 and 2.
pub(crate) async fn centre() -> (Database, Connection) {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    server::initialise(&mut connection, &OPERATOR, &Server::new("centre.example.cm", Mode::Test)).await.unwrap();
    for matricule in [1, 2] {
        agencies::add(&mut connection, &OPERATOR, &agency(matricule)).await.unwrap();
    }
    (database, connection)
}

pub(crate) async fn value(connection: &mut Connection, query: &str) -> i64 {
    use diesel_async::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Value {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        value: i64,
    }
    diesel::sql_query(format!("SELECT ({query})::bigint AS value")).get_result::<Value>(connection).await.unwrap().value
}

pub(crate) async fn run(connection: &mut Connection, statements: &str) {
    connection.batch_execute(statements).await.unwrap();
}

/// Makes the arrival of a container without a verified signer.
pub(crate) fn nobody() -> Arrival {
    arrival(Vec::new(), Content::Stranger(Refusal::new(RefusalCode::UnknownSigner)))
}
