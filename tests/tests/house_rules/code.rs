//! Rules for code: what it must not do, and which parts of it must be tested and documented.

use std::collections::BTreeSet;
use std::fs;

use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use store::people::{Need, Operation, Privilege};

use crate::sources::{Source, demand, of_kind, read, root};

/// The only file with unsafe code. It calls OpenSSL functions for which the openssl crate has no safe wrapper.
const UNSAFE_FILE: &str = "schema/sdc/src/cms/libcrypto.rs";

/// Returns the files with unsafe code. The files of the house rules are left out, because they have the word in them.
fn with_unsafe_code(sources: &[Source]) -> Vec<&str> {
    // A method of diesel has a name that contains the word `unsafe`.
    let is_unsafe = |line: &str| line.replace("unsafe_to_cache_prepared", "").contains("unsafe");
    let has = |source: &&Source| {
        let mut lines = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        !source.path.contains("/house_rules/") && lines.any(is_unsafe)
    };
    sources.iter().filter(has).map(|source| source.path.as_str()).collect()
}

#[test]
fn unsafe_code_is_in_one_small_file() {
    assert_eq!(with_unsafe_code(&of_kind("rs")), [UNSAFE_FILE]);
    let of = |text: &str| with_unsafe_code(&[Source::new("a.rs", text)]).len();
    assert_eq!(of("fn f() { unsafe { g() } }"), 1);
    assert_eq!(of("// unsafe\nfn unsafe_to_cache_prepared() {}"), 0);
}

/// The only file of the office's end that may call Unix, so that offices can run on anything.
const PLATFORM_FILE: &str = "engine/agency/src/platform.rs";

/// Returns the lines of the office's crates that call Unix.
fn unix_calls(source: &Source) -> Vec<String> {
    let is_of_offices =
        ["engine/agency/src/", "engine/xmagency/src/"].iter().any(|folder| source.path.starts_with(folder));
    if !is_of_offices || source.path == PLATFORM_FILE {
        return Vec::new();
    }
    let calls =
        |line: &str| ["os::unix", "os::linux", "nix::", "rustix::", "libc::"].iter().any(|call| line.contains(call));
    let lines = source.code().filter(|(_, line)| calls(line));
    lines.map(|(number, _)| format!("{}:{number}: Unix is called in {PLATFORM_FILE} alone", source.path)).collect()
}

#[test]
fn an_office_calls_unix_in_one_file() {
    let sources = of_kind("rs");
    assert!(sources.iter().any(|source| source.path == PLATFORM_FILE && source.text.contains("os::unix")));
    demand(sources.iter().flat_map(unix_calls).collect());
    let of = |path: &str| unix_calls(&Source::new(path, "//! A file.\nuse std::os::unix::fs::MetadataExt;\n")).len();
    assert_eq!([of("engine/xmagency/src/a.rs"), of(PLATFORM_FILE), of("engine/src/a.rs")], [1, 0, 0]);
}

/// Returns the lines that find a free port and release it at once. Until a server listens on the port, any outgoing connection may take it.
fn released_ports(source: &Source) -> Vec<String> {
    let releases = |line: &str| line.contains("bind(\"127.0.0.1:0\")") && line.contains(".local_addr()");
    let lines = source.text.lines().enumerate().filter(|(_, line)| releases(line));
    lines
        .map(|(index, _)| {
            format!("{}:{}: expected `cluster::Port::hold()`, which keeps the port", source.path, index + 1)
        })
        .collect()
}

#[test]
fn ports_given_to_servers_are_held() {
    let sources = of_kind("rs").into_iter().filter(|source| !source.path.contains("/house_rules/"));
    demand(sources.flat_map(|source| released_ports(&source)).collect());
    let of = |text: &str| released_ports(&Source::new("a.rs", text)).len();
    assert_eq!(of("let port = TcpListener::bind(\"127.0.0.1:0\")?.local_addr()?.port();"), 1);
    assert_eq!(of("let listener = TcpListener::bind(\"127.0.0.1:0\").await.unwrap();"), 0);
}

