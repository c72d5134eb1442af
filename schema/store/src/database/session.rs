//! The settings of each session with PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use super::DatabaseSettings;
use super::connect::shown;
use super::hosts::Hosts;
use super::watch::Patience;

/// Connects and sets the session's settings. If `is_limited` is false, statements have no time limit.
pub async fn connect(
    hosts: &Arc<Hosts>,
    settings: &DatabaseSettings,
    is_limited: bool,
) -> Result<AsyncPgConnection, ConnectionError> {
    let patience =
        if is_limited { Patience::of_statements(settings.statement_timeout) } else { Patience::without_limit() };
    let client = hosts.connect(patience).await?;
    // An administrator may have chosen `remote_apply`, which promises more than `on` and must not be weakened. The session reads and sets
    // the value with SHOW and SET, because the login that reads records for agencies may call no functions.
    let durability = match shown(&client, "synchronous_commit").await?.as_deref() {
        Some("remote_apply") => "",
        _ => "SET synchronous_commit = on; ",
    };
    let mut connection = AsyncPgConnection::try_from(client).await?;
    let limit = |limit: Duration| if is_limited { limit.as_millis() } else { 0 };
    // The program must see the warning that a COMMIT stopped waiting for the standby, so warnings are not suppressed.
    let session = format!(
        "{durability}SET client_min_messages = warning; SET statement_timeout = {}; SET lock_timeout = {};
         SET idle_in_transaction_session_timeout = {}; SET TimeZone = 'UTC'",
        limit(settings.statement_timeout),
        limit(settings.lock_timeout),
        settings.idle_in_transaction_timeout.as_millis(),
    );
    connection.batch_execute(&session).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
