//! What an agency may read of a table.
//!
//! A permit is a value that can be compared: what was read under one counts only while the agency's permit is still the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use sdc::letter::Matricule;
use sdc::names::folded;
use sdc::refusal::{Refusal, RefusalCode};
use sdc::service::Service;

use crate::certificates::signers::Signer;
use crate::tables::catalogue::Catalogue;
use crate::tables::definition::Definition;
use crate::tables::rights::{CertifyGives, Whose};

/// What an agency may read of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The service that reads.
    pub service: Service,
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// The version of its columns.
    pub version: i32,
    /// Only records that this agency sent.
    pub own: Option<Matricule>,
    /// Only records with one of these codes in the table's scope column.
    pub codes: Option<BTreeSet<String>>,
    /// Whether certifying gives the record itself.
    pub gives_record: bool,
}

impl Permit {
    /// Returns what a signer's agency may read of a table by a service.
    ///
    /// # Errors
    /// `table_not_granted`.
    pub fn of(
        service: Service,
        definition: &Definition,
        signer: &Signer,
        catalogue: &Catalogue,
    ) -> Result<Permit, Refusal> {
        let right = catalogue.right(definition.table_id, &signer.plan);
        let whose = match service {
            Service::Certify => right.may_certify,
            _ => right.may_read,
        };
        let own = match whose {
            Whose::None => {
                let table = format!("{}.{}", definition.application, definition.name);
                let refusal = Refusal::new(RefusalCode::TableNotGranted).with("table", table);
                return Err(refusal.with("plan", &signer.plan));
            }
            Whose::Own => Some(signer.matricule),
            Whose::All => None,
        };
        // Whoever reads everybody's records reads them in every scope; the own ones are those within the codes granted by now.
        let codes = definition.scope_column.as_ref().filter(|_| own.is_some()).map(|column| {
            signer.scopes.get(&folded(column)).into_iter().flatten().cloned().collect::<BTreeSet<String>>()
        });
        Ok(Permit {
            service,
            table_id: definition.table_id,
            version: definition.version,
            own,
            codes,
            gives_record: service == Service::Certify && right.certify_gives == CertifyGives::Record,
        })
    }

    /// Says whether the agency has this very permit now.
    pub fn holds(&self, signer: &Signer, catalogue: &Catalogue) -> bool {
        let definition: Option<Arc<Definition>> = catalogue.table_of(self.table_id);
        definition.is_some_and(|definition| {
            Permit::of(self.service, &definition, signer, catalogue).is_ok_and(|permit| permit == *self)
        })
    }
}