/// Returns the refusals that no test mentions, and the refusals that FORMAT.md does not explain.
fn untold_refusals(tests: &str, format: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    for code in RefusalCode::ALL {
        let variant = format!("RefusalCode::{code:?}");
        let quoted = [format!("\"{code}\""), format!("'{code}'")];
        // The name of one code may be the beginning of another's, so a name that goes on is not counted.
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
    breaches
}

#[test]
fn every_refusal_is_tested_and_documented() {
    let is_test = |path: &str| path.contains("/tests") || path.contains("tests/");
    let texts =
        of_kind("rs").into_iter().filter(|source| is_test(&source.path) && !source.path.contains("house_rules"));
    let mut tests: String = texts.map(|source| source.text).collect();
    // The folders of golden vectors are named after the refusal that their documents must get.
    for vectors in fs::read_dir(root().join("schema/sdc/tests/vectors")).unwrap() {
        tests.push_str(&format!("\"{}\"", vectors.unwrap().file_name().display()));
    }
    let format = read("FORMAT.md");
    demand(untold_refusals(&tests, &format));
    let code = RefusalCode::ALL[0];
    let longer = tests.replace(&format!("RefusalCode::{code:?}"), &format!("RefusalCode::{code:?}Too"));
    let untested = longer.replace(&format!("\"{code}\""), "").replace(&format!("'{code}'"), "");
    assert_eq!(untold_refusals(&untested, &format), [format!("RefusalCode::{code:?}: no test names it")]);
    let untold = format.replace(&format!("`{code}`"), "");
    assert_eq!(untold_refusals(&tests, &untold).len(), 1);
}

/// Returns the names in backticks that contain a point.
fn quoted_names(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).filter(|name| name.contains('.')).collect()
}

/// Returns the differences between the program and two tables in OPERATIONS.md: which privilege each operation requires, and which actions
/// need a second person.
fn wrong_privileges(operations: &str) -> Vec<String> {
    let rows = |heading: &str| -> Vec<Vec<String>> {
        let behind = operations.split_once(heading).unwrap_or_default().1;
        let lines = behind.lines().skip(2).take_while(|line| line.starts_with('|'));
        lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
    };
    let mut breaches = Vec::new();
    let documented = rows("| privilege | operations |");
    if documented.len() != Privilege::ALL.len() {
        breaches.push(format!("{} privileges are told of, and there are {}", documented.len(), Privilege::ALL.len()));
    }
    for (row, privilege) in documented.iter().zip(Privilege::ALL) {
        let of_privilege = Operation::ALL.iter().filter(|operation| operation.privilege() == privilege);
        let expected: BTreeSet<&str> = of_privilege.map(|operation| operation.name()).collect();
        if row[0] != format!("{} {}", privilege.number(), privilege.title()) || quoted_names(&row[1]) != expected {
            breaches.push(format!("privilege {} requires {expected:?}", row[0]));
        }
    }
    let documented: Vec<(String, String)> = rows("| needs two | when |")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone()))
        .collect();
    let offered = Need::ALL.iter().filter(|need| need.is_offered());
    let offered: Vec<(String, String)> = offered.map(|need| (need.name().to_owned(), need.when().to_owned())).collect();
    if documented != offered {
        breaches.push(format!("what needs two is {offered:?}"));
    }
    breaches
}

#[test]
fn privileges_and_approvals_are_documented_as_they_are() {
    let operations = read("OPERATIONS.md");
    demand(wrong_privileges(&operations));
    let (operation, need) = (Operation::ALL[0].name(), Need::ALL.iter().find(|need| need.is_offered()).unwrap());
    assert_eq!(wrong_privileges(&operations.replace(&format!("`{operation}`"), "`other.operation`")).len(), 1);
    assert_eq!(wrong_privileges(&operations.replace(need.when(), "never")).len(), 1);
    assert_eq!(wrong_privileges("").len(), 2);
}

