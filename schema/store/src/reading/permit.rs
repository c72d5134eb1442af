//! The right of an agency to read a table.
//!
//! Permits can be compared. Rows that were read under a permit are sent only if the agency has an equal permit when its letter is settled.

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

/// The right of an agency to read one table by one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The service that reads the table.
    pub service: Service,
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// The version of the table's definition.
    pub version: i32,
    /// Matricule of the agency, if it may read only its own records; absent if it may read the records of all agencies.
    pub own: Option<Matricule>,
    /// Codes of the table's scope column to which the right is limited; absent if there is no such limit.
    pub codes: Option<BTreeSet<String>>,
    /// Whether the answer to a certify contains the record itself.
    pub gives_record: bool,
}

impl Permit {
    /// Returns the right of the signer's agency to read a table by a service.
    ///
    /// # Errors
    /// `table_not_granted` if the plan does not give this right.
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
        // An agency that may read all agencies' records may read them in every scope. An agency that may read only its own records may read
        // them only within the codes that are granted to it now.
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

    /// Says whether the agency would get an equal permit now.
    pub fn holds(&self, signer: &Signer, catalogue: &Catalogue) -> bool {
        let definition: Option<Arc<Definition>> = catalogue.table_of(self.table_id);
        definition.is_some_and(|definition| {
            Permit::of(self.service, &definition, signer, catalogue).is_ok_and(|permit| permit == *self)
        })
    }
}
