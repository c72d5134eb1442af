//! Each mistake in a configuration gets a sentence of its own: which file and key, and what was expected.

use std::path::Path;

use super::*;

fn load(text: &str) -> Result<Configuration, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("centre.toml");
    std::fs::write(&file, text).unwrap();
    let sources = Sources { file: Some(file.clone()), data_folder: None };
    Configuration::load(&sources).map_err(|error| {
        let place = file.display().to_string();
        error.problems.into_iter().map(|problem| problem.replace(&place, "FILE")).collect()
    })
}

const MAILBOX: &str =
    "[[mailbox]]\nname = \"main\"\n[mailbox.pop3]\nhost = \"mail.example.org\"\nusername = \"centre\"\n";

/// Each case has a configuration and the sentence with which it is refused. `MAILBOX` stands for the text of the constant above.
const MISTAKES: &[(&str, &str)] = &[
    (
        "[server]\nhttp_adress = \"x\"",
        "FILE: unknown key server.http_adress: expected one of data_folder, keys_folder, process_name, role, \
         http_address, log_format, log_level, drain_notice_seconds, shutdown_seconds_max, metrics_kept_seconds_max",
    ),
    (
        "[sever]",
        "FILE: unknown key sever: expected one of server, database, mailbox, folder, intake, https, carrier, relay, \
         kit, limits",
    ),
    (
        "[server]\nhttp_address = \"here\"",
        "FILE: server.http_address: expected an address and a port, such as 127.0.0.1:9464",
    ),
    (
        "[server]\nhttp_address = 9464",
        "FILE: server.http_address: expected an address and a port, such as 127.0.0.1:9464, found 9464",
    ),
    ("[server]\nlog_format = \"xml\"", "FILE: server.log_format: expected one of text, json, found `xml`"),
    (
        "[server]\nlog_level = \"loud=very\"",
        "FILE: server.log_level: expected error, warn, info, debug or trace, found \"loud=very\"",
    ),
    ("[server]\ndata_folder = \"data\"", "FILE: server.data_folder: expected an absolute path, found \"data\""),
    ("[server]\nshutdown_seconds_max = 0", "FILE: server.shutdown_seconds_max: expected 1 to 3600, found 0"),
    ("[server\n", "FILE: line 1, column 8: invalid table header, expected `.`, `]`"),
    (
        "[database]\nurl = \"postgresql://u:hunter2@h/x\"",
        "FILE: database.url: expected a URL without a password: put the whole URL into a file named by \
         database.url_file, or into the environment variable XMSERVER_DATABASE__URL",
    ),
    (
        "[database]\nurl = \"postgresql://h/x\"\nurl_file = \"/x\"",
        "FILE: database.url_file: expected only one of url and url_file, found both",
    ),
    (
        "[database]\nreader_url = \"postgresql://xm_reader:hunter2@h/x\"",
        "FILE: database.reader_url: expected a URL without a password: put the whole URL into a file named by \
         database.reader_url_file, or into the environment variable XMSERVER_DATABASE__READER_URL",
    ),
    (
        "[database]\nreader_url = \"postgresql://h/x\"\nreader_url_file = \"/x\"",
        "FILE: database.reader_url_file: expected only one of reader_url and reader_url_file, found both",
    ),
    (
        "[database]\nconnections_max = -1",
        "FILE: database.connections_max: expected a whole number of 0 or more, found -1",
    ),
    (
        "[[intake]]\nname = \"lmtp\"\nno_container = \"leave\"\n[intake.smtp]\nlisten = \"127.0.0.1:24\"\nsecurity = \"none\"\n\
         addresses = [\"a@b.org\"]",
        "FILE: intake 1: no_container: expected quarantine or drop, found \"leave\"",
    ),
    (
        "[[intake]]\nname = \"lmtp\"\n[intake.smtp]\nlisten = \"127.0.0.1:24\"\nsecurity = \"none\"",
        "FILE: intake 1: smtp.addresses: expected the centre's addresses, found none",
    ),
    (
        "[[intake]]\nname = \"lmtp\"\n[intake.smtp]\nlisten = \"0.0.0.0:24\"\nsecurity = \"none\"\naddresses = [\"a@b.org\"]",
        "FILE: intake 1: smtp.security: `none` is for a server on this machine; 0.0.0.0:24 is elsewhere, so expected `tls` or \
         `starttls`",
    ),
    (
        "[[intake]]\nname = \"lmtp\"\n[intake.smtp]\nlisten = \"127.0.0.1:24\"\naddresses = [\"a@b.org\"]",
        "FILE: intake 1: smtp.certificate_file: expected the server's certificate, found none",
    ),
    (
        "[[intake]]\nname = \"lmtp\"\nhold_seconds_max = 0\n[intake.smtp]\nlisten = \"127.0.0.1:24\"\nsecurity = \"none\"\n\
         addresses = [\"a@b.org\"]",
        "FILE: intake 1: hold_seconds_max: expected 1 to 300, found 0",
    ),
    (
        "[https]\nlisten = \"0.0.0.0:8443\"\nsecurity = \"none\"",
        "FILE: https.security: `none` is for a server on this machine; 0.0.0.0:8443 is elsewhere, so expected `tls` or `starttls`",
    ),
    (
        "[https]\nlisten = \"127.0.0.1:8443\"\nsecurity = \"starttls\"\ncertificate_file = \"/c\"\nkey_file = \"/k\"",
        "FILE: https.security: expected `tls` or `none`, found `starttls`",
    ),
    (
        "[https]\nlisten = \"127.0.0.1:9464\"\nsecurity = \"none\"",
        "FILE: https.listen: expected an address of its own, found 127.0.0.1:9464 twice",
    ),
    (
        "[folder]\nname = \"https\"\npath = \"/srv\"\n[https]\nlisten = \"127.0.0.1:8443\"\nsecurity = \"none\"",
        "FILE: https.name: expected a name of its own, found \"https\" twice",
    ),
    ("[kit]\naddress = \"centre\"", "FILE: kit.address: expected an address, local@domain, found \"centre\""),
    ("[kit]\ntelephone = \"1\\n2\"", "FILE: kit.telephone: expected text on one line, found \"1\\n2\""),
    (
        "[kit]\nhttps_url = \"http://x\"",
        "FILE: kit.https_url: expected an address that begins with https://, found \"http://x\"",
    ),
    ("[kit.pop3]\nhost = \"mail.example.org\"", "FILE: kit.pop3: expected pop3 and smtp together, found one of them"),
    (
        "[https]\nlisten = \"127.0.0.1:8443\"\nsecurity = \"none\"\nrequests_per_minute_max = 0",
        "FILE: https.requests_per_minute_max: expected 1 to 1000000, found 0",
    ),
    (
        "MAILBOX\npassword_env = \"P\"\nport = 99999",
        "FILE: mailbox 1: pop3.port: expected a port from 1 to 65535, found 99999",
    ),
    (
        "[relay]\naddress = \"c@d\"\n[relay.smtp]\nhost = \"h\"\nport = \"smtp\"",
        "FILE: relay.smtp.port: expected a port from 1 to 65535, found \"smtp\"",
    ),
    ("[mailbox]\nname = \"main\"", "FILE: mailbox: write [[mailbox]], in double brackets: there may be several"),
    (
        "[limits]\nmails_in_hand_max = 99999999999",
        "FILE: limits.mails_in_hand_max: expected a whole number from 0 to 4294967295, found 99999999999",
    ),
    ("[limits]\nwriters = 1000", "FILE: limits.writers: expected 1 to 64, found 1000"),
    ("[limits]\nwriters = \"two\"", "FILE: limits.writers: expected a whole number of 0 or more, found \"two\""),
    ("[[mailbox]]\nname = \"main\"", "FILE: key mailbox 1: pop3 is missing"),
    (
        "[[mailbox]]\nname = \"main\"\n[mailbox.pop3]\nhost = \"mail.example.org\"",
        "FILE: key mailbox 1: pop3.username is missing",
    ),
    (
        "MAILBOX\n",
        "FILE: mailbox 1: pop3.password_file: expected one of password_file, password_env, oauth_token_file, found none",
    ),
    (
        "MAILBOX\npassword = \"hunter2\"",
        "FILE: unknown key mailbox 1: pop3.password: expected one of host, port, security, username, password_file, \
         password_env, oauth_token_file, ca_file, connect_timeout_seconds, read_timeout_seconds, group_timeout_seconds, \
         mail_size_max_bytes, listing_entries_max, window_mails",
    ),
    (
        "MAILBOX\npassword_env = \"P\"\nsecurity = \"none\"",
        "FILE: mailbox 1: pop3.security: `none` is for a server on this machine; mail.example.org is \
         elsewhere, so expected `tls` or `starttls`",
    ),
    (
        "MAILBOX\npassword_env = \"P\"\nMAILBOX\npassword_env = \"P\"",
        "FILE: mailbox 2: name: expected a name of its own, found \"main\" twice",
    ),
    (
        "[[mailbox]]\nname = \"Ma in\"\n[mailbox.pop3]\nhost = \"h\"\nusername = \"u\"\npassword_env = \"P\"",
        "FILE: mailbox 1: name: expected 1 to 63 of a-z, 0-9, point, hyphen and _, found \"Ma in\"",
    ),
    (
        "[[mailbox]]\nname = \"main\"\nno_container = \"keep\"\n[mailbox.pop3]\nhost = \"h\"\nusername = \"u\"",
        "FILE: mailbox 1: no_container: expected one of leave, quarantine, drop, found `keep`",
    ),
    (
        "[server]\nrole = \"work\"",
        "FILE: carrier.servers: expected the servers of the carrier where server.role is not all, found none",
    ),
    ("[server]\nrole = \"both\"", "FILE: server.role: expected one of all, intake, work, found `both`"),
    ("[carrier]\nservers = []", "FILE: carrier.servers: expected tls://host:port of each server, found none"),
    (
        "[carrier]\nservers = [\"nats://10.0.0.1:4222\"]",
        "FILE: carrier.servers: `nats://` is for a server on this machine; 10.0.0.1 is elsewhere, so expected `tls://`",
    ),
    (
        "[carrier]\nservers = [\"tls://h:1\"]\ncontract = \"carried\"",
        "FILE: carrier.monitoring: expected http://host:port of each server, found none",
    ),
    (
        "[carrier]\nservers = [\"tls://h:1\"]\nusername = \"work\"",
        "FILE: carrier.password_file: expected a file with the user's password, found none",
    ),
    (
        "[carrier]\nservers = [\"tls://h:1\"]\n[folder]\npath = \"/x\"\nname = \"carrier\"",
        "FILE: carrier.name: expected a name of its own, found \"carrier\" twice",
    ),
    (
        "[server]\nrole = \"intake\"\n[carrier]\nservers = [\"tls://h:1\"]\n[https]\nlisten = \"127.0.0.1:1\"\nsecurity = \"none\"",
        "FILE: https.document_size_max_bytes: expected at most 921600 where server.role is intake, found 5242880",
    ),
    ("[folder]\nname = \"stick\"", "FILE: key folder.path is missing"),
    ("[folder]\npath = \"transfer\"", "FILE: folder.path: expected an absolute path, found \"transfer\""),
    (
        "MAILBOX\npassword_env = \"P\"\n[folder]\nname = \"main\"\npath = \"/x\"",
        "FILE: folder.name: expected a name that no mailbox has, found \"main\"",
    ),
    (
        "[folder]\nname = \"Stick\"\npath = \"/x\"",
        "FILE: folder.name: expected 1 to 63 of a-z, 0-9, point, hyphen and _, found \"Stick\"",
    ),
    (
        "[folder]\npath = \"/x\"\nfile_size_max_bytes = 5",
        "FILE: folder.file_size_max_bytes: expected 16384 to 67108864, found 5",
    ),
    (
        "[relay]\naddress = \"centre\"\n[relay.smtp]\nhost = \"mail.example.org\"",
        "FILE: relay.address: expected the centre's own address, local@domain, found \"centre\"",
    ),
    (
        "[relay]\naddress = \"c@d\"\n[relay.smtp]\nhost = \"\"",
        "FILE: relay.smtp.host: expected a host name or address, found \"\"",
    ),
];

