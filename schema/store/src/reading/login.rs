//! The database login that reads for agencies: a separate role. The role may read one view for each adopted table. All other rights that
//! can be revoked from it are revoked.
//!
//! If the program's own login is a superuser, as in the private PostgreSQL, the program creates and restricts the role. Otherwise an
//! administrator does this with the statements of OPERATIONS.md, and `check` reports what is missing.

use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::database::fault::Fault;
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::tables::definition::{Column, Definition};

/// The advisory lock that a replica takes while it creates the role and its views.
const LOGIN_LOCK: i64 = i64::from_be_bytes(*b"xmreader");

/// Name of the role.
pub const ROLE: &str = cluster::READER;
/// The schema of the role's views.
pub const SCHEMA: &str = "xm_read";

/// Columns that the views show in addition to the table's definition: the origin of a record. Adoption adds them to the table.
pub const ORIGIN: [&str; 3] = ["xm_agency", "xm_installation", "xm_numero"];
/// Name of the views' column that contains the transaction that wrote the row.
pub const CHANGE: &str = "xm_change";

/// Patterns of PostgreSQL's functions that everybody may call, and that act on other sessions or can delay a session. A right that
/// everybody has cannot be revoked from one role alone. So the right to call these functions is revoked from everybody; superusers can
/// still call them.
pub const TAKEN: [&str; 25] = [
    "binary\\_upgrade%",
    "brin\\_%summarize%",
    "currtid2",
    "gin\\_clean%",
    "lo\\_%",
    "loread",
    "lowrite",
    "pg\\_%slot%",
    "pg\\_advisory%",
    "pg\\_cancel\\_backend",
    "pg\\_current\\_xact\\_id",
    "pg\\_export\\_snapshot",
    "pg\\_import%",
    "pg\\_logical\\_emit\\_message",
    "pg\\_nextoid",
    "pg\\_notify",
    "pg\\_sleep%",
    "pg\\_stop%",
    "pg\\_terminate\\_backend",
    "pg\\_try\\_advisory%",
    "set\\_config",
    "ts\\_rewrite",
    "ts\\_stat",
    "txid\\_current",
    "%\\_to\\_xml%",
];

/// Patterns of volatile functions that remain executable: they return data of the server, times or random values, and change nothing
/// outside of their session. Functions of sequences and of files need rights that the role does not have.
pub const LEFT: [&str; 33] = [
    "amvalidate",
    "clock\\_timestamp",
    "current\\_query",
    "currval",
    "gen\\_random\\_uuid",
    "lastval",
    "nextval",
    "pg\\_%blocking\\_pids",
    "pg\\_%collation%version",
    "pg\\_%size",
    "pg\\_control%",
    "pg\\_current\\_wal%",
    "pg\\_extension\\_config\\_dump",
    "pg\\_get%",
    "pg\\_is%",
    "pg\\_jit\\_available",
    "pg\\_last%",
    "pg\\_lock\\_status",
    "pg\\_notification%",
    "pg\\_partition%",
    "pg\\_prepared%",
    "pg\\_read\\_file\\_old",
    "pg\\_rotate%",
    "pg\\_sequence%",
    "pg\\_stat\\_%",
    "pg\\_xact%",
    "plpgsql\\_validator",
    "random%",
    "setseed",
    "setval",
    "timeofday",
    "txid\\_status",
    "uuid%",
];

/// Returns the quoted name of a table's view.
pub fn view(table_id: i32) -> String {
    format!("{SCHEMA}.table_{table_id}")
}

