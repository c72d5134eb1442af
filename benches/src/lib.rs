//! Measures an election night on one machine: prepares letters, lets the engine settle them, and compares the database with the letters.
//!
//! All programs run as in production: `xmserver run` as a process, a real Dovecot, and a PostgreSQL with fsync. An SMTP server accepts and
//! discards the receipts. The history keeps each figure with the command that made it.
//!
//! # Words
//!
//! | word | meaning | where |
//! |---|---|---|
//! | stock | a centre that knows many agencies, and their sealed letters; made once and kept | [`stock::Stock`] |
//! | mix | which mails a stock has: good letters, bad ones, duplicates, mails of strangers | [`mix::Mix`] |
//! | settled | a letter has its verdict, and the transaction with it is committed | crate `store` |
//! | burst | a run in which all letters lie in the mailboxes before the engine starts | [`burst`] |
//! | steady | a run in which so many letters a second are delivered while the engine works | [`steady`] |
//! | hardship | what makes a burst harder: a slow line, large mails, hostile mails, imports | [`centre::Hardship`] |
//! | stranger | a sender with no key that the centre knows | [`strangers`] |
//! | hostile agency, harm | a registered agency that burdens the centre on purpose; the way in which it does | [`agencies::Harm`] |
//! | reader | an agency that asks the centre for records | [`readers::Readers`] |
//! | import, certify | letters that ask for all rows of a table, or for a look at single records | [`import`], [`certify`] |
//! | act, paper | a birth in a register; the certificate of it that somebody shows to an office | [`tables::Paper`] |
//! | stage | the centre stores the parts of an answer, before the letter that asks for them is charged | [`beside`] |
//! | held rows | rows that the tables have before the run | [`stock::Wanted`] |
//! | figures | what is measured in a run; each has a name, in the table and in JSON | [`figures::Figures`] |
//! | report, summary | the results of a subcommand; those that concern all its runs together | [`figures::Report`] |
//! | lost, doubled, sound | less or more in the database than the letters explain; neither of the two | [`figures::Figures`] |
//! | bound | a value that a figure must reach, or must not exceed; else `load` fails | [`figures::Report`] |
//! | full | of a run: as large as it must be for its bounds to mean anything | [`hostile::Size`] |
//! | limit, share of limit | the letters a second that this machine could settle at best; the part of it reached | [`limit`] |
//! | yardstick | a fixed piece of work, timed during a run, which tells how fast the processors are just now | [`yardstick`] |

pub mod agencies;
pub mod beside;
pub mod bulk;
pub mod burst;
pub mod centre;
pub mod certify;
pub mod comparison;
pub mod database;
pub mod examination;
pub mod figures;
pub mod history;
pub mod hostile;
pub mod import;
pub mod lag;
pub mod limit;
pub mod listed;
pub mod mix;
pub mod mixed;
pub mod options;
pub mod processes;
pub mod push;
pub mod readers;
pub mod reading;
pub mod reads;
pub mod sample;
pub mod services;
pub mod stations;
pub mod steady;
pub mod stock;
pub mod strangers;
pub mod tables;
pub mod yardstick;
