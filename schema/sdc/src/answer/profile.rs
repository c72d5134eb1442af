//! The body that answers `profile`: the agency's own data in the centre, after the letter has taken effect.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::request::ProfileChange;

/// An agency's own data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name of the agency.
    pub name: String,
    /// Town of the agency; empty where the centre does not know it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub town: String,
    /// Telephone number of the agency; empty where the centre does not know it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub telephone: String,
    /// E-mail address for answers by mail; empty where the agency has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
    /// Change that waits for the decision of an operator; absent where no change waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<ProfileChange>,
}

impl Profile {
    /// Makes a profile from the centre's data. Texts are turned into Unicode normalization form C, because a reader requires it and an
    /// operator's text may be in another form.
    pub fn new(name: &str, town: &str, telephone: &str, email: &str) -> Profile {
        let [name, town, telephone, email] = [name, town, telephone, email].map(|text| text.nfc().collect::<String>());
        Profile { name, town, telephone, email, waiting: None }
    }

    /// Returns the part of a change that would alter the profile: members whose new value equals the present one are left out.
    pub fn differing(&self, change: &ProfileChange) -> ProfileChange {
        let other = |held: &String, set: &Option<String>| set.clone().filter(|set| set != held);
        ProfileChange {
            name: other(&self.name, &change.name),
            town: other(&self.town, &change.town),
            telephone: other(&self.telephone, &change.telephone),
            email: other(&self.email, &change.email),
        }
    }

    /// Makes a change, and returns the former values of the changed members.
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

// `Debug` shows no content, because a profile is an office's own data.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({})", if self.waiting.is_some() { "a change waits" } else { "no change waits" })
    }
}