/// Creates the role and the schema if the program's login may do so, revokes the functions [`TAKEN`] from everybody, and creates the
/// missing views.
///
/// # Errors
/// A fault of the database. If the program's login lacks rights, no error is returned.
pub async fn prepare(connection: &mut AsyncPgConnection) -> Result<(), Fault> {
    connection
        .transaction(async |connection| {
            // Two replicas that start at the same time would change the same privilege, and PostgreSQL would refuse one of them. The lock
            // makes them take turns.
            let lock = [Bind::Bigint(LOGIN_LOCK)];
            Statement::<()>::new("SELECT pg_advisory_xact_lock(?)", &lock).execute(connection).await?;
            let is_superuser: Vec<bool> =
                Statement::<Bool>::new("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", &[])
                    .load(connection)
                    .await?;
            if is_superuser.contains(&true) {
                bind(connection).await?;
            }
            if is_prepared(connection).await? {
                connection.batch_execute(&format!("GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE}")).await?;
                make_views(connection).await?;
            }
            Ok(())
        })
        .await
}

/// Creates the role, unless another database of this cluster has created it (all databases of a cluster share their roles), and revokes the
/// rights that can be revoked.
async fn bind(connection: &mut AsyncPgConnection) -> Result<(), Fault> {
    let taken: Vec<String> = TAKEN.iter().map(|pattern| format!("'{pattern}'")).collect();
    let text = format!(
        "DO $$
         DECLARE taken record;
         BEGIN
             BEGIN
                 CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT CONNECTION LIMIT 50;
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
             END;
             CREATE SCHEMA IF NOT EXISTS {SCHEMA};
             EXECUTE format('REVOKE TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC', current_database());
             REVOKE ALL ON SCHEMA public FROM PUBLIC;
             FOR taken IN SELECT p.oid::regprocedure::text AS name FROM pg_proc p
                           WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname LIKE ANY (ARRAY[{}])
                             AND has_function_privilege('{ROLE}', p.oid, 'EXECUTE')
             LOOP
                 EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || taken.name || ' FROM PUBLIC';
             END LOOP;
         END $$",
        taken.join(", ")
    );
    connection.batch_execute(&text).await?;
    Ok(())
}

/// Says whether the role and its schema exist.
///
/// # Errors
/// A fault of the database.
pub async fn is_prepared(connection: &mut AsyncPgConnection) -> Result<bool, Fault> {
    let text = "SELECT to_regrole(?) IS NOT NULL AND to_regnamespace(?) IS NOT NULL";
    let rows: Vec<bool> =
        Statement::<Bool>::new(text, &[Bind::Text(ROLE), Bind::Text(SCHEMA)]).load(connection).await?;
    Ok(rows.contains(&true))
}

/// Creates the missing views of the adopted tables.
async fn make_views(connection: &mut AsyncPgConnection) -> Result<(), Fault> {
    type Row = (diesel::sql_types::Integer, Text, Text, diesel::sql_types::Jsonb);
    let text = "SELECT t.id, t.schema_name, t.relation_name, d.columns
                  FROM xm.tables t JOIN xm.definitions d ON d.table_id = t.id AND d.version = t.version
                 WHERE t.abandoned_at IS NULL
                   AND to_regclass(format('%I.%I', t.schema_name, t.relation_name)) IS NOT NULL
                   AND to_regclass(format('xm_read.table_%s', t.id)) IS NULL";
    let rows: Vec<(i32, String, String, serde_json::Value)> = Statement::<Row>::new(text, &[]).load(connection).await?;
    for (table_id, schema, relation, columns) in rows {
        // A definition that cannot be read is skipped here. The program reports it when it loads the catalogue for letters.
        let Ok(columns) = serde_json::from_value::<Vec<Column>>(columns) else { continue };
        make_view(connection, table_id, &schema, &relation, &columns).await?;
    }
    Ok(())
}

/// Creates the view of a table that is being adopted, if the role and its schema exist.
///
/// # Errors
/// A fault of the database.
pub async fn adopt(
    connection: &mut AsyncPgConnection,
    table_id: i32,
    schema: &str,
    relation: &str,
    columns: &[Column],
) -> Result<(), Fault> {
    if is_prepared(connection).await? {
        make_view(connection, table_id, schema, relation, columns).await
    } else {
        Ok(())
    }
}

