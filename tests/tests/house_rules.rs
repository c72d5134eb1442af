//! The house rules that no lint knows: every file says what it is for and stays short, names say what things are, every
//! refusal is tested, and what the documents point to is there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use store::people::approvals::Need;
use store::people::{Operation, Privilege};

/// Most lines of code in a file, without comments, blank lines and its tests.
const CODE_LINES_MAX: usize = 450;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "manager", "misc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Lists the files below a folder, without what is built and what git keeps.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() && name != "target" && name != ".git" {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn files_of_kind(kind: &str) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    files(&root, &mut found);
    let of_kind = found.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == kind));
    of_kind
        .map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// Fails with every breach at once.
fn demand(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let files = files_of_kind("rs");
    assert!(files.len() > 100, "the walk finds the sources");
    demand(files.iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path.clone()).collect());
}

#[test]
fn files_are_short_enough_to_be_read_at_one_sitting() {
    let mut breaches = Vec::new();
    for (path, text) in files_of_kind("rs") {
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").map(str::trim);
        let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        if code > CODE_LINES_MAX {
            breaches.push(format!("{path}: {code} lines of code, at most {CODE_LINES_MAX}: split it by what it does"));
        }
    }
    demand(breaches);
}

#[test]
fn names_say_what_is_inside() {
    let is_empty = |path: &str| {
        let mut names = Path::new(path).iter().map(|part| part.to_str().unwrap());
        names.any(|name| EMPTY_NAMES.contains(&name.trim_end_matches(".rs")))
    };
    demand(files_of_kind("rs").into_iter().map(|(path, _)| path).filter(|path| is_empty(path)).collect());
}

#[test]
fn unsafe_code_is_in_one_small_file() {
    let mut sources = files_of_kind("rs");
    sources.retain(|(path, text)| !path.ends_with("house_rules.rs") && text.contains("unsafe"));
    // A method of diesel has the word in its name.
    let is_code = |line: &&str| {
        !line.trim_start().starts_with("//") && line.replace("unsafe_to_cache_prepared", "").contains("unsafe")
    };
    sources.retain(|(_, text)| text.lines().any(|line| is_code(&line)));
    let mut paths: Vec<&str> = sources.iter().map(|(path, _)| path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["schema/sdc/src/cms/libcrypto.rs"]);
}

#[test]
fn every_refusal_is_tested_and_documented() {
    let is_test = |path: &str| path.contains("/tests") || path.contains("tests/");
    let texts = files_of_kind("rs").into_iter().filter(|(path, _)| is_test(path) && !path.ends_with("house_rules.rs"));
    let mut tests: String = texts.map(|(_, text)| text).collect();
    // The folders of golden vectors are named by the refusal that their documents must get.
    for vectors in fs::read_dir(root().join("schema/sdc/tests/vectors")).unwrap() {
        tests.push_str(&format!("\"{}\"", vectors.unwrap().file_name().display()));
    }
    let format = fs::read_to_string(root().join("FORMAT.md")).unwrap();
    let mut breaches = Vec::new();
    for code in RefusalCode::ALL {
        let variant = format!("RefusalCode::{code:?}");
        let quoted = [format!("\"{code}\""), format!("'{code}'")];
        // Another code may begin with the same word.
        let is_named = tests
            .match_indices(&variant)
            .any(|(at, _)| !tests[at + variant.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()));
        if !is_named && !quoted.iter().any(|text| tests.contains(text)) {
            breaches.push(format!("{variant}: no test names it"));
        }
        if !format.contains(&format!("`{}`", code.as_str())) {
            breaches.push(format!("{variant}: FORMAT.md does not tell what it means"));
        }
    }
    demand(breaches);
}

/// What stands between backticks in a text.
fn quoted_names(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).filter(|name| name.contains('.')).collect()
}