#[test]
fn an_empty_file_is_the_defaults() {
    let configuration = load("").unwrap();
    assert_eq!(configuration.server.http_address.to_string(), "127.0.0.1:9464");
    assert_eq!(configuration.limits, Limits::default());
    assert!(configuration.is_embedded() && configuration.mailboxes.is_empty() && configuration.relay.is_none());
}

#[test]
fn the_sample_is_valid_as_it_stands() {
    let configuration = load(SAMPLE).unwrap();
    assert_eq!((configuration.mailboxes[0].pop3.port(), configuration.mailboxes[0].poll_interval_seconds), (995, 10));
    assert_eq!(configuration.relay.unwrap().smtp.port(), 465);
}

/// Every key that the sample shows in a comment exists, and the value shown is the key's default.
#[test]
fn the_samples_comments_are_keys_with_their_defaults() {
    let optional = [
        "url",
        "url_file",
        "reader_url",
        "reader_url_file",
        "ca_file",
        "binaries_folder",
        "port",
        "password_env",
        "oauth_token_file",
        "hello_name",
        "keys_folder",
        "process_name",
    ];
    let is_default = |line: &&str| {
        let key = line.trim_start_matches('#').split(' ').next().unwrap_or_default();
        line.starts_with('#') && line.contains(" = ") && !line.starts_with("# ") && !optional.contains(&key)
    };
    let with_defaults: String = SAMPLE
        .lines()
        .map(|line| if is_default(&line) { format!("{}\n", &line[1..]) } else { format!("{line}\n") })
        .collect();
    let (plain, full) = (load(SAMPLE).unwrap(), load(&with_defaults).unwrap());
    assert_eq!(serde_json::to_value(&plain).unwrap(), serde_json::to_value(&full).unwrap());
    let all: Vec<String> = serde_json::to_value(&full.limits).unwrap().as_object().unwrap().keys().cloned().collect();
    for key in all {
        assert!(SAMPLE.contains(&format!("#{key} = ")), "{key} is missing in the sample");
    }
}

