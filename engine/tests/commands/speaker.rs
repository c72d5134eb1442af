//! Checks that everything a command says in the pseudo-language comes from the catalogues.

use std::cell::RefCell;

use words::pseudo;

use crate::centre::{Centre, Said};

/// Words that no language translates: names, codes and units, and texts of other programs.
pub const DATA: [&str; 24] = [
    "xmserver",
    "XAF",
    "UTC",
    "WAT",
    "SHA",
    "RSA",
    "PostgreSQL",
    "OpenSSL",
    "Debian",
    "pgdg",
    "http",
    "ecr",
    "ActeNaissance",
    "ActeMariage",
    "ActeDeces",
    "MentionMarginale",
    "CentreCode",
    "AnneeRegistre",
    "NumeroActe",
    "rows_invalid",
    "example",
    "org",
    "help",
    "deb",
];

/// Names of months, as OpenSSL writes them in the date of its release.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A centre whose commands run in the pseudo-language and in English.
pub struct Speaker<'a> {
    centre: &'a Centre,
    /// Data that the tests have put into the centre; these words need no accents.
    pub data: Vec<&'a str>,
    /// One text for each output that has words from outside the catalogues, or differs from the English output by more than accents. When
    /// the speaker is dropped, it fails the test with all of these texts.
    breaches: RefCell<Vec<String>>,
}

impl Drop for Speaker<'_> {
    fn drop(&mut self) {
        let breaches = self.breaches.take();
        assert!(
            breaches.is_empty() || std::thread::panicking(),
            "{} breaches:\n{}",
            breaches.len(),
            breaches.join("\n")
        );
    }
}

impl<'a> Speaker<'a> {
    pub fn new(centre: &'a Centre, data: Vec<&'a str>) -> Speaker<'a> {
        Speaker { centre, data, breaches: RefCell::new(Vec::new()) }
    }

    /// Returns a speaker for which further words count as data.
    pub fn with(&self, further: &[&'a str]) -> Speaker<'a> {
        Speaker::new(self.centre, self.data.iter().chain(further).copied().collect())
    }

    pub fn said(&self, language: &str, arguments: &[&str]) -> Said {
        self.centre.say(&[&["--lang", language], arguments].concat())
    }

    /// Returns the output of a command in the pseudo-language. A word from outside the catalogues makes the test fail at its end.
    pub fn says(&self, arguments: &[&str]) -> String {
        let said = self.said(pseudo::TAG, arguments);
        let text = format!("{}{}", said.out, said.err);
        let data: Vec<&str> = self.data.iter().chain(arguments).copied().collect();
        let data: Vec<&str> = DATA.iter().copied().chain(data).collect();
        let foreign = pseudo::foreign(&text, &data);
        if !foreign.is_empty() || text.is_ascii() {
            self.breach(format!("{arguments:?} says {foreign:?} in no language:\n{text}"));
        }
        text
    }

    /// Records what is wrong with an output. The test goes on, and fails when the speaker is dropped.
    pub fn breach(&self, told: String) {
        self.breaches.borrow_mut().push(told);
    }

    /// Runs a command that changes nothing, in the pseudo-language and in English. Without accents both outputs must be the same.
    pub fn shows(&self, arguments: &[&str]) {
        let accented = self.says(arguments);
        let said = self.said("en", arguments);
        let (unaccented, english) = (pseudo::unaccented(&accented), format!("{}{}", said.out, said.err));
        if unaccented != english {
            self.breach(format!("{arguments:?}\nsays    {unaccented}\ninstead {english}"));
        }
    }
}