async fn make_view(
    connection: &mut AsyncPgConnection,
    table_id: i32,
    schema: &str,
    relation: &str,
    columns: &[Column],
) -> Result<(), Fault> {
    let view = view(table_id);
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    // The view is dropped first, since columns may differ between versions of a table and `CREATE OR REPLACE VIEW` cannot drop columns. The
    // security barrier prevents that functions in a query's condition see rows that the view omits.
    let text = format!(
        "DROP VIEW IF EXISTS {view};
         CREATE VIEW {view} WITH (security_barrier = true) AS
             SELECT {}, {}, xmin AS {CHANGE} FROM {}.{};
         GRANT SELECT ON {view} TO {ROLE}",
        names.join(", "),
        ORIGIN.join(", "),
        quoted(schema),
        quoted(relation),
    );
    connection.batch_execute(&text).await?;
    Ok(())
}

/// Lists the rights that the role has in addition to reading its views.
///
/// # Errors
/// A fault of the database.
pub async fn excess(connection: &mut AsyncPgConnection) -> Result<Vec<String>, Fault> {
    let text = format!(
        "SELECT what FROM (
             SELECT 'function ' || p.oid::regprocedure AS what FROM pg_proc p
              WHERE has_function_privilege('{ROLE}', p.oid, 'EXECUTE') AND p.prokind IN ('f', 'p')
                AND has_schema_privilege('{ROLE}', p.pronamespace, 'USAGE')
                AND (p.provolatile = 'v' OR p.proname LIKE ANY (?))
                AND NOT p.proname LIKE ANY (?)
                AND (SELECT typtype <> 'p' OR typname IN ('void', 'record', 'anyelement') FROM pg_type WHERE oid = p.prorettype)
                AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[])
             UNION ALL
             SELECT p.privilege || ' on ' || c.oid::regclass
               FROM pg_class c, (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) p (privilege)
              WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
                AND NOT (c.relnamespace = '{SCHEMA}'::regnamespace AND p.privilege = 'SELECT')
                AND has_table_privilege('{ROLE}', c.oid, p.privilege)
             UNION ALL
             SELECT 'CREATE in schema ' || n.nspname FROM pg_namespace n WHERE has_schema_privilege('{ROLE}', n.oid, 'CREATE')
             UNION ALL
             SELECT p.privilege || ' in the database'
               FROM (VALUES ('TEMPORARY'), ('CREATE')) p (privilege)
              WHERE has_database_privilege('{ROLE}', current_database(), p.privilege)
             UNION ALL
             SELECT 'the role ' || r.rolname FROM pg_roles r WHERE r.rolname <> '{ROLE}' AND pg_has_role('{ROLE}', r.oid, 'MEMBER')
             UNION ALL
             SELECT 'what a superuser may' FROM pg_roles WHERE rolname = '{ROLE}' AND rolsuper
         ) s ORDER BY what"
    );
    let binds = [Bind::Texts(TAKEN.into_iter().map(Some).collect()), Bind::Texts(LEFT.into_iter().map(Some).collect())];
    Ok(Statement::<Text>::of_columns(&text, &binds).load(connection).await?)
}

/// Returns the columns of a table that may be read: the columns of its definition, then the columns of a record's origin.
pub fn readable(definition: &Definition) -> Vec<Column> {
    use crate::tables::definition::ColumnType;
    let origin = [
        (ORIGIN[0], ColumnType::Integer),
        (ORIGIN[1], ColumnType::Text { length_chars_max: None, padded: false }),
        (ORIGIN[2], ColumnType::Bigint),
    ];
    let origin = origin.map(|(name, kind)| Column {
        name: name.to_owned(),
        kind,
        nullable: true,
        has_default: false,
        multiline: false,
    });
    definition.columns.iter().cloned().chain(origin).collect()
}
