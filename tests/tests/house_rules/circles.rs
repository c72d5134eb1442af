//! Finds which files of a crate refer to which, from their text, and checks that no two files depend on each other.
//!
//! A reference is a path that begins with `crate::` or `super::`. It leads from the file in which it is written to the file of its longest
//! prefix that is a module. A module and the modules inside it may refer to each other. Comments and unit tests are ignored. Where a name
//! comes from a `pub use` in another file, the reference leads to that file, not to the one in which the name is defined.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{Source, demand, of_kind};

/// A module: its crate's folder, and the module's path in the crate.
type Module = (String, Vec<String>);

/// Returns the module in a file; `None` where the file is not a source of a crate.
fn module_of(path: &str) -> Option<Module> {
    let (krate, below) = path.strip_suffix(".rs")?.split_once("/src/")?;
    let mut names: Vec<String> = below.split('/').map(str::to_owned).collect();
    if names.iter().any(|name| name == "tests" || name == "bin") {
        return None;
    }
    if names.last().is_some_and(|name| name == "lib" || name == "main") {
        names.pop();
    }
    Some((krate.to_owned(), names))
}

/// Splits the text between braces at its commas. Commas inside inner braces do not count.
fn parts(inside: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0_usize, 0, Vec::new());
    for (at, octet) in inside.bytes().enumerate() {
        match octet {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&inside[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[from..]);
    parts
}

/// Adds every path in the text after a prefix. For example, `a::{b, c::d}` contains two paths.
fn paths(text: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = before.to_vec();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        if name.is_empty() {
            break;
        }
        path.push(name.to_owned());
        match behind.strip_prefix("::") {
            Some(further) => rest = further.trim_start(),
            None => break,
        }
    }
    if let Some(inside) = rest.strip_prefix('{') {
        let mut depth = 1_usize;
        let closes = |octet: u8| {
            depth = match octet {
                b'{' => depth + 1,
                b'}' => depth - 1,
                _ => depth,
            };
            depth == 0
        };
        let end = inside.bytes().position(closes).unwrap_or(inside.len());
        parts(&inside[..end]).into_iter().for_each(|part| paths(part, &path, found));
    } else {
        found.push(path);
    }
}

/// Returns the modules that a source refers to, as paths from the crate's root.
fn named(source: &Source, own: &[String]) -> Vec<Vec<String>> {
    let code: Vec<&str> = source.code().map(|(_, line)| line.split(" // ").next().unwrap_or(line)).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for prefix in ["crate::", "super::"] {
        for (at, _) in code.match_indices(prefix) {
            let is_word =
                code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':');
            let mut rest = &code[at + prefix.len()..];
            let mut before: &[String] = if prefix == "crate::" { &[] } else { &own[..own.len().saturating_sub(1)] };
            while let Some(further) = rest.strip_prefix("super::") {
                (rest, before) = (further, &before[..before.len().saturating_sub(1)]);
            }
            if !is_word {
                paths(rest, before, &mut found);
            }
        }
    }
    found
}

/// Returns the files that each file refers to. References between a module and the modules inside it are left out.
fn arrows(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let of_path = |source: &Source| module_of(&source.path);
    let files: BTreeMap<Module, &str> =
        sources.iter().filter_map(|source| Some((of_path(source)?, source.path.as_str()))).collect();
    let mut arrows = BTreeMap::new();
    for source in sources {
        let Some((krate, own)) = of_path(source) else { continue };
        let mut to = BTreeSet::new();
        for path in named(source, &own) {
            let longest = (0..=path.len()).rev().find_map(|length| {
                let file = files.get(&(krate.clone(), path[..length].to_vec()))?;
                Some((*file, &path[..length]))
            });
            if let Some((file, module)) = longest
                && !module.starts_with(&own)
                && !own.starts_with(module)
            {
                to.insert(file);
            }
        }
        arrows.insert(source.path.as_str(), to);
    }
    arrows
}

/// Returns the files that can be reached from a file.
fn reached<'s>(arrows: &BTreeMap<&'s str, BTreeSet<&'s str>>, from: &str) -> BTreeSet<&'s str> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(file) = waiting.pop() {
        for next in arrows.get(file).into_iter().flatten() {
            if reached.insert(*next) {
                waiting.push(next);
            }
        }
    }
    reached
}

/// Returns a message for each circle of files that depend on each other.
fn circles(sources: &[Source]) -> Vec<String> {
    let arrows = arrows(sources);
    let from: BTreeMap<&str, BTreeSet<&str>> = arrows.keys().map(|file| (*file, reached(&arrows, file))).collect();
    let mut found = BTreeSet::new();
    for (file, reached) in &from {
        let circle: Vec<&str> = reached.iter().filter(|other| from[*other].contains(file)).copied().collect();
        if circle.len() > 1 {
            found.insert(format!("these need each other: {}", circle.join(", ")));
        }
    }
    found.into_iter().collect()
}

#[test]
fn no_files_of_a_crate_need_each_other() {
    demand(circles(&of_kind("rs")));
}

#[test]
fn a_circle_is_found_and_nothing_else_is_taken_for_one() {
    let crate_of = |files: &[(&str, &str)]| -> Vec<String> {
        circles(&files.iter().map(|(path, text)| Source::new(&format!("c/src/{path}"), *text)).collect::<Vec<_>>())
    };
    let two = crate_of(&[("a.rs", "use crate::b::{self, B};\n"), ("b.rs", "fn f() { crate::a::f(); }\n")]);
    assert_eq!(two, ["these need each other: c/src/a.rs, c/src/b.rs"]);
    let three = [
        ("a.rs", "use super::x::y::{Y, z::{Z, W}};\n"),
        ("x.rs", "pub mod y;\n"),
        ("x/y.rs", "use crate::{d, e};\n"),
        ("x/y/z.rs", "use super::super::super::d::D;\n"),
        ("d.rs", "use crate::a;\n"),
    ];
    assert_eq!(crate_of(&three).len(), 1, "{:?}", crate_of(&three));
    assert!(
        crate_of(&three)[0].contains("c/src/a.rs, c/src/d.rs, c/src/x/y.rs, c/src/x/y/z.rs"),
        "{:?}",
        crate_of(&three)
    );
    for innocent in [
        // These two files form no circle, because one is a module and the other a module inside it.
        [("a.rs", "mod b;\nuse self::b::B;\n"), ("a/b.rs", "use super::A;\nuse crate::a::A;\n")],
        // These two files form no circle, because references in a comment and in unit tests are ignored.
        [
            ("a.rs", "use crate::b;\n"),
            ("b.rs", "// use crate::a;\nfn f() {} // crate::a::f\n#[cfg(test)]\nuse crate::a;\n"),
        ],
        // These two files form no circle: `other::a` is a file of another crate, and the path `mycrate::a` does not begin with `crate::`.
        [("a.rs", "use crate::b;\n"), ("b.rs", "use other::a;\nuse mycrate::a;\n")],
    ] {
        assert_eq!(crate_of(&innocent), Vec::<String>::new(), "{innocent:?}");
    }
}