/// Says whether the first line of a migration states with which programs the migration is compatible.
fn says_whom(first: &str) -> bool {
    let version = first.strip_prefix("-- contract since ").unwrap_or_default();
    let is_version = version.split('.').count() == 3 && version.split('.').all(|part| part.parse::<u32>().is_ok());
    first == "-- expand" || is_version
}

/// Returns the migrations whose statements differ from the published ones. `published` has a line with digest and name for each published
/// migration.
fn not_as_published(published: &str, found: &[(String, Vec<u8>)]) -> Vec<String> {
    let lines: BTreeSet<String> = published.lines().map(str::to_owned).collect();
    let changed = found.iter().map(|(name, up)| (name, format!("{}  {name}/up.sql", Digest::of(up))));
    let changed = changed.filter(|(_, line)| !lines.contains(line)).map(|(name, line)| {
        format!("{name} is not as it was published: write a further one; the line of a new one in migrations.SHA256SUMS is\n{line}")
    });
    let gone = lines.len().saturating_sub(found.len());
    changed.chain((gone > 0).then(|| format!("{gone} published migrations are gone"))).collect()
}

/// Lists the statements in a migration that would break older programs, although it says that older programs still work with it (`--
/// expand`).
fn breaks(up: &str) -> Vec<&'static str> {
    let code =
        up.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join(" ").to_uppercase();
    let changes_type =
        code.split(';').any(|statement| statement.contains("ALTER TABLE") && statement.contains(" TYPE "));
    let words = ["DROP TABLE", "DROP COLUMN", "RENAME TO", "RENAME COLUMN", "SET NOT NULL"];
    words.into_iter().filter(|words| code.contains(words)).chain(changes_type.then_some("change a TYPE")).collect()
}

/// A published migration has run at centres, so it never changes. During an upgrade, programs of two versions run side by side on one
/// database. So each new migration says whether the older program still works with it (`expand`), or must have been stopped everywhere
/// (`contract since` a version).
#[test]
fn published_migrations_never_change_and_further_ones_say_whom_they_bear() {
    let folder = root().join("schema/store/migrations");
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    assert!(names[0].ends_with("_foundation") && names.len() > 1, "{names:?}");
    let up = |name: String| (name.clone(), fs::read(folder.join(name).join("up.sql")).unwrap());
    let mut found: Vec<(String, Vec<u8>)> = names.into_iter().map(up).collect();
    let published = read("schema/store/migrations.SHA256SUMS");
    demand(not_as_published(&published, &found));
    let first = |up: &[u8]| String::from_utf8_lossy(up).lines().next().unwrap_or_default().to_owned();
    let silent = found[1..].iter().filter(|(_, up)| !says_whom(&first(up)));
    demand(
        silent
            .map(|(name, _)| {
                format!("{name}/up.sql begins neither with `-- expand` nor with `-- contract since VERSION`")
            })
            .collect(),
    );
    // This rule is younger than the migrations up to this number. One of them renames a column, which older programs survive because a view
    // keeps the former name.
    let later = found.iter().filter(|(name, up)| name.as_str() > "00000000000030" && first(up) == "-- expand");
    let breaking = later.flat_map(|(name, up)| {
        breaks(&String::from_utf8_lossy(up))
            .into_iter()
            .map(move |words| format!("{name}: an expansion may not {words}"))
    });
    demand(breaking.collect());
    let broken =
        "-- expand\nALTER TABLE xm.a\n  DROP COLUMN b, ALTER c SET NOT NULL, ALTER d TYPE bigint; -- DROP TABLE x";
    assert_eq!(breaks(broken), ["DROP COLUMN", "SET NOT NULL", "change a TYPE"]);
    assert!(breaks("CREATE TYPE xm.kind AS ENUM ('a'); ALTER TABLE xm.a ADD COLUMN b xm.kind").is_empty());
    assert!(says_whom("-- contract since 0.2.0") && !says_whom("-- contract") && !says_whom("--expand"));
    found[0].1.push(b'\n');
    assert_eq!(not_as_published(&published, &found).len(), 1, "a changed one is found");
    assert_eq!(not_as_published(&published, &found[1..]).len(), 1, "one that is gone is found");
}