/// An older program called the limit `answers_claimed_max`. A configuration with that key must still set the limit, so that an update of
/// the program does not stop the centre.
#[test]
fn the_former_name_of_a_limit_is_still_read() {
    let [former, present] =
        ["answers_claimed_max", "answers_leased_max"].map(|key| load(&format!("[limits]\n{key} = 7")).unwrap());
    assert_eq!((former.limits.answers_leased_max, present.limits.answers_leased_max), (7, 7));
}

#[test]
fn the_samples_folder_is_valid_and_shows_the_defaults() {
    let lines = SAMPLE.lines().skip_while(|line| *line != "# [folder]").take_while(|line| !line.is_empty());
    let shown: String = lines.map(|line| format!("{}\n", &line[2..])).collect();
    let [shown, short] = [&shown, "[folder]\npath = \"/srv/transfer\""].map(|text| load(text).unwrap().folder.unwrap());
    assert_eq!(serde_json::to_value(&shown).unwrap(), serde_json::to_value(&short).unwrap());
}

#[test]
fn the_samples_intake_is_valid_and_shows_the_defaults() {
    let lines = SAMPLE.lines().skip_while(|line| *line != "# [[intake]]").take_while(|line| !line.is_empty());
    let shown: String = lines.map(|line| format!("{}\n", &line[2..])).collect();
    let relay = "[relay]\naddress = \"centre@example.org\"\n[relay.smtp]\nhost = \"mail.example.org\"\n";
    let short = "[[intake]]\nname = \"lmtp\"\n[intake.smtp]\nlisten = \"127.0.0.1:2424\"\nsecurity = \"none\"\n";
    let [shown, short] = [&shown, short].map(|text| load(&format!("{text}{relay}")).unwrap());
    assert_eq!(serde_json::to_value(&shown.intakes).unwrap(), serde_json::to_value(&short.intakes).unwrap());
    assert_eq!(short.addresses_of(&short.intakes[0]), ["centre@example.org"]);
}

