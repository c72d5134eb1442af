//! A desk is everything that a command of an operator works with: a connection to the centre's database, the operator who has signed in,
//! and the form in which results are printed.

use diesel_async::AsyncPgConnection;
use sdc::answer::receipt::Receipt;
use sdc::letter::Matricule;
use serde::Serialize;
use store::centre::addresses;
use store::centre::server::Server;
use store::database::{Connection, Database};
use store::people::Operator;

use crate::clock::Clock;
use crate::show;

/// How an operator signs in at the desk.
pub(super) enum Entrance {
    /// As the user to whom this account of the operating system is mapped.
    Account,
    /// As this user, if no account is mapped to any user yet. The account is then mapped to this user.
    FirstOf(String),
}

/// The desk of one command.
pub(super) struct Desk {
    pub(super) database: Database,
    pub(super) connection: Connection,
    pub(super) operator: Operator,
    pub(super) server: Server,
    pub(super) clock: Clock,
    /// Whether the result is for programs.
    pub(super) json: bool,
    pub(super) own_addresses: Vec<String>,
}

impl Desk {
    /// Records the configured addresses of the centre in the database, so that no agency is given one of them. `run` records them too, but
    /// an operator may use a command before the first `run`.
    pub(super) async fn record_own_addresses(&mut self) -> anyhow::Result<()> {
        Ok(addresses::record(&mut self.connection, &self.own_addresses).await?)
    }

    pub(super) fn connection(&mut self) -> &mut AsyncPgConnection {
        &mut self.connection
    }

    /// Returns a receipt in words, one line for each statement in it.
    pub(super) fn receipt_in_words(&self, receipt: &Receipt) -> Vec<String> {
        face::receipt_words::lines(receipt, |amount| show::amount(amount, &self.server))
    }

    /// Prints a result: as JSON for programs, in words for people.
    pub(super) fn tell(&self, result: &impl Serialize, words: &str) -> anyhow::Result<()> {
        if self.json { show::json(result) } else { show::text(words) }
    }

    /// Prints a result whose words are one line.
    pub(super) fn tell_line(&self, result: &impl Serialize, words: &str) -> anyhow::Result<()> {
        self.tell(result, &format!("{words}\n"))
    }
}

/// Reads a matricule as people write it: with or without leading zeros.
pub(super) fn read_matricule(text: &str) -> Result<Matricule, String> {
    let expected = || format!("expected a matricule of 1 to 999999, such as 000042, found {text:?}");
    let number: u32 = text.parse().map_err(|_not_a_number: std::num::ParseIntError| expected())?;
    Matricule::try_from(number).map_err(|_out_of_range| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matricules_are_read_as_people_write_them() {
        assert_eq!(read_matricule("000042").unwrap().to_string(), "000042");
        assert_eq!(read_matricule("42").unwrap().to_string(), "000042");
        for wrong in ["0", "1000000", "-1", "abc", ""] {
            assert!(read_matricule(wrong).unwrap_err().contains("such as 000042"));
        }
    }
}
