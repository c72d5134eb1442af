//! A test that every function that changes something demands a privilege from an operator. The test reads the source files.

use std::fs;
use std::path::{Path, PathBuf};

/// Public functions that change something without an operator: the program itself calls them, or they are called before anybody can sign
/// in.
const BY_NOBODY: [&str; 5] = ["confirm", "record", "found", "map_first", "sign_in_as_system_account"];

/// Files with functions by which the program itself stores letters and sends answers. These functions need no operator.
const BY_THE_PROGRAM: [&str; 8] = [
    "letters/collected.rs",
    "letters/in_hand.rs",
    "letters/leases.rs",
    "letters/messages.rs",
    "letters/notices.rs",
    "letters/outbox.rs",
    "letters/quarantine/insert.rs",
    "letters/quarantine/rooms.rs",
];

#[test]
fn every_public_function_that_changes_something_begins_with_a_privilege() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("samples.rs")];
    for room in ["agencies", "approvals", "centre", "certificates", "ledger", "letters", "people", "tables"] {
        files.push(source.join(room).with_extension("rs"));
        sources(&source.join(room), &mut files);
    }
    let mut judged = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for function in text.split("\npub async fn ").skip(1) {
            let function = function.split("\n}\n").next().unwrap();
            let name = function.split('(').next().unwrap();
            let changes = ["insert_into(", "diesel::update(", "diesel::delete(", "UPDATE ", "audit::write("];
            let takes_operator = function.contains(": &Operator");
            let is_of_program = BY_THE_PROGRAM.iter().any(|place| file.ends_with(place));
            if !takes_operator && (is_of_program || !changes.iter().any(|change| function.contains(change))) {
                continue;
            }
            if BY_NOBODY.contains(&name) && !takes_operator {
                continue;
            }
            let begins = function.contains("operator.require(connection, Operation::")
                || function.contains("decider.require(connection, Operation::")
                || function.contains("operator.require(connection, act.operation())")
                || function.contains("_by(connection, operator, None");
            assert!(begins, "{}: {name} demands no privilege", file.display());
            judged += 1;
        }
    }
    assert!(judged > 25, "{judged}: the functions are found");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}
