//! Writes a batch of rows: one statement for each table, however many rows there are, and one line of the audit log with every value.

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde_json::{Value, json};

use super::plan::Planned;
use crate::agencies::agency::Agency;
use crate::agencies::values::explain;
use crate::certificates::certificate::CertificateFields;
use crate::database::statement::{Bind, Statement, unnested};
use crate::error::AdministrationError;
use crate::people::action::{AuditAction, Differences};
use crate::people::audit;
use crate::people::operator::Operator;

/// Writes what is planned for the rows of a batch, in the caller's transaction.
pub(super) async fn batch(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &str,
    opening: &str,
    planned: &[&Planned<'_>],
) -> Result<(), AdministrationError> {
    let (Some(first), Some(last)) =
        (planned.iter().map(|one| one.after.matricule).min(), planned.iter().map(|one| one.after.matricule).max())
    else {
        return Ok(());
    };
    let added: Vec<&Agency> = planned.iter().filter(|one| one.before.is_none()).map(|one| &one.after).collect();
    let changed: Vec<&Agency> = planned.iter().filter(|one| differs(one)).map(|one| &one.after).collect();
    insert_agencies(connection, &added).await?;
    open_accounts(connection, &added, opening).await?;
    update_agencies(connection, &changed).await?;
    install(connection, planned).await?;
    register(connection, planned).await?;
    grant(connection, planned).await?;
    let (added, changed): (Vec<_>, Vec<_>) = planned.iter().copied().partition(|one| one.before.is_none());
    let (added, changed) = (added.into_iter().map(detail).collect(), changed.into_iter().map(detail).collect());
    let action = AuditAction::AgencyImport { first, last, file, added, changed };
    Ok(audit::write(connection, operator, &action).await?)
}

/// Says whether a value of the agency's own row or of its account changes.
fn differs(planned: &Planned<'_>) -> bool {
    planned.before.is_some_and(|before| *before != planned.after)
}

/// Returns what the audit log has about a row: all values of a new agency, or those that change.
fn detail(planned: &Planned<'_>) -> Value {
    let after = &planned.after;
    let values = planned.before.map_or_else(|| json!(after), |before| json!(Differences::of(before, after)));
    let fingerprints: Vec<String> = planned.certificates.iter().map(|one| hex::encode(&one.fingerprint)).collect();
    json!({ "agency": after.matricule, "values": values, "installations": planned.installations,
            "fingerprints": fingerprints, "scopes": planned.scopes })
}

fn matricules(agencies: &[&Agency]) -> Bind<'static> {
    Bind::Matricules(agencies.iter().map(|one| Some(one.matricule)).collect())
}

/// Returns the values of agencies, one array for each column that an import writes.
fn columns<'a>(agencies: &[&'a Agency]) -> [Bind<'a>; 10] {
    let texts = |of: fn(&Agency) -> &str| Bind::Texts(agencies.iter().map(|one| Some(of(one))).collect());
    [
        matricules(agencies),
        texts(|one| &one.name),
        texts(|one| &one.town),
        texts(|one| &one.area),
        texts(|one| &one.telephone),
        texts(|one| &one.email),
        texts(|one| &one.plan),
        Bind::Smallints(agencies.iter().map(|one| Some(one.status)).collect()),
        Bind::Integers(agencies.iter().map(|one| Some(one.letter_bytes_max)).collect()),
        Bind::Booleans(agencies.iter().map(|one| Some(one.cbc_allowed)).collect()),
    ]
}

async fn insert_agencies(connection: &mut AsyncPgConnection, added: &[&Agency]) -> Result<(), AdministrationError> {
    let Some(first) = added.first() else { return Ok(()) };
    let binds = columns(added);
    let text = format!(
        "INSERT INTO xm.agencies (matricule, name, town, area, telephone, email, plan, status, letter_bytes_max, cbc_allowed)
         SELECT {}",
        unnested(binds.len())
    );
    let inserted = Statement::<()>::new(&text, &binds).execute(connection).await;
    // The constraint does not say which of the agencies is there. The caller tries again, and finds it.
    inserted.map_err(|error| explain(error, first.matricule, &first.plan))?;
    Ok(())
}

