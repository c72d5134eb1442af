//! The letter at rest, by noun: each has one room, with all that is kept of it and all that is done to it.
//!
//! | room | what it holds |
//! |---|---|
//! | [`agencies`] | agencies, their installations and scopes |
//! | [`centre`] | the server, its keys and its addresses |
//! | [`certificates`] | certificates registered and revoked, and signers as they are read for judging |
//! | [`tables`] | definitions, adoption, the catalogue, and the examination of what a letter brings |
//! | [`letters`] | journal, quarantine, outbox, mail in hand, leases of mailboxes |
//! | [`ledger`] | tariffs, prices and recharges |
//! | [`people`] | who signed in, what each may do, what needs two, and the audit log |
//! | [`approvals`] | what one person asked and another one confirms |
//! | [`plans`] | rights and quotas that agencies share |
//! | [`reading`] | who may read what, what was read for a letter before it is settled, the login that reads |
//! | [`settle`] | the transaction in which a batch of letters becomes all of this |
//! | [`elections`] | figures of the sample election: states of stations, totals, what is missing |
//! | [`database`] | the door to PostgreSQL: pool, migrations, statements, faults |
//! | [`error`] | why something that an operator asked was not done |
//! | [`samples`], [`planted`], [`testing`] | sample databases; faults and bugs that tests plant; the world that tests run in |
//!
//! Every change by an operator begins with the privilege that it requires, and is one transaction that also writes its line of the
//! audit log. It takes effect with the next letter on every replica: triggers raise the revisions that settling compares.

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
pub mod samples;
pub mod settle;
pub mod tables;
pub mod testing;
