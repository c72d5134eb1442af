//! Measures an election night on one machine: prepares letters, lets the engine settle them, and compares the database with the letters.
//!
//! All programs run as in production: `xmserver run` as a process, a real Dovecot, and a PostgreSQL with fsync. An SMTP server accepts and
//! discards the receipts. The history keeps each figure with the command that made it.

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
