//! The gauge that says whether the centre's second database login, which reads records for agencies, can sign in. If it cannot, letters are
//! still written, so without the gauge nobody would notice until an office asks for records.

use diesel_async::SimpleAsyncConnection;
use prometheus::{IntGaugeVec, Opts, Registry};
use store::database::Database;
use store::database::fault::Fault;

use super::group;

/// The gauge, with the main login and the login that reads for agencies.
pub struct ReaderGauges {
    database: Database,
    login: Database,
    /// The metric `xm_reader_up`. It has no labels, and no value until the first attempt to sign in.
    up: IntGaugeVec,
}

impl ReaderGauges {
    /// Makes the gauge and registers it.
    pub fn new(database: Database, login: Database, registry: &Registry) -> prometheus::Result<ReaderGauges> {
        let help = "1 while the login that reads for agencies can sign in";
        let up = IntGaugeVec::new(Opts::new("xm_reader_up", help), &[])?;
        registry.register(Box::new(up.clone()))?;
        Ok(ReaderGauges { database, login, up })
    }
}

impl group::Read for ReaderGauges {
    async fn read(&self) -> Result<(), Fault> {
        // If PostgreSQL itself cannot be reached, this call fails and the gauge keeps no value, because then nothing is known about the
        // login.
        drop(self.database.get().await?);
        // The check opens a new connection each time. A connection that is already open would still work after PostgreSQL has begun to
        // refuse the login.
        let signing_in = async { Ok::<(), Fault>(self.login.connect_alone().await?.batch_execute("SELECT 1").await?) };
        let signed_in = signing_in.await;
        if let Err(fault) = &signed_in {
            tracing::debug!(%fault, "the login that reads cannot sign in");
        }
        self.up.with_label_values::<&str>(&[]).set(i64::from(signed_in.is_ok()));
        Ok(())
    }
}
