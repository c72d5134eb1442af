//! The catalogues of the compiled languages must have the same messages with the same parameters.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod alike;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use alike::ALIKE;
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement, Resource};
use fluent_syntax::parser;
use sdc::expected::Expected;
use sdc::refusal::{RefusalCode, Remedy};
use words::{BUILT_IN, Catalogues, Value, Words};

fn resource(language: &str, file: &str) -> Resource<&'static str> {
    let (_, files) = BUILT_IN.iter().find(|(tag, _)| *tag == language).unwrap();
    let (_, text) = files.iter().find(|(name, _)| *name == file).unwrap();
    parser::parse(*text).unwrap_or_else(|(_, errors)| panic!("{language}/{file}.ftl: {errors:?}"))
}

/// Returns the messages of a language: the text in the file without its parameters, and the names of the parameters.
fn messages(language: &str) -> BTreeMap<&'static str, (String, BTreeSet<&'static str>)> {
    let (_, files) = BUILT_IN.iter().find(|(tag, _)| *tag == language).unwrap();
    let mut found = BTreeMap::new();
    for (file, _) in *files {
        for entry in resource(language, file).body {
            let Entry::Message(message) = entry else { continue };
            let (mut text, mut parameters) = (String::new(), BTreeSet::new());
            look(message.value.as_ref().unwrap(), &mut text, &mut parameters);
            let former = found.insert(message.id.name, (text, parameters));
            assert!(former.is_none(), "{language}: {} stands twice", message.id.name);
        }
    }
    found
}

fn look(pattern: &Pattern<&'static str>, text: &mut String, parameters: &mut BTreeSet<&'static str>) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => text.push_str(value),
            PatternElement::Placeable { expression: Expression::Inline(inline) } => of_inline(inline, text, parameters),
            PatternElement::Placeable { expression: Expression::Select { selector, variants } } => {
                of_inline(selector, text, parameters);
                variants.iter().for_each(|variant| look(&variant.value, text, parameters));
            }
        }
    }
}

fn of_inline(inline: &InlineExpression<&'static str>, text: &mut String, parameters: &mut BTreeSet<&'static str>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            parameters.insert(id.name);
        }
        InlineExpression::StringLiteral { value } => text.push_str(value),
        other => panic!("nobody needs {other:?} yet: keep messages simple"),
    }
}

#[test]
fn every_language_has_the_same_messages_with_the_same_parameters() {
    let english = messages("en");
    assert!(english.len() > 500);
    for (language, _) in BUILT_IN {
        let all = messages(language);
        let names = |of: &BTreeMap<&'static str, _>| of.keys().copied().collect::<BTreeSet<_>>();
        let different: Vec<_> = names(&english).symmetric_difference(&names(&all)).copied().collect();
        assert!(different.is_empty(), "{language} and en differ by {different:?}");
        for (name, (_, parameters)) in all {
            assert_eq!(parameters, english[name].1, "{language}: {name}");
        }
    }
}

#[test]
fn french_is_not_english() {
    let (english, french) = (messages("en"), messages("fr"));
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let is_same = |name: &&&'static str| letters(&english[**name].0) == letters(&french[**name].0);
    let same: BTreeSet<&str> = english.keys().filter(is_same).copied().collect();
    let admitted: BTreeSet<&str> = ALIKE.into_iter().collect();
    let wrong: Vec<_> = same.difference(&admitted).collect();
    assert!(wrong.is_empty(), "said in French as in English: {wrong:?}");
    let needless: Vec<_> = admitted.difference(&same).collect();
    assert!(needless.is_empty(), "differ by now, so that they need not be admitted: {needless:?}");
}

/// A text in backquotes is a command that people type, so it is the same in every language.
#[test]
fn commands_are_the_same_in_every_language() {
    let english = messages("en");
    // Names of values, such as FILE, are translated, so the comparison first puts the English names back.
    let typed = |text: &str| -> Vec<String> {
        let commands = text.split('`').skip(1).step_by(2);
        let spoken = [("FICHIER", "FILE"), ("COMPTE", "ACCOUNT"), ("UTILISATEUR", "USER"), ("NOM", "NAME")];
        commands
            .map(|one| spoken.iter().fold(one.to_owned(), |one, (word, english)| one.replace(word, english)))
            .collect()
    };
    for (language, _) in BUILT_IN {
        for (name, (text, _)) in messages(language) {
            assert_eq!(typed(&text), typed(&english[name].0), "{language}: {name}");
            // French puts a no-break space before these marks, and a shell does not read it as a space.
            let is_spoilt = |command: &String| [" :", " ;", " !", " ?"].iter().any(|mark| command.contains(mark));
            assert!(!typed(&text).iter().any(is_spoilt), "{language}: {name}");
        }
    }
}

