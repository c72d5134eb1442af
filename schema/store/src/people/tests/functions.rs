//! A house rule: every public function of this crate that writes takes an operator, and demands a privilege from him first. The test reads
//! the source files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders whose functions the program itself calls, for no operator: it settles letters, answers them, reads for agencies and
/// shares the work among its replicas.
const BY_THE_PROGRAM: [&str; 12] = [
    "letters/in_hand.rs",
    "letters/leases.rs",
    "letters/messages.rs",
    "letters/notices.rs",
    "letters/outbox.rs",
    "letters/quarantine/insert.rs",
    "letters/quarantine/rooms.rs",
    "reading/",
    "replicas.rs",
    "settle/",
    "testing.rs",
    "testing/",
];

/// Single functions that write without an operator, and why they need none.
const BY_NOBODY: [(&str, &str, &str); 13] = [
    ("agencies/profiles.rs", "tell", "the program tells offices what was decided"),
    ("centre/addresses.rs", "record", "the program records its own addresses"),
    ("centre/keys.rs", "confirm", "the program compares its keys with the centre's"),
    ("database/compatibility.rs", "recorded", "a migration"),
    ("people/mapping.rs", "found", "nobody can sign in before the first user exists"),
    ("people/mapping.rs", "map_first", "nobody can sign in before the first account is mapped"),
    ("people/operator.rs", "require", "it is what demands the privilege"),
    ("people/operator.rs", "sign_in_as_system_account", "it makes the operator"),
    ("people/sessions.rs", "change_password", "a user proves himself by his former password"),
    ("people/sessions.rs", "resume", "it makes the operator"),
    ("people/sessions.rs", "sign_in", "it makes the operator"),
    ("people/sessions.rs", "sign_out", "a user ends his own session"),
    ("tables/adoption/record.rs", "record", "a step of the adoption, which demanded the privilege"),
];

/// Texts by which a function writes to the database.
const WRITES: [&str; 7] =
    ["insert_into(", "diesel::update(", "diesel::delete(", "UPDATE xm", "INSERT INTO", "DELETE FROM", "audit::write("];

/// Texts by which a function demands a privilege, or hands its operator on to a function that does.
const DEMANDS: [&str; 5] = [
    "operator.require(connection, Operation::",
    "decider.require(connection, Operation::",
    "operator.require(connection, act.operation())",
    "_by(connection, operator, None",
    "Inspection::begin(connection, operator, ",
];

/// A function of a source file.
struct Function<'a> {
    name: &'a str,
    is_public: bool,
    text: String,
}

/// Finds the functions of a file. Since the sources are formatted, a function ends at the closing brace of its own indentation.
fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let function = |at: usize| {
        let line = lines[at];
        let code = line.trim_start();
        let indentation = &line[..line.len() - code.len()];
        let (before, behind) = code.split_once("fn ")?;
        if !before.split(' ').all(|word| ["", "pub", "async", "const"].contains(&word) || word.starts_with("pub(")) {
            return None;
        }
        let name = behind.split(['(', '<']).next()?;
        let closing = format!("{indentation}}}");
        let length = lines[at..].iter().position(|line| *line == closing)?;
        let text = lines[at..=at + length].join("\n");
        Some(Function { name, is_public: before.starts_with("pub "), text })
    };
    (0..lines.len()).filter_map(function).collect()
}

/// Returns the names of the functions that write, themselves or by another function of the same file.
fn writers<'a>(functions: &[Function<'a>]) -> BTreeSet<&'a str> {
    let writes = |function: &&Function<'_>| WRITES.iter().any(|text| function.text.contains(text));
    let mut found: BTreeSet<&str> = functions.iter().filter(writes).map(|function| function.name).collect();
    loop {
        let calls = |function: &Function<'_>, name: &str| {
            let call = format!("{name}(");
            let ends = |at: usize| function.text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            function.name != name && function.text.match_indices(&call).any(|(at, _)| !ends(at))
        };
        let further: Vec<&str> = functions
            .iter()
            .filter(|function| !found.contains(function.name) && found.iter().any(|name| calls(function, name)))
            .map(|function| function.name)
            .collect();
        if further.is_empty() {
            return found;
        }
        found.extend(further);
    }
}

/// Judges a file: which of its public functions break the rule. Also counts those that keep it.
fn breaches(file: &str, text: &str) -> (Vec<String>, usize) {
    if BY_THE_PROGRAM.iter().any(|place| file.starts_with(place)) {
        return (Vec::new(), 0);
    }
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let functions = functions(text);
    let writers = writers(&functions);
    let (mut breaches, mut kept) = (Vec::new(), 0);
    for function in functions.iter().filter(|function| function.is_public && writers.contains(function.name)) {
        let name = function.name;
        if function.text.contains(": &Operator") {
            kept += 1;
            if !DEMANDS.iter().any(|demand| function.text.contains(demand)) {
                breaches.push(format!("{file}: {name} takes an operator and demands no privilege"));
            }
        } else if !BY_NOBODY.iter().any(|(place, excepted, _)| (file, name) == (*place, *excepted)) {
            breaches.push(format!("{file}: {name} writes and takes no operator"));
        }
    }
    (breaches, kept)
}

#[test]
fn every_public_function_that_writes_takes_an_operator_and_demands_a_privilege() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    let (mut found, mut kept) = (Vec::new(), 0);
    let mut excepted = BTreeSet::new();
    for path in files {
        let file = path.strip_prefix(&source).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let (breaches, right) = breaches(&file, &text);
        found.extend(breaches);
        kept += right;
        let named = functions(&text).into_iter().map(|function| (file.clone(), function.name.to_owned()));
        excepted.extend(named);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(kept > 45, "{kept}: the functions are found");
    for (file, name, why) in BY_NOBODY {
        assert!(excepted.contains(&(file.to_owned(), name.to_owned())), "{file}: there is no {name} ({why})");
    }
}

#[test]
fn a_function_that_breaks_the_rule_is_found_and_no_other() {
    let hidden = "async fn put(c: &mut C) {\n    diesel::update(x).execute(c).await\n}\n";
    let of = |function: &str| breaches("agencies/x.rs", &format!("{hidden}\n{function}")).0;
    for wrong in [
        "pub async fn add(c: &mut C) {\n    insert_into(x).execute(c).await\n}",
        "pub async fn add(c: &mut C) {\n    put(c).await\n}",
        "impl A {\n    pub async fn add(&self, c: &mut C) {\n        super::put(c).await\n    }\n}",
        "pub async fn add(c: &mut C, operator: &Operator) {\n    put(c).await\n}",
    ] {
        assert_eq!(of(wrong).len(), 1, "{wrong}");
    }
    for right in [
        "pub async fn add(c: &mut C) {\n    input(c).await\n}",
        "pub(crate) async fn add(c: &mut C) {\n    put(c).await\n}",
        "pub async fn add(connection: &mut C, operator: &Operator) {\n    operator.require(connection, Operation::A)?;\n    put(c)\n}",
    ] {
        assert_eq!(of(right), Vec::<String>::new(), "{right}");
    }
    assert_eq!(breaches("settle/x.rs", "pub fn a() {\n    insert_into(x)\n}").0, Vec::<String>::new());
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
