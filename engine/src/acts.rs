//! What operators do, as lines of the log: for whoever gathers logs to find out who did what, without a look into the database.
//!
//! The audit log is read, not the commands: an act by whatever face, on whatever machine, is told here. Several programs of
//! one centre each tell it, under the number that it has in the audit log. How it was done stays there: it may name people.

use std::time::Duration;

use store::database::Database;
use store::error::AdministrationError;
use store::people::audit;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(5);
/// Acts told at a look; further ones have to wait for the next.
const ACTS_MAX: i64 = 200;

/// Tells every act from now on, for as long as it is polled. While the database is away, it waits.
pub async fn tell(database: Database) {
    let mut last = None;
    loop {
        if let Err(error) = look(&database, &mut last).await {
            tracing::debug!(%error, "the audit log could not be read; it is read later");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Tells the acts behind the last one told; at the first look there is none to tell.
async fn look(database: &Database, last: &mut Option<i64>) -> Result<(), AdministrationError> {
    let mut connection = database.get().await?;
    let Some(told) = *last else {
        *last = Some(audit::head(&mut connection).await?.id);
        return Ok(());
    };
    for line in audit::since(&mut connection, told, ACTS_MAX).await? {
        let audit::Line { id, operator, action, subject, .. } = line;
        tracing::info!(act = id, operator, action, subject, "an operator acted");
        *last = Some(id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sdc::letter::Mode;
    use store::agencies::{self, NewAgency};
    use store::centre::server::{self, Server};
    use store::testing::{self, TestCluster};

    use super::*;

    #[tokio::test]
    async fn acts_are_told_once_from_the_first_look_on() {
        let database = TestCluster::shared().await.database().await;
        let mut connection = database.get().await.unwrap();
        let operator = testing::operator(&mut connection).await;
        server::initialise(&mut connection, &operator, &Server::new("centre-x", Mode::Test)).await.unwrap();
        let mut last = None;
        look(&database, &mut last).await.unwrap();
        let before = last.unwrap();
        let new = NewAgency {
            matricule: Some(1.try_into().unwrap()),
            name: "Mairie".to_owned(),
            town: String::new(),
            telephone: String::new(),
            email: "mairie@example.cm".to_owned(),
            plan: None,
            status: None,
            credit_limit: 0,
        };
        agencies::add(&mut connection, &operator, &new).await.unwrap();
        look(&database, &mut last).await.unwrap();
        assert_eq!(last, Some(before + 1));
        look(&database, &mut last).await.unwrap();
        assert_eq!(last, Some(before + 1));
    }
}
