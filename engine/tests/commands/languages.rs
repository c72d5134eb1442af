//! Tests of the language in which the program speaks to people: every sentence must come from the catalogues.
//!
//! In the pseudo-language every letter of a catalogue's text has an accent. So a word without an accent is either data, which a test
//! lists, or part of a sentence that no catalogue has. Without its accents the text must equal the English text.

use std::process::Command;

use serde_json::Value;
use words::pseudo;

use crate::centre::{Centre, INIT};
use crate::cli::agency_certificate;
use crate::day::{AUDIT, CHANGES, OF_A_TABLE, PEOPLE, QUESTIONS};
use crate::operators::{LETTER, agencies, in_douala, refused_letter, write};
use crate::speaker::{DATA, MONTHS, Speaker};

/// Description of the plan `standard`, which every centre begins with, as the database holds it.
const STANDARD: &str = "What an ordinary office may do";

#[tokio::test(flavor = "multi_thread")]
async fn no_sentence_of_an_operators_day_comes_from_outside_the_catalogues() {
    let centre = Centre::on_a_database_of_its_own().await;
    let folder = centre.place.path().to_str().unwrap().to_owned();
    let url = centre.url.clone().unwrap();
    let certificate = agency_certificate(centre.place.path(), "office");
    let certificate = certificate.to_str().unwrap();
    let data = vec![
        folder.as_str(),
        url.as_str(),
        "centre-x",
        "test",
        "superviseur",
        // The next three words are titles of privileges. The word `uid` is shown before the number of an account of the machine.
        "Opérateur",
        "Chef d'Agence",
        "Superviseur",
        "uid",
        "keys",
        "centre-p256",
        "centre-rsa",
        "authority",
        "crt",
        "data",
        "main",
        "standard",
        "Mairie",
        "Bureau",
        "Resultat",
        "bureau",
        "laptop",
        "Antenne",
        "Littoral",
    ];
    let speaker = Speaker::new(&centre, data);
    speaker.shows(&["agency", "list"]);
    let said = centre.say(&[&["--lang", pseudo::TAG], &INIT[..]].concat());
    let password = said.out.lines().find(|line| line.contains("superviseur")).unwrap();
    let password = password.split_whitespace().nth(4).unwrap();
    let data: Vec<&str> = DATA.iter().copied().chain(speaker.data.iter().copied()).chain([password]).collect();
    assert_eq!(pseudo::foreign(&said.out, &data), Vec::<String>::new(), "{}{}", said.out, said.err);

    let users = centre.json(&["user", "list", "--json"]);
    let account = users[0]["accounts"][0]["name"].as_str().unwrap().to_owned();
    let speaker = speaker.with(&[&account, "other", "no-such-account"]);
    for arguments in QUESTIONS {
        speaker.with(&[STANDARD, "bash", "elvish", "fish", "powershell", "zsh", "selection"]).shows(arguments);
    }
    for arguments in CHANGES {
        let data = ["export, correct, import, certify", "export", "hostname", "etc", "Nowhere", STANDARD, "verdict"];
        speaker.with(&data).says(arguments);
    }
    speaker.with(&OF_A_TABLE).shows(&["table", "show", "ecr.MentionMarginale"]);
    // The test uses `says`, which does not compare with English, because the free disk space in `check` may change between two runs.
    speaker.with(&MONTHS).with(&["correct", "import", "certify"]).says(&["check"]);
    agencies_in_a_file(&centre, &speaker);
    first_passwords(&speaker.with(&["zoe"]));
    for arguments in PEOPLE {
        speaker.with(&["zoe", "mbome", "nkolo", "games", "daemon", "slip"]).says(arguments);
    }
    the_audit_log(&speaker);
    certificates(&centre, &speaker.data, certificate);
    an_office(&centre, &speaker);
}

/// Names of columns in a file of agencies, which are the same in every language.
const COLUMNS: [&str; 20] = [
    "matricule",
    "name",
    "town",
    "area",
    "telephone",
    "email",
    "plan",
    "status",
    "balance",
    "credit_limit",
    "letter_limit",
    "added",
    "last_letter",
    "certificate_end",
    "cbc",
    "installation",
    "certificate",
    "fingerprint",
    "scope",
    "COLUMN",
];

