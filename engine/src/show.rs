//! Output of commands: tables for people, JSON for programs (see [`face::show`]), and amounts in the centre's currency.

use face::show::Currency;
pub use face::show::{Labels, Table, facts, joined_or_dash, json, or_dash, part, plain, text};
use store::centre::server::Server;

/// Returns an amount in the main unit with the currency: `12500 XAF`, `-3.50 EUR`.
pub fn amount(minor_units: i64, server: &Server) -> String {
    face::show::amount(minor_units, currency(server))
}

/// Returns an amount in the main unit, without the currency: `12500`, `-3.50`.
pub fn bare_amount(minor_units: i64, server: &Server) -> String {
    face::show::bare_amount(minor_units, currency(server))
}

/// Reads an amount that a person wrote in the currency's main unit, and returns it in minor units.
///
/// # Errors
/// A sentence that says what was expected.
pub fn read_amount(written: &str, server: &Server) -> anyhow::Result<i64> {
    face::show::read_amount(written, currency(server))
}

fn currency(server: &Server) -> Currency<'_> {
    Currency { code: &server.currency, digits: usize::try_from(server.currency_digits).unwrap_or(0) }
}
