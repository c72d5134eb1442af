//! Rules for the form of files: how they begin, how long and wide they are, and how they are called.

use std::path::Path;

use crate::sources::{Source, demand, of_kind, read};

/// Largest number of lines of code in a file. Comments, blank lines, and the unit tests at its end do not count.
const CODE_LINES_MAX: usize = 400;
/// Largest number of lines of code in a function, as clippy counts them.
const FUNCTION_LINES_MAX: usize = 70;
/// Largest number of characters in a line of a source.
const SOURCE_WIDTH_MAX: usize = 140;
/// Largest number of characters in a line of a document, outside tables and fenced blocks.
const DOCUMENT_WIDTH_MAX: usize = 180;
/// File names that say nothing about the content.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "manager", "misc"];

fn without_purpose(sources: &[Source]) -> Vec<String> {
    sources.iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path.clone()).collect()
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let sources = of_kind("rs");
    assert!(sources.len() > 100, "the walk finds the sources");
    demand(without_purpose(&sources));
    let odd = [Source::new("a.rs", "//! It is for this.\n"), Source::new("b.rs", "// It is for this.\n")];
    assert_eq!(without_purpose(&odd), ["b.rs"]);
}

fn too_long(source: &Source) -> Option<String> {
    let code = source.code().count();
    let told = || format!("{}: {code} lines of code, at most {CODE_LINES_MAX}: split it by what it does", source.path);
    (code > CODE_LINES_MAX).then(told)
}

#[test]
fn files_are_short_enough_to_be_read_at_one_sitting() {
    demand(of_kind("rs").iter().filter_map(too_long).collect());
    let of = |lines: usize| {
        let text =
            format!("//! A file.\n\n{}#[cfg(test)]\n{}", "let x = 1; // one\n".repeat(lines), "x();\n".repeat(9));
        Source::new("long.rs", text)
    };
    assert_eq!(too_long(&of(CODE_LINES_MAX)), None, "comments, blank lines and tests do not count");
    assert!(too_long(&of(CODE_LINES_MAX + 1)).unwrap().starts_with("long.rs: 401 lines"));
}

/// Returns the places where the lint on the length of functions is disabled: in `clippy.toml`, in the workspace's manifest, or in a source.
fn unlimited_functions(clippy: &str, manifest: &str, sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    if !clippy.lines().any(|line| line == format!("too-many-lines-threshold = {FUNCTION_LINES_MAX}")) {
        breaches.push(format!("clippy.toml: functions may have more or fewer than {FUNCTION_LINES_MAX} lines"));
    }
    if !manifest.lines().any(|line| line == "too_many_lines = \"warn\"") {
        breaches.push("Cargo.toml: the lint that counts the lines of functions is off".to_owned());
    }
    let excused = |source: &&Source| source.text.contains(concat!("clippy::", "too_many_lines"));
    breaches.extend(sources.iter().filter(excused).map(|source| format!("{}: a function is excused", source.path)));
    breaches
}

#[test]
fn no_function_is_excused_from_being_short() {
    let (clippy, manifest) = (read("clippy.toml"), read("Cargo.toml"));
    demand(unlimited_functions(&clippy, &manifest, &of_kind("rs")));
    let sources = [Source::new("a.rs", concat!("#[allow(clippy::", "too_many_lines)]\nfn long() {}\n"))];
    assert_eq!(unlimited_functions(&clippy, &manifest, &sources), ["a.rs: a function is excused"]);
    assert_eq!(unlimited_functions("too-many-lines-threshold = 700\n", "[workspace]\n", &[]).len(), 2);
}

fn too_wide_lines(source: &Source) -> Vec<String> {
    let is_document = source.path.ends_with(".md");
    let most = if is_document { DOCUMENT_WIDTH_MAX } else { SOURCE_WIDTH_MAX };
    let mut is_fenced = false;
    let mut breaches = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        let fence = line.trim_start().starts_with("```");
        is_fenced ^= fence;
        let is_excepted = is_document && (is_fenced || fence || line.trim_start().starts_with('|'));
        let width = line.chars().count();
        if width > most && !is_excepted {
            breaches.push(format!("{}:{number}: {width} characters, at most {most}", source.path));
        }
    }
    breaches
}

#[test]
fn lines_are_narrow_enough_to_be_read_side_by_side() {
    let sources = of_kind("rs").into_iter().chain(of_kind("md"));
    demand(sources.flat_map(|source| too_wide_lines(&source)).collect());
    let breaches = |path, text: String| too_wide_lines(&Source::new(path, text)).len();
    assert_eq!(breaches("a.rs", "é".repeat(SOURCE_WIDTH_MAX)), 0, "characters count, not octets");
    assert_eq!(breaches("a.rs", format!("//! x\n// {}\n", "é".repeat(SOURCE_WIDTH_MAX))), 1);
    let wide = "x ".repeat(DOCUMENT_WIDTH_MAX);
    assert_eq!(breaches("a.md", format!("| {wide} |\n```\n{wide}\n```\n")), 0);
    assert_eq!(breaches("a.md", format!("```\n{wide}\n```\n{wide}\n- {wide}\n")), 2);
}

fn is_named_emptily(path: &str) -> bool {
    let mut names = Path::new(path).iter().map(|part| part.to_str().unwrap());
    names.any(|name| EMPTY_NAMES.contains(&name.trim_end_matches(".rs")))
}

#[test]
fn names_say_what_is_inside() {
    demand(of_kind("rs").into_iter().map(|source| source.path).filter(|path| is_named_emptily(path)).collect());
    assert!(is_named_emptily("actors/src/utils.rs") && is_named_emptily("common/a.rs"));
    assert!(!is_named_emptily("actors/src/commons.rs"));
}

/// Says whether a module of a crate is in a file `mod.rs`, which says nothing by its name. Only a module that several test binaries share
/// may be: in a file of its own name beside them, cargo would take it for one more test binary.
fn is_unnamed_module(path: &str) -> bool {
    path.ends_with("/mod.rs") && path.contains("/src/")
}

#[test]
fn a_module_has_its_name_on_its_file() {
    demand(of_kind("rs").into_iter().map(|source| source.path).filter(|path| is_unnamed_module(path)).collect());
    assert!(is_unnamed_module("engine/mail/src/pop3/mod.rs"));
    assert!(!is_unnamed_module("engine/mail/src/pop3.rs") && !is_unnamed_module("actors/tests/centre/mod.rs"));
}
