//! Each vector is changed in one thing: a member is added, removed, set to another type or set to null. The reader must refuse the changed
//! payload. Only the members in `OPTIONAL` may be removed; of each of them there is a vector with it and a vector without it.

use std::collections::BTreeSet;

use sdc::payload::{PayloadLimits, read_answer, read_centre_letter, read_letter, read_part};
use sdc::refusal::{Refusal, RefusalCode};
use serde_json::{Map, Value, json};

use super::{answers, letters, notices, parts, vector};

/// Reads the octets of a vector as the kind of letter that its folder names.
fn read(path: &str, octets: &[u8]) -> Result<(), Refusal> {
    let limits = PayloadLimits::default();
    match path.split('/').next() {
        Some("letters") => read_letter(octets, &limits).map(|_| ()).map_err(|unreadable| unreadable.refusal),
        Some("answers") => read_answer(octets, &limits).map(|_| ()),
        Some("parts") => read_part(octets, &limits).map(|_| ()),
        Some("notices") => read_centre_letter(octets, &limits).map(|_| ()),
        _ => panic!("{path}: no such folder"),
    }
}

fn all() -> Vec<String> {
    let path = |folder: &str, path: &str| format!("{folder}/{path}.json");
    let letters = letters::expected().into_iter().map(|(name, _)| path("letters", name));
    let answers = answers::expected().into_iter().map(|(name, _)| path("answers", &name));
    let parts = parts::expected().into_iter().map(|(name, _)| path("parts", name));
    let notices = notices::expected().into_iter().map(|(name, _)| path("notices", name));
    letters.chain(answers).chain(parts).chain(notices).collect()
}

/// Says whether the members of an object may have any names, as the columns of a key may. Such an object is not bent, because a member that
/// is added to it is no fault.
fn is_free(place: &str) -> bool {
    place.ends_with("record.key") || place.ends_with("refusal.parameters") || place.ends_with("body.columns[]")
}

/// One object within a payload. `pointer` is its JSON pointer (RFC 6901); `place` is its path with `[]` for any index of an array.
struct Place {
    pointer: String,
    place: String,
}

/// Finds every object within a payload whose members the format names.
fn objects(value: &Value, pointer: &str, place: &str, found: &mut Vec<Place>) {
    match value {
        Value::Object(members) if !is_free(place) => {
            found.push(Place { pointer: pointer.to_owned(), place: place.to_owned() });
            for (name, member) in members {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                objects(member, &format!("{pointer}/{name}"), &place, found);
            }
        }
        Value::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                objects(element, &format!("{pointer}/{at}"), &format!("{place}[]"), found);
            }
        }
        _ => {}
    }
}

/// Returns the payload after a change of one of its objects.
fn with(payload: &Value, pointer: &str, change: impl FnOnce(&mut Map<String, Value>)) -> Vec<u8> {
    let mut payload = payload.clone();
    change(payload.pointer_mut(pointer).unwrap().as_object_mut().unwrap());
    serde_json::to_vec(&payload).unwrap()
}

/// Calls `look` for each object of each vector, with the vector's path, the payload, the object's place, and the object.
fn each_object(mut look: impl FnMut(&str, &Value, &Place, &Map<String, Value>)) {
    for path in all() {
        let payload: Value = serde_json::from_slice(&vector(&path)).unwrap();
        let mut found = Vec::new();
        objects(&payload, "", "", &mut found);
        for place in found {
            let object = payload.pointer(&place.pointer).unwrap().as_object().unwrap();
            look(&path, &payload, &place, object);
        }
    }
}

fn assert_malformed(path: &str, what: &str, octets: &[u8]) {
    let refusal = read(path, octets).expect_err(&format!("{path}: {what} is admitted"));
    assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{path}: {what}: {refusal}");
}

#[test]
fn an_unknown_member_is_refused_wherever_it_stands() {
    let mut tried = 0;
    each_object(|path, payload, place, _| {
        let more = with(payload, &place.pointer, |object| {
            object.insert("further".to_owned(), json!(1));
        });
        assert_malformed(path, &format!("a further member of {:?}", place.place), &more);
        tried += 1;
    });
    assert!(tried > 300, "{tried}");
}

#[test]
fn another_type_is_refused_in_every_member() {
    each_object(|path, payload, place, object| {
        for (name, member) in object {
            let others = [Value::Null, json!({}), json!([[[]]]), json!(1.5)];
            for other in others.into_iter().filter(|other| !(other.is_object() && member.is_object())) {
                let what = format!("{other} as {name} of {:?}", place.place);
                let bent = with(payload, &place.pointer, |object| {
                    object.insert(name.clone(), other);
                });
                assert_malformed(path, &what, &bent);
            }
        }
    });
}