/// Opens the accounts of new agencies. An opening balance is an entry like others, from the centre's account of adjustments, so the books
/// stay balanced.
async fn open_accounts(
    connection: &mut AsyncPgConnection,
    added: &[&Agency],
    opening: &str,
) -> Result<(), AdministrationError> {
    if added.is_empty() {
        return Ok(());
    }
    let binds = [
        matricules(added),
        Bind::Bigints(added.iter().map(|one| Some(one.balance)).collect()),
        Bind::Bigints(added.iter().map(|one| Some(one.credit_limit)).collect()),
    ];
    let text = "INSERT INTO xm.accounts (kind, agency, balance, credit_limit) SELECT 'agency', unnest(?), unnest(?), unnest(?)";
    Statement::<()>::new(text, &binds).execute(connection).await?;
    let opened: Vec<&Agency> = added.iter().copied().filter(|one| one.balance != 0).collect();
    let binds = [Bind::Text(opening), matricules(&opened)];
    let text = "INSERT INTO xm.entries (debit, credit, amount, kind, agency, balance_after, note)
                SELECT CASE WHEN k.balance < 0 THEN k.id ELSE o.id END, CASE WHEN k.balance < 0 THEN o.id ELSE k.id END,
                       abs(k.balance), 'manual', k.agency, k.balance, ?
                  FROM xm.accounts k, xm.accounts o
                 WHERE k.agency = ANY (?) AND o.kind = 'adjustment' AND o.agency IS NULL ORDER BY k.agency";
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

async fn update_agencies(connection: &mut AsyncPgConnection, changed: &[&Agency]) -> Result<(), AdministrationError> {
    let Some(first) = changed.first() else { return Ok(()) };
    let binds = columns(changed);
    let text = format!(
        "UPDATE xm.agencies a
            SET name = n.name, town = n.town, area = n.area, telephone = n.telephone, email = n.email, plan = n.plan,
                status = n.status, letter_bytes_max = n.letter_bytes_max, cbc_allowed = n.cbc_allowed
           FROM unnest({}) AS n (matricule, name, town, area, telephone, email, plan, status, letter_bytes_max, cbc_allowed)
          WHERE a.matricule = n.matricule",
        vec!["?"; binds.len()].join(", ")
    );
    let updated = Statement::<()>::new(&text, &binds).execute(connection).await;
    updated.map_err(|error| explain(error, first.matricule, &first.plan))?;
    let binds = [matricules(changed), Bind::Bigints(changed.iter().map(|one| Some(one.credit_limit)).collect())];
    let text = "UPDATE xm.accounts k SET credit_limit = n.credit_limit FROM unnest(?, ?) AS n (agency, credit_limit)
                 WHERE k.agency = n.agency AND k.credit_limit <> n.credit_limit";
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

async fn install(connection: &mut AsyncPgConnection, planned: &[&Planned<'_>]) -> Result<(), AdministrationError> {
    let new: Vec<(Matricule, &str)> =
        planned.iter().flat_map(|one| one.installations.iter().map(|name| (one.after.matricule, *name))).collect();
    if new.is_empty() {
        return Ok(());
    }
    let binds = [
        Bind::Matricules(new.iter().map(|(agency, _)| Some(*agency)).collect()),
        Bind::Texts(new.iter().map(|(_, name)| Some(*name)).collect()),
    ];
    let text = "INSERT INTO xm.installations (agency, name) SELECT unnest(?), unnest(?) ON CONFLICT DO NOTHING";
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Registers certificates. Their keys become the agencies' first: a key belongs to one agency for ever.
async fn register(connection: &mut AsyncPgConnection, planned: &[&Planned<'_>]) -> Result<(), AdministrationError> {
    let new: Vec<(Matricule, &CertificateFields)> = planned
        .iter()
        .flat_map(|one| one.certificates.iter().map(|certificate| (one.after.matricule, *certificate)))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let agencies = || Bind::Matricules(new.iter().map(|(agency, _)| Some(*agency)).collect());
    fn octets<'a>(new: &[(Matricule, &'a CertificateFields)], of: fn(&CertificateFields) -> &[u8]) -> Bind<'a> {
        Bind::Byteas(new.iter().map(|(_, one)| Some(of(one))).collect())
    }
    let binds = [octets(&new, |one| &one.spki_sha256), agencies()];
    let text = "INSERT INTO xm.agency_keys (spki_sha256, agency) SELECT unnest(?), unnest(?) ON CONFLICT DO NOTHING";
    Statement::<()>::new(text, &binds).execute(connection).await?;
    let binds = [
        agencies(),
        octets(&new, |one| &one.spki_sha256),
        octets(&new, |one| &one.key_id),
        octets(&new, |one| &one.issuer),
        octets(&new, |one| &one.serial),
        octets(&new, |one| &one.der),
        octets(&new, |one| &one.fingerprint),
        Bind::Texts(new.iter().map(|(_, one)| Some(one.algorithm.as_str())).collect()),
        Bind::Timestamptzs(new.iter().map(|(_, one)| Some(one.not_before)).collect()),
        Bind::Timestamptzs(new.iter().map(|(_, one)| Some(one.not_after)).collect()),
    ];
    let text = format!(
        "INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before,
                                      not_after)
         SELECT {}",
        unnested(binds.len())
    );
    Statement::<()>::new(&text, &binds).execute(connection).await?;
    Ok(())
}

async fn grant(connection: &mut AsyncPgConnection, planned: &[&Planned<'_>]) -> Result<(), AdministrationError> {
    let new: Vec<(Matricule, &str, &str)> = planned
        .iter()
        .flat_map(|one| one.scopes.iter().map(|(column, code)| (one.after.matricule, *column, *code)))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let binds = [
        Bind::Matricules(new.iter().map(|(agency, ..)| Some(*agency)).collect()),
        Bind::Texts(new.iter().map(|(_, column, _)| Some(*column)).collect()),
        Bind::Texts(new.iter().map(|(.., code)| Some(*code)).collect()),
    ];
    let text = "INSERT INTO xm.scopes (agency, column_name, code) SELECT unnest(?), unnest(?), unnest(?) ON CONFLICT DO NOTHING";
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}
