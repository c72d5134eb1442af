//! Leases: if there are several replicas, only the holder of a lease does a task, such as polling a mailbox. Leases only avoid double work;
//! settling stays correct without them.
//!
//! Every lease is assigned to one of the live replicas ([`crate::replicas::assigned()`]). While another replica holds the lease, the
//! assigned replica asks for it, and the holder then gives it up. So a holder gives a lease up only if a replica is ready to take it. Other
//! replicas take a lease only after nobody has held it for [`FREE_FOR`], so that a mailbox is polled even if the assigned replica does not
//! take it.

use std::time::Duration;

use diesel::sql_types::{BigInt, Bool, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Time after which any replica takes a lease that nobody holds.
pub const FREE_FOR: Duration = Duration::from_secs(30);
/// Time for which a request for a lease counts. The assigned replica repeats its request every second.
const ASKED_FOR: &str = "5 seconds";

/// Result of an attempt to take a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// This process holds the lease.
    Held {
        /// Fencing token, which grows with every change of holder.
        token: i64,
        /// Whether another replica asks for the lease.
        is_wanted: bool,
    },
    /// Another process holds the lease, or nobody holds it yet.
    Elsewhere,
}

/// Takes or renews a lease for `hold`, measured by the database's clock. `falls_to_holder` says whether the lease is assigned to this
/// process. If it is, and another process holds the lease, this process asks the holder for it.
///
/// # Errors
/// A fault of the database.
pub async fn take(
    connection: &mut AsyncPgConnection,
    name: &str,
    holder: Uuid,
    hold: Duration,
    falls_to_holder: bool,
) -> Result<Lease, Fault> {
    let free_for = if falls_to_holder { Duration::ZERO } else { FREE_FOR };
    // If the row of a lease does not exist, the assigned process gets the lease. Any other process inserts a row whose lease has just
    // ended, so that [`FREE_FOR`] begins now.
    let text = format!(
        "INSERT INTO xm.leases AS l (name, holder, token, held_until)
         SELECT n.name, CASE WHEN n.falls THEN n.holder ELSE '00000000-0000-0000-0000-000000000000' END, n.falls::integer,
                CASE WHEN n.falls THEN now() + make_interval(secs => n.seconds) ELSE now() END
           FROM (SELECT ? AS name, ?::uuid AS holder, ?::double precision AS seconds, ?::boolean AS falls) n
             ON CONFLICT (name) DO UPDATE
            SET holder = ?, held_until = now() + make_interval(secs => ?::double precision),
                token = CASE WHEN l.holder = ? THEN l.token ELSE l.token + 1 END,
                wanted_at = CASE WHEN l.holder = ? THEN l.wanted_at END
          WHERE l.holder = ? AND (l.held_until > now() OR excluded.token = 1)
             OR l.held_until < now() - make_interval(secs => ?::double precision)
         RETURNING token, holder, (wanted_by <> holder AND wanted_at > now() - interval '{ASKED_FOR}') IS TRUE"
    );
    let binds = [
        Bind::Text(name),
        Bind::Uuid(holder),
        Bind::seconds(hold),
        Bind::Boolean(falls_to_holder),
        Bind::Uuid(holder),
        Bind::seconds(hold),
        Bind::Uuid(holder),
        Bind::Uuid(holder),
        Bind::Uuid(holder),
        Bind::seconds(free_for),
    ];
    let rows: Vec<(i64, Uuid, bool)> =
        Statement::<(BigInt, SqlUuid, Bool)>::new(&text, &binds).load(connection).await?;
    match rows.into_iter().next() {
        Some((token, found, is_wanted)) if found == holder => Ok(Lease::Held { token, is_wanted }),
        _ => {
            if falls_to_holder {
                ask(connection, name, holder).await?;
            }
            Ok(Lease::Elsewhere)
        }
    }
}

/// Asks the holder of a lease to give it up.
async fn ask(connection: &mut AsyncPgConnection, name: &str, process: Uuid) -> Result<(), Fault> {
    let text = "UPDATE xm.leases SET wanted_by = ?, wanted_at = now() WHERE name = ? AND holder <> ?";
    Statement::<()>::new(text, &[Bind::Uuid(process), Bind::Text(name), Bind::Uuid(process)])
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends a lease early, so that another replica can take it.
///
/// # Errors
/// A fault of the database.
pub async fn release(connection: &mut AsyncPgConnection, name: &str, holder: Uuid) -> Result<(), Fault> {
    let text = "UPDATE xm.leases SET held_until = now() WHERE name = ? AND holder = ? AND held_until > now()";
    let binds = [Bind::Text(name), Bind::Uuid(holder)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}
