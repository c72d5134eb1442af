//! Leases: of several replicas one at a time does a thing, such as polling a mailbox. They keep replicas out of each other's way; what is
//! correct rests on settling, not on them.

use std::time::Duration;

use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Takes or renews a lease for `hold`, by the database's clock. Returns its fencing token, which grows with every change
/// of holder, or nothing while another holds it.
///
/// # Errors
/// A fault of the database.
pub async fn take(
    connection: &mut AsyncPgConnection,
    name: &str,
    holder: Uuid,
    hold: Duration,
) -> Result<Option<i64>, Fault> {
    let text = "INSERT INTO xm.leases AS l (name, holder, token, held_until)
         SELECT n.name, n.holder, 1, now() + make_interval(secs => n.seconds)
           FROM (SELECT ? AS name, ?::uuid AS holder, ?::double precision AS seconds) n
             ON CONFLICT (name) DO UPDATE
            SET holder = excluded.holder, held_until = excluded.held_until,
                token = CASE WHEN l.holder = excluded.holder THEN l.token ELSE l.token + 1 END
          WHERE l.holder = excluded.holder OR l.held_until < now()
         RETURNING token";
    let binds = [Bind::Text(name), Bind::Uuid(holder), Bind::Bigint(i64::try_from(hold.as_secs()).unwrap_or(i64::MAX))];
    let rows: Vec<i64> = Statement::<BigInt>::new(text, &binds).load(connection).await?;
    Ok(rows.into_iter().next())
}

/// Gives a lease up, so that another replica need not wait for its end.
///
/// # Errors
/// A fault of the database.
pub async fn release(connection: &mut AsyncPgConnection, name: &str, holder: Uuid) -> Result<(), Fault> {
    let text = "UPDATE xm.leases SET held_until = now() WHERE name = ? AND holder = ?";
    let binds = [Bind::Text(name), Bind::Uuid(holder)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}