#[test]
fn every_code_has_words() {
    for (language, _) in BUILT_IN {
        let words = Catalogues::built_in().words(&language.parse().unwrap()).unwrap();
        for code in RefusalCode::ALL {
            let (meaning, short) = (words.refusal(*code), words.refusal_short(*code));
            assert!(meaning.contains(' ') && meaning.ends_with('.'), "{language}: {code}: {meaning}");
            let length = short.chars().count();
            assert!((10..=40).contains(&length) && !short.contains(code.as_str()), "{language}: {code}: {short}");
        }
        for remedy in [Remedy::Mend, Remedy::Wait] {
            assert!(words.remedy(remedy).contains(' '));
        }
    }
    for code in RefusalCode::ALL {
        assert_eq!(Words::english().refusal(*code), code.meaning(), "one text for FORMAT.md and for operators");
    }
}

/// The catalogues must have every expectation of the list in `sdc`, with exactly the same English text. Each text must be recognised as
/// the message of its code.
#[test]
fn everything_that_should_have_been_has_words() {
    let french = Catalogues::built_in().words(&"fr".parse().unwrap()).unwrap();
    for (code, english) in Expected::ALL {
        let name = format!("expected-{code}");
        let parameters: Vec<&str> = english.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let seven = || parameters.iter().map(|name| ((*name).to_owned(), Value::from("7")));
        let text =
            parameters.iter().fold((*english).to_owned(), |text, name| text.replace(&format!("{{{name}}}"), "7"));
        assert_eq!(Words::english().text_of(&name, seven()), text, "{name}");
        assert_eq!(french.expected(&text), french.text_of(&name, seven()), "{name}");
    }
    for (path, text) in sources_of(&["schema/sdc/src"]) {
        assert!(!text.contains(".with(\"expected\", \""), "{path} expects something that is not on the list");
    }
}

/// The catalogues must have everything that a refusal carries beside its code: rules that a row breaks, expectations, and names of
/// parameters.
#[test]
fn everything_that_a_refusal_tells_has_words() {
    let code = sources_of(&["schema/store/src", "schema/sdc/src", "actors/src"]);
    let literals = |text: &str, call: &str| -> Vec<String> { text.split(call).skip(1).filter_map(sentence).collect() };
    let (mut seen, mut missing) = (0, Vec::new());
    let mut seek = |family: &str, name: String, is_known: bool| {
        seen += 1;
        if !is_known {
            missing.push(format!("{family}{name}"));
        }
    };
    for (path, text) in &code {
        // In these two places `.with(` does not belong to a refusal: it sets columns of a cell, and parameters of a table's problem, which
        // the engine translates itself.
        let is_of_refusals = !path.contains("examine/cells") && !path.contains("tables/adoption");
        for name in literals(text, ".with(").iter().filter(|name| !name.contains(' ') && is_of_refusals) {
            seek(
                "parameter-",
                name.clone(),
                messages("en").contains_key(format!("parameter-{name}").as_str()) || name == "text",
            );
        }
        let rules = ["rule: ", "Rule("].into_iter().flat_map(|call| literals(text, call));
        for rule in rules.filter(|_| path.contains("examine") || path.contains("settle")) {
            seek("rule-", rule.clone(), messages("en").contains_key(format!("rule-{rule}").as_str()));
        }
        if path.ends_with("settle/rows.rs") || path.ends_with("settle/decide.rs") {
            for phrase in ["expected: ", "&str = "].into_iter().flat_map(|call| literals(text, call)) {
                seek("expected-", phrase.clone(), Words::is_known("expected-", &phrase));
            }
        }
        if !path.contains("examine") {
            continue;
        }
        // An expectation in the code is a literal of several words, or a function chooses it among such literals. In the sources it comes
        // after one of these texts.
        let joined = [".with(", "expected: ", "format!(", "Some(", "&'static str = ", "0 => "].into_iter();
        for phrase in joined.flat_map(|call| literals(text, call)).filter(|phrase| phrase.contains(' ')) {
            let is_figures = phrase.starts_with("x1");
            seek("expected-", phrase.clone(), is_figures || Words::is_known("expected-", &phrase));
        }
    }
    assert!(seen > 80, "the sources were read: {seen}");
    missing.sort_unstable();
    missing.dedup();
    assert!(missing.is_empty(), "no words for {missing:#?}");
}

/// Collects path and text of the sources in a folder, without their tests.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() && name != "tests" && name != "target" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            found.push((path.display().to_string(), code));
        }
    }
}

