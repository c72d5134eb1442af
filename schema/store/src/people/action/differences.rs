//! The difference that a change of an agency makes, as its audit line has it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::agencies::agency::Agency;

/// The members that differ between an agency before and after a change, each as `{"from": …, "to": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Differences(Map<String, Value>);

impl Differences {
    /// Compares an agency before a change with the agency after the change.
    pub fn of(before: &Agency, after: &Agency) -> Differences {
        let (Value::Object(before), Value::Object(mut after)) = (json!(before), json!(after)) else {
            return Differences(Map::new());
        };
        let differing = before.into_iter().filter_map(|(name, from)| {
            let to = after.remove(&name)?;
            (from != to).then(|| (name, json!({ "from": from, "to": to })))
        });
        Differences(differing.collect())
    }
}
