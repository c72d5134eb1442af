//! The list of certificates, page by page.

use diesel_async::AsyncPgConnection;
use store::certificates::{self, Certificate, CertificateFilter};
use store::error::AdministrationError;

use super::desk::Desk;
use super::listing::Listing;
use crate::show;
use crate::speech::said;

impl Listing for CertificateFilter {
    type Line = Certificate;
    type Cursor = i32;
    const GOES_ON: &'static str = "--after";
    const HEADINGS: &'static [&'static str] =
        &["id", "agency", "algorithm", "valid to", "revoked", "sha-256 fingerprint"];

    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<i32>,
        limit: i64,
    ) -> Result<Vec<Certificate>, AdministrationError> {
        certificates::list(connection, &CertificateFilter { after: behind, limit: Some(limit), ..self.clone() }).await
    }

    fn cursor(certificate: &Certificate) -> i32 {
        certificate.id
    }

    fn cells(certificate: Certificate, desk: &Desk) -> Vec<String> {
        let clock = desk.clock;
        vec![
            certificate.id.to_string(),
            certificate.agency.to_string(),
            certificate.algorithm,
            clock.short(certificate.not_after),
            show::or_dash(certificate.revoked_at.map(|time| clock.short(time))),
            certificates::spoken(&certificate.fingerprint),
        ]
    }

    async fn nothing(&self, _: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
        let is_narrowed = self.agency.is_some() || self.ending_before.is_some();
        Ok(if is_narrowed { said!("cert-none-such") } else { said!("cert-none") })
    }
}
