//! Election night on one machine: prepares letters, lets the engine settle them, and compares the result with the input.
//!
//! Everything runs as its users run it: `xmserver run` as a process, a real Dovecot, a durable PostgreSQL, a sink that
//! takes the receipts. Figures are printed with the commands that made them.

pub mod agencies;
pub mod bulk;
pub mod burst;
pub mod centre;
pub mod comparison;
pub mod database;
pub mod examination;
pub mod figures;
pub mod history;
pub mod hostile;
pub mod lag;
pub mod limit;
pub mod mix;
pub mod mixed;
pub mod processes;
pub mod sample;
pub mod stations;
pub mod steady;
pub mod stock;
pub mod strangers;
pub mod yardstick;
