//! The office's program: `xmagency` keeps an office's records in a local encrypted database, sends them to the centre as letters, and
//! shows what the centre answered. The exchange itself is the pure office of crate `agency`; this crate is its register, its people and
//! its commands.
//!
//! # Words
//!
//! Those of letters are explained at the top of crate `sdc`. Here, too:
//!
//! | word | meaning | where |
//! |---|---|---|
//! | office folder | the folder with the office's database and the sealed keys to it | [`place`] |
//! | vault | the file that has, for each local user, the database's key sealed under that user's pass-phrase | [`vault`] |
//! | clerk, officer | roles of local users: a clerk writes records, an officer also validates them and speaks to the centre | [`people`] |
//! | kit | the file of the centre that sets an office up | [`agency::kit`] |
//! | record | a row of a table, at the office; its number is `Numero` | [`records`] |
//! | status | of a record: 1 new, 2 validated, 3 packed, 4 exported, 0 cancelled (guide, table 5) | [`records::Status`] |
//! | table | a table of the centre, as its signed definition describes it | [`tables`] |
//! | packed | of records: in a letter that is sealed and stored; nobody changes them any more | [`letters`] |
//! | settled | of a letter: the centre has decided it, and its receipt is verified | [`letters`] |
//! | stick | a folder on a memory stick, on which letters and answers travel | `transmit::stick` |

pub mod command;
pub mod database;
pub mod desk;
pub mod failure;
pub mod letters;
pub mod not_found;
pub mod people;
pub mod place;
pub mod records;
pub mod register;
pub mod settings;
pub mod status;
pub mod tables;
pub mod transmit;
pub mod vault;
