//! Tries of passwords: each is counted before it is judged, and after five wrong ones a user's password opens nothing for a while.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, SmallInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{passwords, sample};
use crate::error::AdministrationError;

/// Number of tries after which a user's password opens nothing for a while, unless one of them is right.
pub const TRIES_MAX: i16 = 5;
/// Time for which the password then opens nothing; each further wrong try doubles it, up to a day.
pub const LOCKED_MINUTES: i32 = 15;

/// A user whose password was right.
pub(super) struct Known {
    /// Hash of the password.
    pub hash: String,
    /// Whether it is a first password.
    pub must_change: bool,
}

#[derive(QueryableByName)]
struct Tried {
    #[diesel(sql_type = Text)]
    password_hash: String,
    #[diesel(sql_type = Bool)]
    must_change: bool,
}

/// Judges a password. Returns `None` for a wrong one, an unknown name and a locked user alike, after the same time.
///
/// The try is counted before the password is judged, and not in a transaction of the caller's. So tries at the same time count, too, and
/// nothing undoes the count.
///
/// # Errors
/// A fault of the database.
pub(super) async fn judged(
    connection: &mut AsyncPgConnection,
    name: &str,
    password: &str,
) -> Result<Option<Known>, AdministrationError> {
    let text = "UPDATE xm.users
                   SET failures = least(failures + 1, 100),
                       locked_until = CASE WHEN failures + 1 >= $2 THEN
                           now() + least(make_interval(mins => $3) * power(2, least(failures + 1 - $2, 10)), interval '1 day') END
                 WHERE name = $1 AND locked_at IS NULL AND (locked_until IS NULL OR locked_until <= now())
             RETURNING password_hash, must_change";
    let tried: Option<Tried> = diesel::sql_query(text)
        .bind::<Text, _>(name)
        .bind::<SmallInt, _>(TRIES_MAX)
        .bind::<Integer, _>(LOCKED_MINUTES)
        .get_result(connection)
        .await
        .optional()?;
    let matches = passwords::matches(tried.as_ref().map(|tried| tried.password_hash.clone()), password).await?;
    // A password that is too short opens nothing, however its hash came into the database.
    let is_of_rule = passwords::is_of_length(password) || sample::is_allowed(connection, name, password).await?;
    let Some(Tried { password_hash: hash, must_change }) = tried.filter(|_| matches && is_of_rule) else {
        return Ok(None);
    };
    let text = "UPDATE xm.users SET failures = 0, locked_until = NULL
                 WHERE name = $1 AND password_hash = $2 AND locked_at IS NULL";
    let reset = diesel::sql_query(text).bind::<Text, _>(name).bind::<Text, _>(&hash).execute(connection).await?;
    // The password was changed, or the user locked, while his password was judged.
    Ok((reset == 1).then_some(Known { hash, must_change }))
}
