//! Passes the SQLSTATE of an error on to the fault that is made of it.
//!
//! Only the SQLSTATE distinguishes a trigger's exception from a database that cannot be used: messages are in the server's language, and a
//! trigger can raise any message. diesel passes on all parts of an error except the SQLSTATE (its pull request 5232 is to change that), and
//! diesel's error type is private. Therefore the stream that tokio-postgres reads ([`super::wire`]) replaces the hint of every
//! ErrorResponse (PostgreSQL, Message Formats), which this program never shows, by the SQLSTATE.

/// Prefix of a hint that contains a SQLSTATE.
pub const MARK: &str = "SQLSTATE ";

/// Returns the SQLSTATE that a hint contains.
pub fn of_hint(hint: Option<&str>) -> Option<&str> {
    hint?.strip_prefix(MARK)
}
