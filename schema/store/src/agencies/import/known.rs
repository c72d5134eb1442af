//! What the database has about the agencies and keys of a batch of rows, read by a few statements however many rows there are.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bytea, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use super::file::Row;
use crate::agencies::agency::{Agency, plans};
use crate::agencies::scopes;
use crate::centre::addresses;
use crate::certificates::certificate::CertificateFields;
use crate::certificates::inventory::lock_keys;
use crate::database::schema::{accounts, agencies};
use crate::database::statement::{Bind, Statement};
use crate::error::AdministrationError;
use crate::ledger::recharges;

/// SHA-256 of a key.
type Key = Vec<u8>;
/// Issuer and serial number of a certificate.
type Serial = (Vec<u8>, Vec<u8>);
/// A registered key and its owner, by the name with which letters find it.
type Named<Name> = BTreeMap<Name, (Key, Matricule)>;

/// An agency that is there.
#[derive(Debug)]
pub struct Held {
    pub(super) agency: Agency,
    pub(super) installations: BTreeSet<String>,
    /// Fingerprints of its certificates, revoked ones too.
    pub(super) fingerprints: BTreeSet<Vec<u8>>,
    /// SHA-256 of the keys of its certificates.
    pub(super) keys: BTreeSet<Key>,
    /// Scope columns and codes.
    pub(super) scopes: BTreeSet<(String, String)>,
}

/// What the database has about the rows of a batch.
#[derive(Debug)]
pub struct Known {
    pub(super) agencies: BTreeMap<Matricule, Held>,
    /// Owners of the keys that certificates of the batch have, and when the keys were revoked.
    pub(super) owners: BTreeMap<Vec<u8>, (Matricule, Option<DateTime<Utc>>)>,
    /// States of the centre's own keys among them.
    pub(super) centre_keys: BTreeMap<Vec<u8>, String>,
    /// Registered keys by key identifier, with their owners.
    pub(super) key_ids: Named<Vec<u8>>,
    /// Registered keys by issuer and serial number, with their owners.
    pub(super) serials: Named<Serial>,
    pub(super) plans: Vec<String>,
    pub(super) scope_columns: Vec<String>,
    pub(super) own_addresses: Vec<String>,
    /// Largest opening balance, in minor units.
    pub(super) balance_max: i64,
}

fn matricules(rows: &[Row]) -> Vec<Option<Matricule>> {
    rows.iter().filter_map(|row| row.wanted.as_ref().ok()).map(|wanted| Some(wanted.matricule)).collect()
}

fn certificates(rows: &[Row]) -> impl Iterator<Item = &CertificateFields> {
    rows.iter().filter_map(|row| row.wanted.as_ref().ok()).flat_map(|wanted| &wanted.certificates)
}

impl Known {
    /// Locks the agencies of the rows as settling does, accounts first, and the assignment of keys if the rows have certificates.
    pub(super) async fn lock(connection: &mut AsyncPgConnection, rows: &[Row]) -> Result<(), AdministrationError> {
        let binds = [Bind::Matricules(matricules(rows))];
        for text in [
            "SELECT id FROM xm.accounts WHERE agency = ANY (?) ORDER BY agency FOR UPDATE",
            "SELECT matricule FROM xm.agencies WHERE matricule = ANY (?) ORDER BY matricule FOR UPDATE",
        ] {
            Statement::<Integer>::new(text, &binds).load::<i32>(connection).await?;
        }
        if certificates(rows).next().is_some() {
            lock_keys(connection).await?;
        }
        Ok(())
    }

    pub(super) async fn load(connection: &mut AsyncPgConnection, rows: &[Row]) -> Result<Known, AdministrationError> {
        let mut known = Known {
            agencies: held(connection, rows).await?,
            owners: BTreeMap::new(),
            centre_keys: BTreeMap::new(),
            key_ids: BTreeMap::new(),
            serials: BTreeMap::new(),
            plans: plans(connection).await?,
            scope_columns: scopes::columns(connection).await?,
            own_addresses: addresses::own(connection).await?,
            balance_max: recharges::limit(connection).await?,
        };
        if certificates(rows).next().is_some() {
            known.add_keys(connection, rows).await?;
            known.add_names(connection, rows).await?;
        }
        Ok(known)
    }