/// OPERATIONS.md has two tables of people: which operation requires which privilege, and what needs a second person.
#[test]
fn privileges_and_approvals_are_documented_as_they_are() {
    let operations = fs::read_to_string(root().join("OPERATIONS.md")).unwrap();
    let rows = |heading: &str| -> Vec<Vec<String>> {
        let behind = operations.split_once(heading).unwrap().1;
        let lines = behind.lines().skip(2).take_while(|line| line.starts_with('|'));
        lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
    };
    let privileges = rows("| privilege | operations |");
    assert_eq!(privileges.len(), Privilege::ALL.len());
    for (row, privilege) in privileges.iter().zip(Privilege::ALL) {
        assert_eq!(row[0], format!("{} {}", privilege.number(), privilege.title()));
        let expected: BTreeSet<&str> = Operation::ALL
            .iter()
            .filter(|operation| operation.privilege() == privilege)
            .map(|operation| operation.name())
            .collect();
        assert_eq!(quoted_names(&row[1]), expected, "privilege {}", row[0]);
    }
    let documented: Vec<(String, String)> = rows("| needs two | when |")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone()))
        .collect();
    let offered = Need::ALL.iter().filter(|need| need.is_offered());
    assert_eq!(documented, offered.map(|need| (need.name().to_owned(), need.when().to_owned())).collect::<Vec<_>>());
}

/// A default build has neither places to die at nor bugs: only the feature `nemesis` of the engine has them, which nothing
/// turns on but the build of `xmserver-nemesis`.
#[test]
fn nothing_planted_is_in_a_build_that_anybody_runs() {
    let mut breaches = Vec::new();
    for (path, text) in files_of_kind("toml") {
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let is_named = ["planted-bugs", "failpoints", "nemesis"].iter().any(|name| line.contains(name));
            let turns_on = is_named && line.contains("features = [") && !line.starts_with("required-features");
            // The engine's is the simulator, and names nothing else.
            let is_simulator = path == "engine/Cargo.toml" && line == r#"default = ["demo"]"#;
            let is_default = line.starts_with("default =") && !is_simulator;
            let is_in_demo = line.starts_with("demo =") && is_named;
            // The tests of the actors panic at places; they are a build of their own.
            let is_of_tests = path == "actors/Cargo.toml" && line.starts_with("actors = { path = \".\"");
            if (turns_on && !is_of_tests) || is_default || is_in_demo {
                breaches.push(format!("{path}: {line}"));
            }
        }
    }
    demand(breaches);
    // And nobody has written the engine of this very build a bug.
    assert!(store::planted::Bug::ALL.into_iter().all(|bug| !store::planted::has(bug)));
}

/// Names the crates that a crate is built from.
fn built_from(package: &str, further: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none"]);
    let output = cargo.args(["--format", "{p}", "--package", package]).args(further).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Dependencies point one way: the simulator sees the office and the centre, and a production build, without the engine's
/// default features, does not see the simulator. `make lint` shows that it compiles.
#[test]
fn a_production_build_has_no_simulator_and_an_office_no_centre() {
    let has = |built: &BTreeSet<String>, names: &[&str]| -> Vec<String> {
        names.iter().filter(|name| built.contains(**name)).map(ToString::to_string).collect()
    };
    let simulator = ["simulation", "agency"];
    assert_eq!(has(&built_from("engine", &[]), &simulator), simulator, "what is looked for has these names");
    let mut breaches = has(&built_from("engine", &["--no-default-features"]), &simulator);
    let centre =
        ["simulation", "cluster", "store", "actors", "actix", "actix-rt", "diesel", "diesel-async", "tokio-postgres"];
    for package in ["agency", "mail", "sdc"] {
        breaches.extend(has(&built_from(package, &[]), &centre).iter().map(|name| format!("{package} links {name}")));
    }
    demand(breaches);
}

/// SHA-256 of the migration that every centre began with.
const FOUNDATION_SHA256: &str = "63e26d244e7f1f03d4cfdecd30bb077b657b5d49310aa649faa5fe80d847b4a1";

/// Programs of two versions work side by side during an upgrade. So what is in the field is never changed, and each further
/// migration says whether the older program bears it (`expand`) or must be gone from everywhere (`contract since` a version).
#[test]
fn the_foundation_never_changes_and_further_migrations_say_whom_they_bear() {
    let folder = root().join("schema/store/migrations");
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    assert!(names[0].ends_with("_foundation") && names.len() > 1, "{names:?}");
    let foundation = fs::read(folder.join(&names[0]).join("up.sql")).unwrap();
    assert_eq!(Digest::of(&foundation).to_string(), FOUNDATION_SHA256, "write a further migration instead");
    let says_whom = |first: &str| {
        let version = first.strip_prefix("-- contract since ").unwrap_or_default();
        let is_version = version.split('.').count() == 3 && version.split('.').all(|part| part.parse::<u32>().is_ok());
        first == "-- expand" || is_version
    };
    let mut breaches = Vec::new();
    for name in &names[1..] {
        let up = fs::read_to_string(folder.join(name).join("up.sql")).unwrap();
        if !says_whom(up.lines().next().unwrap_or_default()) {
            breaches
                .push(format!("{name}/up.sql begins neither with `-- expand` nor with `-- contract since VERSION`"));
        }
    }
    demand(breaches);
    assert!(says_whom("-- contract since 0.2.0") && !says_whom("-- contract") && !says_whom("--expand"));
}

#[test]
fn what_documents_point_to_is_there() {
    let mut breaches = Vec::new();
    for (path, text) in files_of_kind("md") {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let target = link.split('#').next().unwrap();
            let is_outside = link.contains("://") || target.is_empty();
            if !is_outside && !folder.join(target).exists() {
                breaches.push(format!("{path}: {link} leads nowhere"));
            }
        }
    }
    demand(breaches);
}