#[test]
fn the_samples_https_is_valid_and_shows_the_defaults() {
    let lines = SAMPLE.lines().skip_while(|line| *line != "# [https]").take_while(|line| !line.is_empty());
    let shown: String = lines.map(|line| format!("{}\n", &line[2..])).collect();
    let short = "[https]\nlisten = \"127.0.0.1:8443\"\nsecurity = \"none\"\n";
    let [shown, short] = [&shown, short].map(|text| load(text).unwrap().https.unwrap());
    assert_eq!(serde_json::to_value(&shown).unwrap(), serde_json::to_value(&short).unwrap());
}

#[test]
fn the_samples_carrier_is_valid_and_shows_the_defaults() {
    let lines = SAMPLE.lines().skip_while(|line| *line != "# [carrier]").take_while(|line| !line.is_empty());
    let shown: String = lines.map(|line| format!("{}\n", &line[2..])).collect();
    let short = "[carrier]\nservers = [\"tls://nats-1.example.org:4222\", \"tls://nats-2.example.org:4222\", \
                 \"tls://nats-3.example.org:4222\"]\n";
    let [shown, short] = [&shown, short].map(|text| load(text).unwrap().carrier.unwrap());
    assert_eq!(shown, short);
}

#[test]
fn the_samples_kit_is_valid() {
    let lines = SAMPLE.lines().skip_while(|line| *line != "# [kit]").take_while(|line| !line.is_empty());
    let shown: String = lines.map(|line| format!("{}\n", &line[2..])).collect();
    let kit = load(&shown).unwrap().kit.unwrap();
    assert!(kit.address.is_some() && kit.pop3.is_some() && kit.smtp.is_some() && kit.https_url.is_some(), "{kit:?}");
    assert!(load("[kit]\n").unwrap().kit.is_some());
}

