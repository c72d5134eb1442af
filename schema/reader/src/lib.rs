//! What agencies read: their SELECT taken apart and written anew, and run under a login that can do nothing else.
//!
//! ```text
//! text ─tokens─▶ ─parse─▶ tree ─tree─▶ Select ─render─▶ our text, bound values ─snapshot─▶ rows ─packing─▶ parts
//! ```
//!
//! Promises (SPEC 4, Import and certify): the agency's text never reaches PostgreSQL; no row leaves that its agency may not read;
//! what is read is staged by the main login and belongs to nobody before the settling transaction has charged it; memory is bounded
//! whatever is asked.

mod certify;
mod condition;
pub mod grammar;
mod import;
mod packing;
mod parse;
mod render;
mod snapshot;
mod staged;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;
mod unreadable;
mod work;

use std::sync::Arc;

use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::Request;
use store::database::Database;
use store::database::fault::Fault;
use store::reading::Read;
use store::settle::{Arrival, BeforeReading, Settler};

pub use parse::parse;
pub use render::{Bounds, Rendered, Statuses, render};
pub use unreadable::{Reason, Unreadable};
pub use work::ReadLimits;
use work::{NotRead, Place};

/// Reads for letters. Cheap to share.
pub struct Reader {
    place: Place,
    /// The login that reads; absent where the centre has none.
    login: Option<Database>,
    settler: Arc<Settler>,
}

impl Reader {
    /// Makes a reader.
    pub fn new(store: Database, login: Option<Database>, settler: Arc<Settler>, limits: ReadLimits) -> Reader {
        Reader { place: Place { store, limits }, login, settler }
    }

    /// Reads for a letter. Returns nothing where it is settled as it is: it asks for no records, is refused whatever is read, or has
    /// its verdict already.
    ///
    /// # Errors
    /// A fault of the database; nothing of what was staged is anybody's.
    pub async fn read(&self, arrival: &Arrival) -> Result<Option<Read>, Fault> {
        let unread = match self.settler.before_reading(arrival).await? {
            BeforeReading::Settle => return Ok(None),
            BeforeReading::Read(unread) => unread,
        };
        let Some(letter) = arrival.letter() else { return Ok(None) };
        let Some(login) = &self.login else {
            let refusal = Refusal::new(RefusalCode::ServiceUnknown).with("service", letter.request.service());
            return Ok(Some(Read::Refused(refusal)));
        };
        let reading = self.read_for(login, arrival, &unread, &letter.request);
        let time_max = self.place.limits.time_max;
        let read = tokio::time::timeout(time_max, reading).await;
        match read.unwrap_or_else(|_elapsed| Err(self.place.too_large("seconds_max", time_max.as_secs()).into())) {
            Ok(staged) => Ok(Some(Read::Staged(Arc::new(staged)))),
            Err(NotRead::Refused(refusal)) => Ok(Some(Read::Refused(refusal))),
            Err(NotRead::Fault(fault)) => Err(fault),
        }
    }

    async fn read_for(
        &self,
        login: &Database,
        arrival: &Arrival,
        unread: &store::settle::Unread,
        request: &Request,
    ) -> Result<store::reading::Staged, NotRead> {
        let work = staged::Reading { place: &self.place, login, arrival, unread };
        match request {
            Request::Import(import) => import::read(&work, import).await,
            Request::Certify(certified) => certify::read(&work, certified).await,
            Request::Export(_)
            | Request::Correct(_)
            | Request::Account(_)
            | Request::Profile(_)
            | Request::Recharge(_)
            | Request::Message(_)
            | Request::Renew(_)
            | Request::Enrol(_) => {
                Err(NotRead::Fault(Fault::Bug("a letter that asks for no records was read for".to_owned())))
            }
        }
    }
}