/// Members that may be absent, by folder; for members of a body, also by kind of body. Members that only some verdicts have, such as
/// `refusal`, may be absent with every verdict: a later centre may decide otherwise, and an office must still read its receipts.
const OPTIONAL: &[&str] = &[
    "answers/account: body.entries[].letter",
    "answers/account: body.entries[].note",
    "answers/profile: body.email",
    "answers/profile: body.telephone",
    "answers/profile: body.town",
    "answers/profile: body.waiting",
    "answers/profile: body.waiting.email",
    "answers/profile: body.waiting.name",
    "answers/profile: body.waiting.telephone",
    "answers/profile: body.waiting.town",
    "answers: receipt.epoch",
    "answers: receipt.flags",
    "answers: receipt.flags[].unjudged",
    "answers: receipt.hold",
    "answers: receipt.hold.checks",
    "answers: receipt.letter",
    "answers: receipt.read",
    "answers: receipt.refusal",
    "answers: receipt.refusal.faults",
    "answers: receipt.refusal.faults[].column",
    "answers: receipt.refusal.faults[].expected",
    "answers: receipt.refusal.faults_total",
    "answers: receipt.refusal.parameters",
    "answers: receipt.remedy",
    "answers: receipt.rows",
    "answers: receipt.rows[].cancelled",
    "answers: receipt.rows[].replaced",
    "answers: receipt.rows[].superseded",
    "answers: receipt.rows[].waiting",
    "answers: receipt.sequence",
    "answers: receipt.skew_seconds",
    "answers: to.installation",
    "letters/account: body.from",
    "letters/account: body.to",
    "letters/import_select: body.estimate",
    "letters/import_table: body.changed_since",
    "letters/import_table: body.estimate",
    "letters/message: body.thread",
    "letters/profile: body.set",
    "letters/profile: body.set.email",
    "letters/profile: body.set.name",
    "letters/profile: body.set.telephone",
    "letters/profile: body.set.town",
    "letters: seen",
    "notices/definitions: body.scope",
    "notices/profile: body.profile.email",
    "notices/profile: body.profile.telephone",
    "notices/profile: body.profile.town",
    "notices/profile: body.profile.waiting",
    "notices/profile: body.profile.waiting.email",
    "notices/profile: body.profile.waiting.name",
    "notices/profile: body.profile.waiting.telephone",
    "notices/profile: body.profile.waiting.town",
    "notices/profile: body.reason",
    "notices/statement: body.statement.entries[].letter",
    "notices/statement: body.statement.entries[].note",
    "parts/certify: body.results[].columns",
    "parts/certify: body.results[].notes",
    "parts/certify: body.results[].record",
    "parts/import_rows: body.position",
    "parts: last",
    "parts: to.installation",
];

/// Returns the folder and the place of an object as [`OPTIONAL`] writes them. The kind of the vector is added for objects in the body,
/// since each kind has another body.
fn object_of(path: &str, place: &str) -> String {
    let (folder, rest) = path.split_once('/').unwrap();
    if place.starts_with("body") {
        format!("{folder}/{}: {place}.", rest.split_once('/').unwrap().0)
    } else if place.is_empty() {
        format!("{folder}: ")
    } else {
        format!("{folder}: {place}.")
    }
}

#[test]
fn members_may_be_absent_where_they_are_listed_and_are_there_and_not_there_in_vectors() {
    let mut admitted = BTreeSet::new();
    each_object(|path, payload, place, object| {
        for name in object.keys() {
            let fewer = with(payload, &place.pointer, |object| {
                object.remove(name);
            });
            match read(path, &fewer) {
                Ok(()) => {
                    admitted.insert(format!("{}{name}", object_of(path, &place.place)));
                }
                Err(refusal) => {
                    assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{path} without {name}: {refusal}");
                }
            }
        }
    });
    let listed: BTreeSet<String> = OPTIONAL.iter().map(|member| (*member).to_owned()).collect();
    assert_eq!(admitted, listed);

    // The loop above has removed each listed member, so each occurs in a vector. This loop finds the listed members that are absent from a
    // vector although their object is present.
    let mut absent = BTreeSet::new();
    each_object(|path, _, place, object| {
        let own = object_of(path, &place.place);
        let of_object = listed.iter().filter_map(|member| Some((member, member.strip_prefix(&own)?)));
        let is_without = |(_, name): &(&String, &str)| !name.contains('.') && !object.contains_key(*name);
        absent.extend(of_object.filter(is_without).map(|(member, _)| member.clone()));
    });
    assert_eq!(listed.difference(&absent).collect::<Vec<_>>(), Vec::<&String>::new(), "no vector is without these");
}

/// Members that must be present together or absent together.
#[test]
fn of_two_members_that_belong_together_none_stands_alone() {
    for (path, pointer, pair) in [
        ("letters/correct/replaced_by_key.json", "/body/corrections/0", ["columns", "values"]),
        ("letters/correct/cancelled_by_number.json", "/body/corrections/0/record", ["installation", "numero"]),
        ("letters/certify/keys_and_values.json", "/body", ["columns", "values"]),
        ("letters/import_table/all.json", "/body", ["application", "table"]),
        ("letters/import_again/parts.json", "/body/again", ["letter", "parts"]),
        // `columns` and `note_columns` name the columns of the records and notes in the results.
        ("parts/certify/records.json", "/body", ["columns", "note_columns"]),
    ] {
        let payload: Value = serde_json::from_slice(&vector(path)).unwrap();
        for name in pair {
            let fewer = with(&payload, pointer, |object| {
                object.remove(name).unwrap();
            });
            assert_malformed(path, &format!("no {name}"), &fewer);
        }
    }
}
