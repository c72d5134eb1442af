//! The body that answers `profile`: what the centre holds of the agency's own data once the letter has taken effect.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::request::ProfileChange;

/// An agency's own data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its town.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub town: String,
    /// Its telephone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub telephone: String,
    /// Where its answers by mail go; empty where it has no e-mail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// What waits until an operator of the centre decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<ProfileChange>,
}

impl Profile {
    /// Makes a profile of what is held, in the form that a reader admits: what operators wrote need not be in normalization form C.
    pub fn new(name: &str, town: &str, telephone: &str, email: &str) -> Profile {
        let [name, town, telephone, email] = [name, town, telephone, email].map(|text| text.nfc().collect::<String>());
        Profile { name, town, telephone, email, waiting: None }
    }

    /// Returns what a change would make of it that it is not yet.
    pub fn differing(&self, change: &ProfileChange) -> ProfileChange {
        let other = |held: &String, set: &Option<String>| set.clone().filter(|set| set != held);
        ProfileChange {
            name: other(&self.name, &change.name),
            town: other(&self.town, &change.town),
            telephone: other(&self.telephone, &change.telephone),
            email: other(&self.email, &change.email),
        }
    }

    /// Makes a change, and returns what the members that it sets were before.
    pub fn make(&mut self, change: &ProfileChange) -> ProfileChange {
        let put = |held: &mut String, set: &Option<String>| set.clone().map(|set| std::mem::replace(held, set));
        ProfileChange {
            name: put(&mut self.name, &change.name),
            town: put(&mut self.town, &change.town),
            telephone: put(&mut self.telephone, &change.telephone),
            email: put(&mut self.email, &change.email),
        }
    }
}

// Payload types print redacted.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({})", if self.waiting.is_some() { "a change waits" } else { "no change waits" })
    }
}
