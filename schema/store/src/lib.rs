//! The store: letters in the database and all that belongs to them. Each module has one noun, its data and its operations.
//!
//! | module | contents |
//! |---|---|
//! | [`agencies`] | agencies, their installations and scopes |
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
//! | [`samples`], [`planted`], [`testing`] | sample databases; faults and bugs that tests plant; the world that tests run in |
//!
//! Every change by an operator first checks the required privilege, and is one transaction that also writes a line of the audit log. A
//! change applies from the next letter on, on every replica: triggers increase the revisions that settling compares.

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
pub mod tables;
pub mod testing;
