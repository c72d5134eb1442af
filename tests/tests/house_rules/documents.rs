//! Rules for documents: the targets of their links and the commands in them exist, and they contain no path of one particular machine.

use std::path::Path;

use crate::sources::{Source, demand, of_kind, read, root};

/// Returns the links of a document whose targets do not exist below a folder.
fn dead_links(document: &Source, root: &Path) -> Vec<String> {
    let folder = root.join(&document.path).parent().unwrap().to_owned();
    let links = document.text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
    let is_dead = |link: &&str| {
        let target = link.split('#').next().unwrap();
        let is_outside = link.contains("://") || target.is_empty();
        !is_outside && !folder.join(target).exists()
    };
    links.filter(is_dead).map(|link| format!("{}: {link} leads nowhere", document.path)).collect()
}

#[test]
fn what_documents_point_to_is_there() {
    demand(of_kind("md").iter().flat_map(|document| dead_links(document, &root())).collect());
    let text =
        "[a](ARCHITECTURE.md#map) [b](#here) [c](https://example.org/x) [d](../NOWHERE.md) [e](docs/NOWHERE.md#x)";
    let dead = dead_links(&Source::new("README.md", text), &root());
    assert_eq!(dead, ["README.md: ../NOWHERE.md leads nowhere", "README.md: docs/NOWHERE.md#x leads nowhere"]);
    assert_eq!(dead_links(&Source::new("docs/a.md", "[a](adr/0001-answers-in-parts.md)"), &root()).len(), 0);
}

/// Returns the texts in backticks in a document.
fn quoted(document: &Source) -> impl Iterator<Item = &str> {
    document.text.split('`').skip(1).step_by(2)
}

/// Returns the commands in a document that do not exist: a target of make, a test file of cargo, or a test in such a file.
fn wrong_commands(document: &Source, makefile: &str, sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for command in quoted(document) {
        let mut wrong = |what: String| breaches.push(format!("{}: {command}: {what}", document.path));
        if let Some(target) = command.strip_prefix("make ").and_then(|words| words.split_whitespace().next())
            && !makefile.lines().any(|line| line.starts_with(&format!("{target}:")))
        {
            wrong(format!("make knows no {target}"));
        }
        if !command.contains("cargo test ") {
            continue;
        }
        let (options, names) = command.split_once(" -- ").unwrap_or((command, ""));
        let files = options.split("--test ").skip(1).filter_map(|rest| rest.split_whitespace().next());
        let of_file = |file: &str| -> Vec<&Source> {
            let begins = [format!("/tests/{file}.rs"), format!("/tests/{file}/")];
            let format = |source: &&Source| begins.iter().any(|begin| format!("/{}", source.path).contains(begin));
            sources.iter().filter(format).collect()
        };
        let mut selected = Vec::new();
        for file in files {
            let found = of_file(file);
            if found.is_empty() {
                wrong(format!("there is no test file {file}"));
            }
            selected.extend(found);
        }
        for name in names.split_whitespace().filter(|name| !name.starts_with('-')) {
            let is_function = |line: &str| {
                line.split_once("fn ")
                    .is_some_and(|(_, rest)| rest.split('(').next().is_some_and(|function| function.contains(name)))
            };
            if !selected.iter().any(|source| source.text.lines().any(is_function)) {
                wrong(format!("no test there has {name} in its name"));
            }
        }
    }
    breaches
}

#[test]
fn commands_of_documents_are_there() {
    let (makefile, sources) = (read("Makefile"), of_kind("rs"));
    let documents = of_kind("md");
    assert!(documents.iter().flat_map(quoted).filter(|quoted| quoted.contains("cargo test ")).count() > 5);
    demand(documents.iter().flat_map(|document| wrong_commands(document, &makefile, &sources)).collect());
    let text = "`make haste` `make check` `cargo test --workspace --test nowhere` `cargo test --test lanes -- no_such_test --nocapture`";
    let told = wrong_commands(&Source::new("a.md", text), &makefile, &sources);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[1].ends_with("there is no test file nowhere") && told[2].ends_with("has no_such_test in its name"));
}

/// Returns the folders of one particular machine that a text mentions.
fn foreign_places(source: &Source) -> Vec<String> {
    // The names are assembled here, so that this file itself satisfies the rule.
    let foreign = [["/ro", "ot/"], ["/wo", "rk/"], ["/ho", "me/"]].map(|parts| parts.concat());
    let named = foreign.iter().filter(|place| source.text.contains(place.as_str()));
    named.map(|place| format!("{}: {place} is a folder of one machine", source.path)).collect()
}

#[test]
fn nothing_depends_on_one_machine() {
    let sources = ["rs", "md", "toml", "sh", "sql", "yml"].into_iter().flat_map(of_kind);
    demand(sources.flat_map(|source| foreign_places(&source)).collect());
    let of = |place: [&str; 2]| foreign_places(&Source::new("a.sh", format!("cd {}/target", place.concat()))).len();
    assert_eq!((of(["/wo", "rk/x"]), of(["/ro", "ot/x"]), of(["/ho", "me/x"]), of(["/networ", "k/x"])), (1, 1, 1, 0));
}