#[test]
fn nothing_depends_on_one_machine() {
    // Put together here, so that this file keeps the rule itself.
    let foreign: BTreeSet<String> =
        [["/ro", "ot/"], ["/wo", "rk/"], ["/ho", "me/"]].iter().map(|parts| parts.concat()).collect();
    let mut breaches = Vec::new();
    for kind in ["rs", "md", "toml", "sh", "sql", "yml"] {
        for (path, text) in files_of_kind(kind) {
            for place in foreign.iter().filter(|place| text.contains(place.as_str())) {
                breaches.push(format!("{path}: {place} is a folder of one machine"));
            }
        }
    }
    demand(breaches);
}

/// The fuzz targets are a workspace of their own, which no build here looks at: a lock file that lacks what a crate has come to need,
/// or that has another version of it, is found by nobody else.
#[test]
fn the_lock_file_of_the_fuzz_targets_has_what_the_crates_need_in_the_versions_of_the_workspace() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (fuzz, ours) = (read("tests/fuzz/Cargo.lock"), read("Cargo.lock"));
    let package = |lock: &str, name: &str| {
        let of_name = lock.split("[[package]]").find(|one| one.contains(&format!("\nname = \"{name}\"\n")));
        of_name.unwrap_or_else(|| panic!("{name} is in no lock file")).to_owned()
    };
    let mut breaches = Vec::new();
    for (name, manifest) in [
        ("mail", "engine/mail/Cargo.toml"),
        ("sdc", "schema/sdc/Cargo.toml"),
        ("fuzz-targets", "tests/fuzz_targets/Cargo.toml"),
    ] {
        let (manifest, locked) = (read(manifest), package(&fuzz, name));
        let (_, behind) = manifest.split_once("\n[dependencies]\n").unwrap();
        let needed = behind.lines().take_while(|line| !line.starts_with('['));
        for needed in
            needed.filter_map(|line| line.split_once(" = ")).map(|(needed, _)| needed.trim_end_matches(".workspace"))
        {
            if ![format!("\"{needed}\""), format!("\"{needed} ")].iter().any(|entry| locked.contains(entry.as_str())) {
                breaches.push(format!("{name} needs {needed}: cargo update --workspace in tests/fuzz"));
            }
        }
    }
    let versions = |lock: &str| -> BTreeSet<(String, String)> {
        let value = |line: Option<&str>| line.and_then(|line| line.split('"').nth(1)).unwrap_or_default().to_owned();
        lock.split("[[package]]\n").skip(1).map(|one| (value(one.lines().next()), value(one.lines().nth(1)))).collect()
    };
    let ours = versions(&ours);
    let known: BTreeSet<&String> = ours.iter().map(|(name, _)| name).collect();
    for one in versions(&fuzz).iter().filter(|one| known.contains(&one.0) && !ours.contains(*one)) {
        breaches.push(format!("{} {}: the workspace has another version", one.0, one.1));
    }
    demand(breaches);
}
