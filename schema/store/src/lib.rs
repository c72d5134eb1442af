//! The store: letters in the database and all that belongs to them. Each module has one noun, its data and its operations.
//!
//! | module | contents |
//! |---|---|
//! | [`agencies`] | agencies, their areas, installations and scopes; lists of them, and files that they come from |
//! | [`centre`] | the server, its keys and its addresses |
//! | [`certificates`] | certificates registered and revoked, and the signers by which letters are judged |
//! | [`tables`] | definitions, adoption, the catalogue, and the examination of a letter's records |
//! | [`letters`] | journal, quarantine, outbox, mail in hand, leases of mailboxes |
//! | [`ledger`] | tariffs, prices and recharges |
//! | [`people`] | signing in, privileges, operations that need two people, and the audit log |
//! | [`approvals`] | operations that one person asked for and another one confirms |
//! | [`plans`] | rights and quotas that agencies share |
//! | [`reading`] | rights to read, rows staged for a letter before it is settled, the login that reads |
//! | [`replicas`] | the processes that serve the centre together, and the leases that fall to each |
//! | [`settle`] | the transaction that settles a batch of letters: records, charges, journal and receipts |
//! | [`elections`] | figures of the sample election: states of stations, totals, missing stations |
//! | [`database`] | connections to PostgreSQL: pool, migrations, statements, faults |
//! | [`error`] | reasons for which an operator's request was not carried out |
//! | [`spreadsheet`] | CSV files as spreadsheets read and write them |
//! | [`samples`], [`planted`], [`testing`] | sample databases; faults and bugs that tests plant; the world that tests run in |
//!
//! Every change by an operator first checks the required privilege, and is one transaction that also writes a line of the audit log. A
//! change applies from the next letter on, on every replica: triggers increase the revisions that settling compares.
//!
//! # Words
//!
//! Letters and what becomes of them:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | agency, office | a registered remote office named by its matricule, with one or more installations | [`agencies`] |
//! | area | names of the places that an agency lies in, the largest first: `Littoral/Sanaga-Maritime` | [`agencies::Area`] |
//! | rhythm | days that usually lie between two days with letters of an installation | `settle::post` |
//! | installation | one copy of an office's program, which gives its letters sequence numbers | [`agencies::installations`] |
//! | container, letter | what its sender sealed; what is in it, once it is opened and its signature verified | [`settle::Arrival`] |
//! | stranger | the unknown sender of a container that no registered key signed; a stranger gets no answer | [`settle::Content`] |
//! | settling | this crate judges a letter by itself, decides it by what is stored, and commits rows and verdict | [`settle`] |
//! | batch, case, place | the letters of one transaction; one of them, with what is decided; its index in the batch | `settle::batch` |
//! | round | one try to decide a batch and to write its rows; after a failure another round knows more | `settle::rounds` |
//! | verdict | accepted, held or refused: what settling decided about a letter and stored | `settle::verdict` |
//! | attempt | a letter is settled once; a retry or a ruling makes another attempt, with a verdict of its own | `settle::retry` |
//! | retry, ruling | an operator has a letter settled again; people release or refuse a held letter | [`settle::Retry`] |
//! | duplicate | a letter that has a verdict already; a record that is stored already, with the same content | `settle::decide` |
//! | held letter | stored whole; its rows are in no table until people release it, as a check demands | [`letters::held`] |
//! | record held | the table has a record with the same identity or legal key as a row of the letter | `settle::held` |
//! | wait, deferred | nothing of the letter is committed; its mail stays in the mailbox and comes again | `settle::withheld` |
//! | withheld table | it takes no rows now; all letters for it wait, and after a pause a batch tries it again | `settle::withheld` |
//! | effect | what an accepted letter does besides writing rows: it credits a voucher, or changes a profile | `settle::effect` |
//! | order of effect | letters of an installation count one after the other by sequence number, not by arrival | `settle::batch` |
//! | receipt | the verdict on a letter as its office reads it | `settle::verdict` |
//! | answer, part | what is sent to the office: the receipt alone, or a body in parts in its place | [`letters::outbox`] |
//! | notice | a letter of the centre that answers no letter; each installation numbers and acknowledges its own | [`letters::notices`] |
//! | reading, staged | an answer with records, which is read and stored in parts before its letter is settled | [`reading::staging`] |
//!
//! Tables and money:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | adopted table | a table that operators made and letters may write to; its definition says what rows may contain | [`tables`] |
//! | provenance | the columns `xm_…` that adoption adds; they say which letter a record came from | `tables::adoption` |
//! | identity, legal key | agency, installation and the sender's number; the columns that identify a record in law | `tables::adoption` |
//! | scope | a column whose codes must be granted to the agency that sends the record | [`agencies::scopes`] |
//! | check, group | arithmetic that rows must satisfy; rows with equal values in some columns, which a check adds up | `tables::check` |
//! | flag | a check that an accepted letter breaks, or that could not be judged; operators have to explain it | [`letters::flags`] |
//! | hold, waive | a check may hold a letter; who releases the letter waives this check for it | `settle::flags` |
//! | catalogue, revision | all by which letters are judged; a number that rises when it, or an agency, is changed | [`tables::catalogue`] |
//! | act | in the ledger, a unit with a price, as a record sent or read; in an approval, the operation that was asked for | [`ledger`] |
//!
//! Programs and people:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | former version | the program before an upgrade; for a while it runs beside this one | `database::compatibility` |
//! | lease | for a while, only one process does something: polls a mailbox, or sends an answer | [`letters::leases`] |
//! | epoch, life | it ends when the database is restored from a backup, or a standby takes over | [`reading::epoch()`] |
//! | fault, refusal | database or program failed, and nothing is committed; the letter is wrong, which is a verdict | [`database`] |
//! | seen | the state of an object when one person asked for an operation; if it has changed, nobody can confirm | [`approvals`] |

pub mod agencies;
pub mod approvals;
pub mod centre;
pub mod certificates;
pub mod database;
pub mod elections;
pub mod error;
pub mod ledger;
pub mod letters;
pub mod people;
pub mod plans;
pub mod planted;
pub mod reading;
pub mod replicas;
pub mod samples;
pub mod settle;
pub mod spreadsheet;
pub mod tables;
pub mod testing;
