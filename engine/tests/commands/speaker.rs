//! What a command says in the language that nobody speaks, and whether any of it comes from outside the catalogues.

use std::cell::RefCell;

use words::pseudo;

use crate::centre::{Centre, Said};

/// Words of no language: names, codes and units, and what others say.
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

/// Months, as OpenSSL writes the day of its release.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A centre that is spoken to in the language that nobody speaks, and in English.
pub struct Speaker<'a> {
    centre: &'a Centre,
    /// What the tests themselves have put into the centre.
    pub data: Vec<&'a str>,
    /// Every breach, to be told at once.
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

    /// Returns a speaker that takes further words for data.
    pub fn with(&self, further: &[&'a str]) -> Speaker<'a> {
        Speaker::new(self.centre, self.data.iter().chain(further).copied().collect())
    }

    pub fn said(&self, language: &str, arguments: &[&str]) -> Said {
        self.centre.say(&[&["--lang", language], arguments].concat())
    }

    /// Returns what a command says in the language that nobody speaks. Every word of it that comes from outside the catalogues is a breach.
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

    /// Notes a breach.
    pub fn breach(&self, told: String) {
        self.breaches.borrow_mut().push(told);
    }

    /// Runs a command that changes nothing. Without its accents, what it says must be the same as in English.
    pub fn shows(&self, arguments: &[&str]) {
        let accented = self.says(arguments);
        let said = self.said("en", arguments);
        let (unaccented, english) = (pseudo::unaccented(&accented), format!("{}{}", said.out, said.err));
        if unaccented != english {
            self.breach(format!("{arguments:?}\nsays    {unaccented}\ninstead {english}"));
        }
    }
}
