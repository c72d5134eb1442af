//! Rules for builds: no planted bugs, no simulator in a production build, and one version of each crate.

use std::collections::BTreeSet;
use std::process::Command;

use crate::sources::{Source, demand, of_kind, read, root};

/// Returns the lines of a manifest that enable failpoints or planted bugs.
fn planted(manifest: &Source) -> Vec<String> {
    let Source { path, text } = manifest;
    let mut breaches = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let is_named = ["planted-bugs", "failpoints", "nemesis"].iter().any(|name| line.contains(name));
        let turns_on = is_named && line.contains("features = [") && !line.starts_with("required-features");
        // What follows `default =` is in every build that does not exclude it, so such a line could bring failpoints into production. The
        // engine's default feature `demo` is allowed, because it adds only the simulator.
        let is_simulator = path == "engine/Cargo.toml" && line == r#"default = ["demo"]"#;
        let is_default = line.starts_with("default =") && !is_simulator;
        let is_in_demo = line.starts_with("demo =") && is_named;
        // A line that turns failpoints on is a breach. One line is allowed: by a dev-dependency, the tests of `actors` use `actors` with
        // failpoints, to make it panic there. Cargo ignores dev-dependencies when it builds a program.
        let is_of_tests = path == "actors/Cargo.toml" && line.starts_with("actors = { path = \".\"");
        if (turns_on && !is_of_tests) || is_default || is_in_demo {
            breaches.push(format!("{path}: {line}"));
        }
    }
    breaches
}

/// A default build has neither failpoints nor planted bugs. Only the engine's feature `nemesis` enables them, and only the build of
/// `xmserver-nemesis` enables this feature.
#[test]
fn nothing_planted_is_in_a_build_that_anybody_runs() {
    demand(of_kind("toml").iter().flat_map(planted).collect());
    // The build in which this test runs has no planted bug either.
    assert!(store::planted::Bug::ALL.into_iter().all(|bug| !store::planted::has(bug)));
    for line in [
        r#"store = { workspace = true, features = ["planted-bugs"] }"#,
        r#"actors = { path = "../actors", features = ["failpoints"] }"#,
        r#"default = ["demo", "nemesis"]"#,
        r#"demo = ["dep:simulation", "nemesis"]"#,
    ] {
        assert_eq!(planted(&Source::new("engine/Cargo.toml", line)).len(), 1, "{line}");
    }
    let may_be =
        "[[bin]]\nrequired-features = [\"nemesis\"]\n[features]\ndefault = [\"demo\"]\n# features = [\"nemesis\"]\n";
    assert_eq!(planted(&Source::new("engine/Cargo.toml", may_be)), Vec::<String>::new());
}

/// Returns the crates that a crate is built from.
fn built_from(package: &str, further: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none"]);
    let output = cargo.args(["--format", "{p}", "--package", package]).args(further).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The simulator uses the crates of office and centre, never the reverse: an office's program must not link the centre's, and a production
/// build, which is the engine without its default features, must not link the simulator. This test looks at what is linked; that such a
/// build compiles, `make lint` shows.
#[test]
fn a_production_build_has_no_simulator_and_an_office_no_centre() {
    let has = |built: &BTreeSet<String>, names: &[&str]| -> Vec<String> {
        names.iter().filter(|name| built.contains(**name)).map(ToString::to_string).collect()
    };
    let simulator = ["simulation", "agency"];
    assert_eq!(has(&built_from("engine", &[]), &simulator), simulator, "what is looked for has these names");
    let mut breaches = has(&built_from("engine", &["--no-default-features"]), &simulator);
    let centre = ["simulation", "store", "actors", "actix", "actix-rt", "diesel", "diesel-async", "tokio-postgres"];
    for package in ["agency", "xmagency", "mail", "sdc"] {
        breaches.extend(has(&built_from(package, &[]), &centre).iter().map(|name| format!("{package} links {name}")));
    }
    demand(breaches);
}

/// Returns the part of a lock file about one crate.
fn locked(lock: &str, name: &str) -> String {
    let of_name = lock.split("[[package]]").find(|one| one.contains(&format!("\nname = \"{name}\"\n")));
    of_name.unwrap_or_else(|| panic!("{name} is in no lock file")).to_owned()
}

/// Returns the dependencies in a crate's manifest that the lock file does not list for the crate.
fn lacking(name: &str, manifest: &str, lock: &str) -> Vec<String> {
    let locked = locked(lock, name);
    let (_, behind) = manifest.split_once("\n[dependencies]\n").unwrap();
    let needed = behind.lines().take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once(" = "));
    let is_locked = |needed: &&str| {
        [format!("\"{needed}\""), format!("\"{needed} ")].iter().any(|entry| locked.contains(entry.as_str()))
    };
    let names = needed.map(|(needed, _)| needed.trim_end_matches(".workspace"));
    names.filter(|needed| !is_locked(needed)).map(|needed| format!("{name} needs {needed}")).collect()
}

/// Returns the crates of a lock file that have another version in the workspace.
fn of_another_version(lock: &str, ours: &str) -> Vec<String> {
    let versions = |lock: &str| -> BTreeSet<(String, String)> {
        let value = |line: Option<&str>| line.and_then(|line| line.split('"').nth(1)).unwrap_or_default().to_owned();
        lock.split("[[package]]\n").skip(1).map(|one| (value(one.lines().next()), value(one.lines().nth(1)))).collect()
    };
    let ours = versions(ours);
    let known: BTreeSet<&String> = ours.iter().map(|(name, _)| name).collect();
    let other = versions(lock).into_iter().filter(|one| known.contains(&one.0) && !ours.contains(one));
    other.map(|(name, version)| format!("{name} {version}: the workspace has another version")).collect()
}

/// The fuzz targets are a workspace of their own, with a lock file that no other build reads. If somebody adds a dependency to a crate and
/// forgets that file, or the versions in it differ, the fuzz targets no longer build; only this test would notice.
#[test]
fn the_lock_file_of_the_fuzz_targets_has_what_the_crates_need_in_the_versions_of_the_workspace() {
    let (fuzz, ours) = (read("tests/fuzz/Cargo.lock"), read("Cargo.lock"));
    let crates = [
        ("mail", "engine/mail/Cargo.toml"),
        ("sdc", "schema/sdc/Cargo.toml"),
        ("fuzz-targets", "tests/fuzz_targets/Cargo.toml"),
    ];
    let lacked = crates.iter().flat_map(|(name, manifest)| lacking(name, &read(manifest), &fuzz));
    let breaches: Vec<String> = lacked.chain(of_another_version(&fuzz, &ours)).collect();
    assert!(breaches.is_empty(), "cargo update --workspace in tests/fuzz\n{}", breaches.join("\n"));

    let manifest =
        read("engine/mail/Cargo.toml").replace("\n[dependencies]\n", "\n[dependencies]\nunheard-of = \"1\"\n");
    assert_eq!(lacking("mail", &manifest, &fuzz), ["mail needs unheard-of"]);
    let of = |version: &str| format!("[[package]]\nname = \"a\"\nversion = \"{version}\"\n");
    assert_eq!(of_another_version(&of("1.0.1"), &of("1.0.0")), ["a 1.0.1: the workspace has another version"]);
    assert_eq!(of_another_version(&of("1.0.0"), &of("1.0.0")), Vec::<String>::new());
}
