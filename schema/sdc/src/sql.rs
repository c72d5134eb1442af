//! Turns matricules into values of database columns, and back. Crates that store letters in tables use it; an office's program, which has
//! no database, is built without it.

use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Integer;

use crate::letter::Matricule;

impl ToSql<Integer, Pg> for Matricule {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Integer, Pg>::to_sql(&self.as_i32(), &mut out.reborrow())
    }
}

impl FromSql<Integer, Pg> for Matricule {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Matricule> {
        let number: i32 = FromSql::<Integer, Pg>::from_sql(value)?;
        // The column's CHECK admits only matricules, so the conversion fails only for a damaged database.
        let matricule = u32::try_from(number).ok().and_then(|number| Matricule::try_from(number).ok());
        matricule.ok_or_else(|| format!("{number} is no matricule, yet stands in the database").into())
    }
}