    async fn add_keys(&mut self, connection: &mut AsyncPgConnection, rows: &[Row]) -> Result<(), AdministrationError> {
        let binds = [Bind::Byteas(certificates(rows).map(|one| Some(one.spki_sha256.as_slice())).collect())];
        let text = "SELECT spki_sha256, agency, revoked_at FROM xm.agency_keys WHERE spki_sha256 = ANY (?)";
        let owners: Vec<(Vec<u8>, Matricule, Option<DateTime<Utc>>)> =
            Statement::<(Bytea, Integer, Nullable<Timestamptz>)>::new(text, &binds).load(connection).await?;
        self.owners = owners.into_iter().map(|(key, owner, revoked_at)| (key, (owner, revoked_at))).collect();
        let text = "SELECT spki_sha256, state FROM xm.centre_keys WHERE spki_sha256 = ANY (?)";
        let states: Vec<(Vec<u8>, String)> = Statement::<(Bytea, Text)>::new(text, &binds).load(connection).await?;
        self.centre_keys = states.into_iter().collect();
        Ok(())
    }

    async fn add_names(&mut self, connection: &mut AsyncPgConnection, rows: &[Row]) -> Result<(), AdministrationError> {
        let binds = [Bind::Byteas(certificates(rows).map(|one| Some(one.key_id.as_slice())).collect())];
        let text = "SELECT key_id, spki_sha256, agency FROM xm.certificates WHERE key_id = ANY (?)";
        let named: Vec<(Vec<u8>, (Key, Matricule))> =
            Statement::<(Bytea, (Bytea, Integer))>::new(text, &binds).load(connection).await?;
        self.key_ids = named.into_iter().collect();
        let binds = [Bind::Byteas(certificates(rows).map(|one| Some(one.serial.as_slice())).collect())];
        // The issuer is compared here: the index begins with the serial number, and hardly two issuers give the same one.
        let text = "SELECT issuer, serial, spki_sha256, agency FROM xm.certificates WHERE serial = ANY (?)";
        let named: Vec<(Serial, (Key, Matricule))> =
            Statement::<((Bytea, Bytea), (Bytea, Integer))>::new(text, &binds).load(connection).await?;
        self.serials = named.into_iter().collect();
        Ok(())
    }
}

/// Reads the agencies of the rows that are there.
async fn held(
    connection: &mut AsyncPgConnection,
    rows: &[Row],
) -> Result<BTreeMap<Matricule, Held>, AdministrationError> {
    let listed = matricules(rows);
    let found: Vec<Agency> = agencies::table
        .inner_join(accounts::table.on(accounts::agency.eq(agencies::matricule.nullable())))
        .filter(agencies::matricule.eq_any(listed.iter().flatten()))
        .select(Agency::as_select())
        .load(connection)
        .await?;
    let held = |agency: Agency| Held {
        agency,
        installations: BTreeSet::new(),
        fingerprints: BTreeSet::new(),
        keys: BTreeSet::new(),
        scopes: BTreeSet::new(),
    };
    let mut all: BTreeMap<Matricule, Held> = found.into_iter().map(|agency| (agency.matricule, held(agency))).collect();
    if all.is_empty() {
        return Ok(all);
    }
    let binds = [Bind::Matricules(listed)];
    let text = "SELECT agency, name FROM xm.installations WHERE agency = ANY (?)";
    let installed: Vec<(Matricule, String)> = Statement::<(Integer, Text)>::new(text, &binds).load(connection).await?;
    for (agency, name) in installed {
        all.entry(agency).and_modify(|held| _ = held.installations.insert(name));
    }
    let text = "SELECT agency, column_name, code FROM xm.scopes WHERE agency = ANY (?)";
    let granted: Vec<(Matricule, String, String)> =
        Statement::<(Integer, Text, Text)>::new(text, &binds).load(connection).await?;
    for (agency, column, code) in granted {
        all.entry(agency).and_modify(|held| _ = held.scopes.insert((column, code)));
    }
    let text = "SELECT agency, fingerprint, spki_sha256 FROM xm.certificates WHERE agency = ANY (?)";
    let registered: Vec<(Matricule, Vec<u8>, Vec<u8>)> =
        Statement::<(Integer, Bytea, Bytea)>::new(text, &binds).load(connection).await?;
    for (agency, fingerprint, key) in registered {
        all.entry(agency).and_modify(|held| {
            held.fingerprints.insert(fingerprint);
            held.keys.insert(key);
        });
    }
    Ok(all)
}
