//! The body of `profile`: changes to the agency's own data. The body is empty where the office only asks for the data that the centre has.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::is_address;
use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{optional_members, text};
use crate::printable::steers;
use crate::refusal::Refusal;

/// Maximum number of characters of a name, a town or a telephone number.
pub const PROFILE_CHARS_MAX: usize = 200;

/// The names of a change's members, in the order in which they are written.
const MEMBERS: [&str; 4] = ["name", "town", "telephone", "email"];

/// A request to read the agency's profile, and optionally to change it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProfileRequest {
    /// The change; absent where the office only reads its profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<ProfileChange>,
}

/// Changes to an agency's own data; a member that is absent does not change.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    /// New name of the agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New town of the agency; may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// New telephone number of the agency; may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
    /// New e-mail address for answers by mail. A letter cannot remove the address, since later letters could then not be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl ProfileChange {
    /// Says whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == ProfileChange::default()
    }

    /// Joins two changes; where both set a member, the value of `later` counts.
    #[must_use]
    pub fn then(self, later: &ProfileChange) -> ProfileChange {
        ProfileChange {
            name: later.name.clone().or(self.name),
            town: later.town.clone().or(self.town),
            telephone: later.telephone.clone().or(self.telephone),
            email: later.email.clone().or(self.email),
        }
    }

    /// Returns each member's name with its new value; `None` where the change does not set the member.
    pub fn members(&self) -> [(&'static str, Option<&str>); 4] {
        let values = [&self.name, &self.town, &self.telephone, &self.email];
        let mut members = [("", None); 4];
        for (place, (name, value)) in MEMBERS.into_iter().zip(values).enumerate() {
            members[place] = (name, value.as_deref());
        }
        members
    }
}

// `Debug` shows no content, since a change is an office's own data.
impl fmt::Debug for ProfileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.members().into_iter().filter_map(|(name, value)| value.map(|_| name)).collect();
        write!(f, "ProfileChange({})", names.join(", "))
    }
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value) -> Result<ProfileRequest, Refusal> {
    let [set] = optional_members(body, "body", &["set"])?;
    let Some(set) = set else { return Ok(ProfileRequest::default()) };
    let [name, town, telephone, email] = optional_members(set, "body.set", &MEMBERS)?;
    let change = ProfileChange {
        name: line(name, "body.set.name")?,
        town: line(town, "body.set.town")?,
        telephone: line(telephone, "body.set.telephone")?,
        email: email.map(|email| address(email, "body.set.email")).transpose()?,
    };
    if change.name.as_deref().is_some_and(|name| name.trim().is_empty()) {
        return Err(malformed("body.set.name", Expected::ProfileName));
    }
    if change.is_empty() {
        Err(malformed("body.set", Expected::SomeMember))
    } else {
        Ok(ProfileRequest { set: Some(change) })
    }
}

fn line(value: Option<Value>, path: &str) -> Result<Option<String>, Refusal> {
    let read = |value| text(value).filter(|text| is_line(text)).ok_or_else(|| malformed(path, Expected::ProfileLine));
    value.map(read).transpose()
}

fn is_line(text: &str) -> bool {
    text.chars().count() <= PROFILE_CHARS_MAX && !text.contains(steers)
}

fn address(value: Value, path: &str) -> Result<String, Refusal> {
    text(value).filter(|text| is_address(text)).ok_or_else(|| malformed(path, Expected::EmailAddress))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(name: &str, town: &str) -> ProfileChange {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        ProfileChange { name: some(name), town: some(town), ..ProfileChange::default() }
    }

    #[test]
    fn a_change_names_at_least_one_member_and_each_on_one_line() {
        assert_eq!(read(json!({})).unwrap().set, None);
        let read_change = |set: Value| read(json!({ "set": set }));
        let set = read_change(json!({ "name": "Mairie d'Édéa", "town": "" })).unwrap().set.unwrap();
        assert_eq!((set.name.as_deref(), set.town.as_deref(), set.email), (Some("Mairie d'Édéa"), Some(""), None));
        for wrong in [
            json!({}),
            json!({ "name": "" }),
            json!({ "name": " " }),
            json!({ "town": "a\nb" }),
            json!({ "telephone": "\u{202E}123" }),
            json!({ "email": "" }),
            json!({ "email": "é@example.org" }),
            json!({ "town": "x".repeat(201) }),
            json!({ "plan": "gold" }),
            json!({ "town": null }),
        ] {
            read_change(wrong.clone()).expect_err(&wrong.to_string());
        }
        assert!(read_change(json!({ "town": "é".repeat(200) })).is_ok());
        read(json!({ "get": {} })).unwrap_err();
    }

    #[test]
    fn of_two_changes_the_later_one_counts() {
        assert_eq!(change("a", "b").then(&change("c", "")), change("c", "b"));
        assert_eq!(format!("{:?}", change("a", "b")), "ProfileChange(name, town)", "its values are nobody's business");
    }
}