/// Checks what is said about rows of a file, right and wrong ones.
fn agencies_in_a_file(centre: &Centre, speaker: &Speaker<'_>) {
    let file = centre.place.path().join("agencies.csv");
    let name = file.to_str().unwrap();
    let speaker = speaker.with(&COLUMNS);
    let import = |text: &str, words: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let speaker = speaker.with(words);
        speaker.shows(&["agency", "import", name, "--dry-run"]);
        speaker.says(&["agency", "import", name]);
    };
    import("", &[]);
    import("matricule,colour\n1,red\n", &["colour"]);
    import(
        "matricule,name,area,status,balance,cbc,certificate,fingerprint\n\
         1,,Littoral//Sud,,,,,\n2,Antenne,Littoral,2,500,,,\n2,Antenne,,,,,,\n50,Antenne,,,9999999,,,\n51,Antenne\n52,Antenne,,,x1,,,\n\
         53,Antenne,,,,x1,,\n54,Antenne,,,,,x1,\n55,Antenne,,,,,,AB\n,Antenne,,,,,,\n56,,,,,,,\n1,,,,7,,,\n",
        &["Antenne", "Littoral", "Sanaga", "Maritime", "UTF", "AB", "PEM", "DER", "base64", "CSV"],
    );
    speaker.with(&["Antenne", "Littoral", "yes", "no"]).says(&["agency", "export"]);
    speaker.with(&["Antenne", "Littoral"]).says(&["agency", "list", "--csv"]);
    speaker.shows(&["agency", "list", "--by", "colour"]);
    speaker.with(&["Littoral"]).shows(&["agency", "areas"]);
    speaker.with(&["Littoral"]).shows(&["enrolment", "progress", "--area", "Littoral"]);
}

/// Checks the sentences with a first password, which is random.
fn first_passwords(speaker: &Speaker<'_>) {
    for arguments in [&["user", "add", "zoe"][..], &["user", "password", "zoe"]] {
        let told = speaker.said(pseudo::TAG, arguments);
        let words = told.out.split_whitespace().map(|word| word.trim_end_matches(','));
        let password = words.clone().find(|word| word.len() == 24 && word.is_ascii()).unwrap();
        let data: Vec<&str> = DATA.iter().chain(&speaker.data).copied().chain([password, "login"]).collect();
        assert_eq!(pseudo::foreign(&told.out, &data), Vec::<String>::new(), "{}{}", told.out, told.err);
    }
}

/// Checks the commands about the audit log. Names of actions and subjects are the same in every language, as the log has them.
fn the_audit_log(speaker: &Speaker<'_>) {
    for arguments in AUDIT {
        speaker.with(&["recharge.limit", "centre.keys"]).says(arguments);
    }
    let told = speaker.said(pseudo::TAG, &["audit", "verify"]);
    let head = told.out.split_whitespace().last().unwrap();
    assert_eq!(pseudo::foreign(&told.out, &[head]), Vec::<String>::new(), "{}{}", told.out, told.err);
}

