//! What the programs of both ends show people: the language that they are spoken to in, help of a command line, tables and JSON, receipts
//! in words. It knows neither the centre's database nor the office's.

pub mod receipt_words;
pub mod show;
pub mod speech;
pub mod usage;

pub use words;
