//! Writes acts of operators to the log, so that a team that collects logs sees who did what without reading the database.
//!
//! The lines come from the audit log, not from the commands. So an act is logged whatever interface and machine were used. Each program of
//! a centre logs the act with its number in the audit log. The act's details stay in the audit log, because they may name people.

use std::time::Duration;

use store::database::Database;
use store::error::AdministrationError;
use store::people::audit;

/// Pause between two reads of the audit log.
const INTERVAL: Duration = Duration::from_secs(5);
/// Largest number of acts logged after one read; the next read finds the rest.
const ACTS_MAX: i64 = 200;

/// Logs every act from now on, as long as the future is polled. While the database cannot be reached, no act is logged; the acts are
/// logged later.
pub async fn tell(database: Database) {
    let mut last = None;
    loop {
        if let Err(error) = look(&database, &mut last).await {
            tracing::debug!(%error, "the audit log could not be read; it is read later");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Logs the acts after the last logged act. The first call only finds out which act is the last, so that acts from before the program's
/// start are not logged again at each start.
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
            area: String::new(),
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