/// `sample office` explains its commands in the user's language; the commands themselves stay as they are.
fn an_office(centre: &Centre, speaker: &Speaker<'_>) {
    let configuration = centre.done(&["sample", "configuration", "--trial", "2110", "2525"]);
    std::fs::write(centre.data_folder().join("xmserver.toml"), configuration).unwrap();
    centre.done(&["agency", "grant", "1", "CentreCode", "C01"]);
    let office = centre.place.path().join("office");
    let office = office.to_str().unwrap();
    let told = speaker.said(pseudo::TAG, &["sample", "office", "1", office]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    // Commands are indented by two spaces, so all other lines are sentences.
    let said: Vec<&str> = told.out.lines().filter(|line| !line.starts_with("  ")).collect();
    // The agency's former certificate is revoked, but a second person is still necessary because of it.
    assert!(pseudo::unaccented(said[1]).contains("needs a second person"), "{}", told.out);
    assert_eq!(said.len(), 4, "{}", told.out);
    let data: Vec<&str> = DATA.iter().copied().chain([office]).collect();
    assert_eq!(pseudo::foreign(&said.join("\n"), &data), Vec::<String>::new(), "{}", told.out);
    assert!(told.out.contains("  xmserver cert register 000001 "), "commands are not translated: {}", told.out);
}

/// Checks that each comment of a sample file is translated, and that keys and values stay. Lines may be wrapped at other places.
fn a_sample(speaker: &Speaker<'_>, arguments: &[&str]) {
    let [accented, english] = [pseudo::TAG, "en"].map(|language| speaker.said(language, arguments).out);
    let is_comment = |line: &&str| line.starts_with("# ") && !line.contains(" = ") && !line.starts_with("# [");
    let comments: Vec<&str> = accented.lines().filter(is_comment).collect();
    let foreign = pseudo::foreign(&comments.join("\n"), &[]);
    let words = |text: &str| text.split([' ', '\n', '#']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let (unaccented, plain): (Vec<String>, Vec<String>) = (words(&pseudo::unaccented(&accented)), words(&english));
    if comments.is_empty() || !foreign.is_empty() || unaccented != plain {
        speaker.breach(format!("{arguments:?} says {foreign:?} in no language:\n{accented}"));
    }
}

/// Checks the sentences of registering, listing and revoking a certificate.
fn certificates(centre: &Centre, data: &[&str], certificate: &str) {
    let told = centre.refused(&["cert", "register", "1", certificate]);
    let fingerprint = told.split("fingerprint is ").nth(1).unwrap().split(": compare").next().unwrap().to_owned();
    let plain = fingerprint.replace(':', "").to_lowercase();
    let data = data.iter().copied().chain([fingerprint.as_str(), plain.as_str(), "office", "CN", "PEM"]).collect();
    let speaker = Speaker::new(centre, data);
    speaker.shows(&["cert", "register", "1", certificate]);
    speaker.says(&["cert", "register", "1", certificate, "--fingerprint", &fingerprint]);
    speaker.shows(&["cert", "list"]);
    speaker.shows(&["cert", "revoke", "1", "--reason", "lost"]);
    speaker.says(&["cert", "revoke", "1", "--reason", "lost", "--yes", "--since", "2026-01-01"]);
    speaker.shows(&["cert", "register", "1", certificate, "--fingerprint", &fingerprint]);
    speaker.shows(&["agency", "show", "1"]);
    speaker.shows(&["agency", "list"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_a_letters_story_comes_from_outside_the_catalogues() {
    let centre = in_douala().await;
    agencies(&centre, 2).await;
    refused_letter(&centre).await;
    let url = centre.url.clone().unwrap();
    let digest = "11".repeat(32);
    let data = vec![
        url.as_str(),
        LETTER,
        digest.as_str(),
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        "main",
        "Mairie",
        "letter",
        "duplicate",
        "mail",
        "Sexe",
        "enum",
        "M or F",
        "export",
        "no such user",
        "before",
    ];
    let speaker = Speaker::new(&centre, data);
    for arguments in [
        &["letter", "show", LETTER][..],
        &["answer", "show", LETTER],
        &["journal", "list"],
        &["journal", "list", "--limit", "1"],
        &["journal", "show", "1"],
        &["journal", "show", "1", "--container", "/nowhere"],
        &["quarantine", "list"],
        &["quarantine", "show", "1"],
        &["answer", "list"],
    ] {
        speaker.shows(arguments);
    }
    speaker.says(&["answer", "resend", LETTER]);
    write(&centre, "UPDATE xm.outbox SET failed_at = now(), attempts = 9, last_error = 'no such user'").await;
    speaker.shows(&["answer", "show", LETTER]);
    // The detail of a refusal is kept as an English text, and translated when it is shown.
    let detail = "refused: rows_invalid, column 5, expected one recipient, line 3, 12 faulty rows";
    write(&centre, &format!("UPDATE xm.quarantine SET detail = '{detail}'")).await;
    speaker.shows(&["quarantine", "show", "1"]);
    speaker.says(&["quarantine", "drop", "1", "--reason", "x"]);
    speaker.says(&["quarantine", "drop", "1", "--reason", "x"]);
    speaker.says(&["quarantine", "list"]);
    speaker.shows(&["quarantine", "list", "--with-decided"]);
    write(&centre, "UPDATE xm.quarantine SET state = 'retried'").await;
    speaker.shows(&["quarantine", "list", "--with-decided"]);
    speaker.says(&["quarantine", "drop", "1", "--reason", "x"]);
    speaker.says(&["quarantine", "groups"]);
    speaker.says(&["quarantine", "select"]);
    speaker.says(&["quarantine", "selections"]);
    write(&centre, "UPDATE xm.quarantine SET state = 'open', held = true").await;
    speaker.shows(&["quarantine", "groups"]);
    speaker.says(&["quarantine", "select"]);
    speaker.says(&["quarantine", "select", "--entry", "1", "--first", "1"]);
    let of_selections = speaker.with(&["superviseur", "entries", "first"]);
    of_selections.shows(&["quarantine", "selections"]);
    of_selections.shows(&["quarantine", "selection", "1"]);
    speaker.says(&["quarantine", "drop", "--selection", "1", "--reason", "x"]);
    speaker.says(&["quarantine", "drop", "--selection", "2", "--reason", "x"]);
    speaker.says(&["quarantine", "drop", "--selection", "2", "--reason", "x"]);
    of_selections.shows(&["quarantine", "selection", "2"]);
    of_selections.says(&["quarantine", "selection", "2", "--undecided"]);
    write(&centre, "UPDATE xm.quarantine SET state = 'open', held = true").await;
    speaker.shows(&["quarantine", "list"]);
}

#[test]
fn no_mistake_is_told_in_words_from_outside_the_catalogues() {
    let centre = Centre::with_nothing_configured();
    let folder = centre.place.path().to_str().unwrap().to_owned();
    let data = vec![folder.as_str(), "data", "agency", "list", "name", "email", "limit", "all", "lst", "trial"];
    let speaker = Speaker::new(&centre, data);
    for arguments in [
        &["agency", "list"][..],
        &["agency", "lst"],
        &["agency", "add"],
        &["agency", "show", "abc"],
        &["agency", "show"],
        &["agency", "list", "--all", "--limit", "3"],
        &["agency", "list", "--limit", "x"],
        &["agency", "list", "--limit", "0"],
        &["agency", "list", "--status", "9"],
        &["agency", "list", "--lmit", "9"],
        &["letter", "show", "xyz"],
        &["journal", "list", "--letter-id", "x"],
        &["tariff", "set", "export", "--from", "soon"],
        &["sample", "configuration", "--trial", "1"],
        &["sample", "office", "1", "/tmp"],
        &["--config", "/nowhere.toml", "check"],
        &["run"],
    ] {
        speaker.shows(arguments);
    }
    for arguments in [&["sample", "tables"][..], &["sample", "configuration"]] {
        a_sample(&speaker, arguments);
    }
    a_sample(&speaker, &["sample", "configuration", "--trial", "2110", "2525"]);
    speaker.with(&MONTHS).with(&["correct", "import", "certify"]).says(&["check"]);
    let wrong = centre.place.path().join("wrong.toml");
    for (text, keys) in [
        ("[folder]\npath = \"/nowhere\"\n", ["folder", "nowhere", "in", "out"]),
        ("[folder]\nname = \"Stick\"\npath = \"x\"\n", ["folder.name", "folder.path", "Stick", "x"]),
    ] {
        std::fs::write(&wrong, text).unwrap();
        speaker.with(&keys).with(&MONTHS).says(&["--config", wrong.to_str().unwrap(), "check"]);
    }
    for text in
        ["[server]\ncolour = 1\n", "[server]\nlog_level = 7\n", "[limits]\nwriters = 0\n", "[mailbox]\n", "[relay]\n"]
    {
        std::fs::write(&wrong, text).unwrap();
        let keys = [
            "colour",
            "role",
            "log_level",
            "limits.writers",
            "mailbox",
            "relay",
            "server",
            "smtp",
            "address",
            "unknown",
            "data_folder",
            "http_address",
            "keys_folder",
            "process_name",
            "log_format",
            "drain_notice_seconds",
            "shutdown_seconds_max",
            "metrics_kept_seconds_max",
        ];
        speaker.with(&keys).with(&MONTHS).says(&["--config", wrong.to_str().unwrap(), "check"]);
    }
}

#[test]
fn the_language_is_that_of_the_locale_unless_another_is_asked_for() {
    let centre = Centre::with_nothing_configured();
    let told = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command: Command = centre.command(arguments);
        command.env_remove("LC_ALL").env_remove("LC_MESSAGES").env_remove("LANG").envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    let (french, english) = ("lancez d'abord `xmserver init`", "run `xmserver init` first");
    assert!(told(&[("LANG", "fr_CM.UTF-8")], &["agency", "list"]).contains(french));
    assert!(told(&[("LANG", "fr_CM.UTF-8"), ("LC_ALL", "C")], &["agency", "list"]).contains(english));
    assert!(told(&[("LANG", "fr_FR"), ("LC_MESSAGES", "de_DE")], &["agency", "list"]).contains(english));
    assert!(told(&[("LANG", "fr_FR")], &["agency", "list", "--lang", "en"]).contains(english));
    assert!(told(&[], &["--lang=fr", "agency", "list"]).contains(french));
    assert!(told(&[], &["--lang", "de", "agency", "list"]).contains("expected one of en, fr, found \"de\""));
    // JSON is for programs, so its message is English in every language.
    let error: Value = serde_json::from_str(&told(&[("LANG", "fr_FR")], &["agency", "list", "--json"])).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains(english));
}

#[test]
fn a_folder_adds_a_language_and_what_is_wrong_with_it_is_told() {
    let centre = Centre::with_nothing_configured();
    let words = centre.place.path().join("words");
    std::fs::create_dir_all(words.join("pt")).unwrap();
    std::fs::write(
        words.join("pt/words.ftl"),
        "verdict-fail = falha\ncheck-subject-relay = retransmissor\nbroken = { $\n",
    )
    .unwrap();
    let said = centre.say(&["--words", words.to_str().unwrap(), "--lang", "pt-BR", "check"]);
    assert!(said.out.lines().any(|line| line.starts_with("falha  ")), "{}", said.out);
    // A sentence that the Portuguese folder does not have is said in English.
    assert!(said.out.contains("none is configured: add [relay]"), "{}", said.out);
    assert!(said.out.contains("words.ftl, line 3: "), "{}", said.out);
}
