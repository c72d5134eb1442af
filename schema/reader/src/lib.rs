//! Reads for agencies. An agency's SELECT is parsed, rendered as a new statement and run under a database login that can only read.
//!
//! ```text
//! text ─tokens─▶ ─parse─▶ tree ─tree─▶ Select ─render─▶ our text, bound values ─snapshot─▶ rows ─packing─▶ parts
//! ```
//!
//! Promises:
//! - The agency's text never reaches PostgreSQL.
//! - No agency gets a row that it may not read.
//! - The main login stages the rows, that is, stores them apart: an agency gets them only after the settling transaction has charged the
//!   agency.
//! - Memory is bounded whatever an agency's letter says.
//!
//! # Words
//!
//! | word | meaning | where |
//! |---|---|---|
//! | reading | all that is done for one letter that asks for records, before it is settled | `staged` |
//! | settling | the transaction that gives letters their verdicts, writes their rows and charges them | `store::settle` |
//! | login | the database role `xm_reader`, which may only read views of the adopted tables | `store::reading::login` |
//! | main login | the role of the rest of the program, which may write | `work` |
//! | adopted | of a table: the centre has stored its definition (columns, types, legal key), so letters may name it | `store::tables` |
//! | permit | which rows of a table an agency may read: its own or all, and of which codes | `store::reading` |
//! | legal key | the columns by which the law knows a record: centre, year and number of a birth | `certify` |
//! | note | a marginal note: a record of a second table, which corrects or completes a record | `certify` |
//! | paper | a certificate in the office's hands, whose values it wants compared with the record | `certify` |
//! | tokens, tree | the words and signs of a SELECT; what the SQL parser makes of them | `tokens`, `tree` |
//! | snapshot | one read-only transaction of the login, which sees all tables at the same moment | `snapshot` |
//! | horizon, position | where an office's next import goes on: the first transaction that it may not have seen | `snapshot`, `import` |
//! | part | a piece of an answer, small enough for the office's link; it travels as a letter of its own | `packing` |
//! | stage | to store parts where no office gets them until the letter is charged | `staged` |
//! | estimate | number, size and price of the records, told instead of the records | `import` |
//! | tried again | an operator has a refused letter decided once more | [`Reader::read_again`] |

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

/// Reads the records for letters. Cloning is cheap.
pub struct Reader {
    place: Place,
    /// The login that reads; `None` where the centre has no such login. The centre then refuses the services that read.
    login: Option<Database>,
    settler: Arc<Settler>,
}

impl Reader {
    /// Makes a reader. `login` is the login that reads the agencies' records. The reader writes them into `store`, where they wait until
    /// the settling transaction has charged the agency.
    pub fn new(store: Database, login: Option<Database>, settler: Arc<Settler>, limits: ReadLimits) -> Reader {
        Reader { place: Place { store, limits }, login, settler }
    }

    /// Reads the records for a letter. Returns `None` where the letter is settled without reading, because it selects no records, is
    /// refused in any case, or already has its verdict.
    ///
    /// # Errors
    /// The database fails. Rows that were staged before the fault belong to no letter.
    pub async fn read(&self, arrival: &Arrival) -> Result<Option<Read>, Fault> {
        self.read_as(arrival, false).await
    }

    /// Reads the records again for a letter that an operator tries again. The rights, records and account of this moment count. What was
    /// read at the first attempt is ignored, because it may have changed since.
    ///
    /// # Errors
    /// As for [`Reader::read`].
    pub async fn read_again(&self, arrival: &Arrival) -> Result<Option<Read>, Fault> {
        self.read_as(arrival, true).await
    }

    async fn read_as(&self, arrival: &Arrival, is_again: bool) -> Result<Option<Read>, Fault> {
        let unread = match self.settler.before_reading(arrival, is_again).await? {
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
