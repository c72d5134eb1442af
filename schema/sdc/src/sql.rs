//! How PostgreSQL holds what names an agency, for crates that keep letters in tables. Nothing here is part of a letter.

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
        // The number comes out of a column where a CHECK keeps it in range.
        let matricule = u32::try_from(number).ok().and_then(|number| Matricule::try_from(number).ok());
        matricule.ok_or_else(|| format!("{number} is no matricule, yet stands in the database").into())
    }
}