fn sources_of(folders: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let mut found = Vec::new();
    folders.iter().for_each(|folder| sources(&root.join(folder), &mut found));
    found
}

/// Families whose messages the program finds by a code, or by the English text in the code.
const FAMILIES: [&str; 11] = [
    "check-",
    "error-",
    "expected-",
    "heading-",
    "help-",
    "parameter-",
    "refusal-",
    "rule-",
    "sample-",
    "select-",
    "usage-",
];

#[test]
fn every_message_is_said_somewhere_and_every_name_is_a_message() {
    let code = sources_of(&["engine/src", "engine/face/src", "engine/xmagency/src", "engine/words/src"]);
    let english = messages("en");
    let all: String = code.iter().map(|(_, text)| text.as_str()).collect();
    let is_of_family =
        |name: &str| FAMILIES.iter().any(|family| name.starts_with(family)) || name.starts_with("value-");
    let unsaid: Vec<_> =
        english.keys().filter(|name| !is_of_family(name) && !all.contains(&format!("\"{name}\""))).collect();
    assert!(unsaid.is_empty(), "nobody says {unsaid:?}");
    let mut names = 0;
    let mut unknown = Vec::new();
    for (path, text) in &code {
        for said in text.split("said!(").skip(1) {
            let Some(name) = said.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            names += 1;
            if !english.contains_key(name) {
                unknown.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(names > 100, "the sources were read");
    assert!(unknown.is_empty(), "no catalogue has {unknown:#?}");
}

/// Beginnings of Rust calls whose first argument is the sentence of an error.
const CALLS: [&str; 6] =
    ["#[error(", "bail!(", "anyhow!(", "anyhow::anyhow!(", ".context(", ".with_context(|| format!("];

/// Exceptions from the rule that the catalogues have every sentence of an error: sentences, and files of which no sentence needs a message.
const NOT_TOLD: [&str; 8] = [
    // The whole sentence is a parameter: the text of another program.
    "x1",
    "x1 x1",
    "x1x1",
    // Programs read the answers of `/ready`; the log has the same reasons.
    "engine/src/ready/unready.rs",
    // Offices and their libraries read these sentences, not users of this program.
    "schema/sdc/src/cms.rs",
    "schema/sdc/src/der.rs",
    "schema/sdc/src/service.rs",
    "engine/mail/src/extract.rs",
];

/// Reads the string literal at the start of a call, with `x1` for each of its parameters. None where the call begins with no literal.
fn sentence(call: &str) -> Option<String> {
    let literal = call.trim_start().strip_prefix('"')?;
    let mut text = String::new();
    let mut letters = literal.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek().copied()) {
            ('"', _) => return Some(text),
            ('\\', Some('\n')) => while letters.next_if(|next| next.is_whitespace()).is_some() {},
            ('\\', Some(escaped)) => {
                letters.next();
                text.push(if escaped == 'n' { '\n' } else { escaped });
            }
            ('{', _) => {
                while letters.next_if(|next| *next != '}').is_some() {}
                letters.next();
                text.push_str("x1");
            }
            (letter, _) => text.push(letter),
        }
    }
    None
}

/// Errors are made in English and translated where they are shown: each needs a message with the same English text.
#[test]
fn every_sentence_of_an_error_has_words() {
    let places = [
        "engine/src",
        "engine/face/src",
        "engine/agency/src",
        "engine/xmagency/src",
        "engine/mail/src",
        "schema/cluster/src",
        "schema/store/src",
        "schema/sdc/src",
    ];
    let mut code = sources_of(&places);
    code.retain(|(path, _)| !NOT_TOLD.iter().any(|file| path.ends_with(file)));
    let (mut sentences, mut missing) = (0, Vec::new());
    for (path, text) in &code {
        let calls = CALLS.iter().flat_map(|call| text.split(call).skip(1));
        for said in calls.filter_map(sentence).flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
            sentences += 1;
            // A sentence may be joined from a fixed text and a parameter before or after it.
            let is_known = Words::is_sentence(&said) || NOT_TOLD.contains(&said.as_str());
            if !is_known && !is_put_together(&said) {
                missing.push(format!("{path}: {said}"));
            }
        }
    }
    assert!(sentences > 150, "the sources were read: {sentences}");
    missing.sort_unstable();
    missing.dedup();
    assert!(missing.is_empty(), "{} sentences without words:\n{}", missing.len(), missing.join("\n"));
}