#[test]
fn every_mistake_gives_one_clear_sentence() {
    for (text, sentence) in MISTAKES {
        let text = text.replace("MAILBOX\n", MAILBOX);
        let problems = load(&text).expect_err(&text);
        assert_eq!(problems, [*sentence], "of {text}");
    }
}

#[test]
fn several_mistakes_are_told_at_once() {
    let problems = load("[limits]\nwriters = 0\nsending_max = 0\n[server]\ndata_folder = \"x\"").unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sources = Sources { file: Some("/nowhere/xmserver.toml".into()), data_folder: None };
    let error = Configuration::load(&sources).unwrap_err();
    assert_eq!(error.to_string(), "/nowhere/xmserver.toml: there is no such configuration file");
}

#[test]
fn a_file_in_a_data_folder_means_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("centre.toml");
    std::fs::write(&file, "[server]\nlog_level = \"warn\"").unwrap();
    let sources = Sources { file: Some(file.clone()), data_folder: None };
    let folder_of = |sources: &Sources| Configuration::load(sources).unwrap().server.data_folder;
    assert_eq!(folder_of(&sources), Path::new(DATA_FOLDER), "nothing here says that it is a data folder");
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    assert_eq!(folder_of(&sources), folder.path());
    let given = Sources { data_folder: Some("/given".into()), ..sources.clone() };
    assert_eq!(folder_of(&given), Path::new("/given"));
    std::fs::write(&file, "[server]\ndata_folder = \"/elsewhere\"").unwrap();
    assert_eq!(folder_of(&sources), Path::new("/elsewhere"));
}

#[test]
fn a_relative_data_folder_is_one_below_where_the_operator_stands() {
    let sources = Sources { file: None, data_folder: Some("centre".into()) };
    let expected = std::env::current_dir().unwrap().join("centre");
    assert_eq!(Configuration::load(&sources).unwrap().server.data_folder, expected);
}

#[test]
fn the_command_line_is_above_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), "[server]\ndata_folder = \"/elsewhere\"\nlog_level = \"warn\"")
        .unwrap();
    let sources = Sources { file: None, data_folder: Some(folder.path().to_path_buf()) };
    let configuration = Configuration::load(&sources).unwrap();
    assert_eq!(configuration.server.data_folder, folder.path());
    assert_eq!(configuration.server.log_level, "warn");
}