/// Returns the string literals of a source, each with `x1` for its parameters. Lines of comments are left out.
fn literals(source: &str) -> Vec<String> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code: String = source.lines().filter(is_code).map(|line| format!("{line}\n")).collect();
    let (mut found, mut rest) = (Vec::new(), code.as_str());
    while let Some((_, from)) = rest.split_once('"') {
        found.extend(sentence(&format!("\"{from}")));
        let mut is_escaped = false;
        let end = from.find(|letter| {
            let ends = letter == '"' && !is_escaped;
            is_escaped = letter == '\\' && !is_escaped;
            ends
        });
        rest = end.map_or("", |end| &from[end + 1..]);
    }
    found
}

/// Findings of `check` are made in English, as errors are. No call marks their sentences, so every literal of three or more words counts
/// as one.
#[test]
fn every_sentence_of_a_finding_has_words() {
    let code = sources_of(&["engine/src/check"]);
    let has_words = |text: &String| text.split_whitespace().filter(|word| *word != "x1").count() >= 3;
    let is_sql = |text: &String| text.starts_with("SELECT ");
    let said: Vec<String> = code.iter().flat_map(|(_, text)| literals(text)).filter(has_words).collect();
    assert!(said.len() > 20, "the sources were read: {said:?}");
    let is_missing = |text: &String| !is_sql(text) && !Words::is_sentence(text) && !is_put_together(text);
    let missing: Vec<String> = said.into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{} sentences without words:\n{}", missing.len(), missing.join("\n"));
    assert_eq!(literals("a(\"b {c}\", 1) // \"d\"\n  // \"e\"\n\"f\\\"g\""), ["b x1", "d", "f\"g"]);
}

/// At its end the demo compares the database with everything that it sent (`oracle`), and shows a sentence for each difference. The
/// catalogues must have all these sentences.
#[test]
fn every_word_of_the_oracle_on_a_broken_promise_is_said() {
    let mut code = sources_of(&["engine/simulation/src"]);
    code.retain(|(path, _)| path.contains("simulation/src/oracle") && !path.contains("/tests"));
    // Formatting may put a call and its text on different lines, and a block around the text.
    let text: String = code.into_iter().map(|(_, text)| text).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("\\ ", "");
    let text = text.replace("( ", "(").replace("{ format!(", "format!(");
    let calls = ["wrong(format!(", "|| format!(", "=> format!(", "lose(at, letter, ", "lose(at, letter, &format!("];
    let said: BTreeSet<String> = calls.iter().flat_map(|call| text.split(call).skip(1)).filter_map(sentence).collect();
    assert!(said.len() >= 24, "the source was read: {said:?}");
    // Some of the texts are no sentences, but name the thing that occurs twice, such as a row. The demo shows the name within a sentence,
    // so the catalogues must have it as well.
    let missing: Vec<&String> = said.iter().filter(|text| !Words::is_sentence(text)).collect();
    assert!(missing.is_empty(), "no words for {missing:#?}");
    let french = Catalogues::built_in().words(&"fr".parse().unwrap()).unwrap();
    for (english, expected) in [
        ("letter 7f of agency 000042: a row is missing", "lettre 7f de l'agence 000042 : une fiche manque"),
        (
            "there more than once: row 7 of ActeNaissance by agency 000042",
            "présent plus d'une fois : la fiche 7 de ActeNaissance de l'agence 000042",
        ),
        ("the books differ by 100", "les comptes diffèrent de 100"),
    ] {
        assert_eq!(french.sentences(english).replace('\u{a0}', " "), expected);
    }
}

/// Every comment in the catalogues must still occur in a sample file. Otherwise its translation is no longer needed.
#[test]
fn every_comment_in_the_catalogues_stands_in_a_sample_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = ["deploy/xmserver.toml", "schema/store/samples/tables.toml", "engine/src/command/sample/trial.rs"];
    let texts = files.map(|file| fs::read_to_string(root.join(file)).unwrap());
    let joined = texts.map(|text| text.replace("\n# # ", " ").replace("\n# ", " ")).join("\n");
    let english = messages("en");
    let comments: Vec<_> = english.iter().filter(|(name, _)| name.starts_with("sample-")).collect();
    assert!(comments.len() > 50);
    let gone: Vec<_> = comments.iter().filter(|(_, (text, _))| !joined.contains(text.as_str())).collect();
    assert!(gone.is_empty(), "no sample file says {gone:#?}");
}

/// Says whether a text is a sentence of the catalogues with a parameter before or after it.
fn is_put_together(said: &str) -> bool {
    let shorter = said.strip_suffix("x1").or_else(|| said.strip_prefix("x1"));
    shorter.is_some_and(|text| Words::is_sentence(text.trim()))
}
