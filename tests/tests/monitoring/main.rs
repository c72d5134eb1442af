//! Tests that the rules of Prometheus, the dashboards of Grafana and OPERATIONS.md match the program. A real Prometheus watches a running
//! centre, and every query of every panel and rule must return numbers.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agency::identity::{Algorithm, Identity};
use clap::Parser;
use clap::error::ErrorKind;
use engine::command::CommandLine;
use scenarios::database::OwnDatabase;
use scenarios::servers::{Port, Prometheus, promtool, wait_within};
use scenarios::site::Site;
use scenarios::town::{CENTRE_ADDRESS, Resident, address, let_read};
use sdc::refusal::RefusalCode;
use sdc::request::{Recharge, Request, VoucherCode};
use serde_json::Value;
use simulation::dice::Dice;
use simulation::forgery;
use simulation::records::Register;
use tokio::runtime::Runtime;

use metrics::compare;

const OFFICE: u32 = 7;
/// Statement that inserts a polling station. The station sends nothing in this test.
const STATION: &str = r#"INSERT INTO election."BureauVote" ("Status", "ElectionCode", "BureauCode", "Libelle", "Region", "Inscrits")
    VALUES (2, 'PR26', 'B1', 'École', 'Littoral', 300)"#;
/// Statements that insert everything that can wait for a person (held letters, a flag, an approval, requests of an office), and an account
/// with a debt and a voucher, so that the gauges of these have values.
const WAITING: &str = "
    INSERT INTO xm.held (agency, letter_id, attempt, installation, service, code, checks, tables, is_of_results, received_at,
                         held_at, transport, mailbox, sender_domain, original)
    SELECT 7, gen_random_uuid(), 1, 'main', 'export', code, '[]', '{}', code = 'check', now(), now(), 'mail', 'main', 'example.org', ''
      FROM unnest('{check,approval}'::text[]) AS code;
    INSERT INTO xm.flags (agency, letter_id, table_id, check_code, unjudged, rows, rows_total, flagged_at)
    VALUES (7, gen_random_uuid(), 1, 'votes', false, '[]', 1, now());
    INSERT INTO xm.approvals (operation, parameters, seen, needs_commission, asked_by, asker_is_commission, expires_at)
    SELECT 'agency.recharge', '{}', '{}', false, min(name), false, now() + interval '1 day' FROM xm.users;
    INSERT INTO xm.recharge_tries (agency, wrong, since, locked_until) VALUES (7, 0, now(), now() + interval '1 day');
    INSERT INTO xm.profile_changes (agency, installation, letter_id, change, former, asked_at, state)
    VALUES (7, 'main', gen_random_uuid(), '{\"town\": \"x\"}', '{}', now(), 'waiting');
    INSERT INTO xm.messages (agency, id, thread, installation, text, written_at)
    VALUES (7, gen_random_uuid(), gen_random_uuid(), 'main', 'x', now());
    INSERT INTO xm.enrolment_codes (agency, is_further, made_by, expires_at, failures, locked_at)
    VALUES (7, true, 'x', now() + interval '1 day', 5, now());
    INSERT INTO xm.agencies (matricule, name, email) VALUES (8, 'b', 'b@example.org');
    INSERT INTO xm.accounts (agency, kind) VALUES (8, 'agency');
    INSERT INTO xm.entries (debit, credit, amount, kind, agency, balance_after)
    SELECT a.id, r.id, 5, 'manual', 8, -5 FROM xm.accounts a, xm.accounts r WHERE a.agency = 8 AND r.kind = 'income' AND r.agency IS NULL;
    UPDATE xm.accounts SET balance = -5 WHERE agency = 8;
    INSERT INTO xm.voucher_batches (vouchers, amount, expires_at, made_by, written_by, written_at)
    VALUES (1, 500, now() + interval '1 day', 'x', 'x', now());
    INSERT INTO xm.vouchers (mac, batch, number) SELECT decode(repeat('90', 32), 'hex'), max(id), 1 FROM xm.voucher_batches";
/// `MOVED` has the dashboards about things that the test does: every query in them must return a number other than 0. `UNMOVED` has the
/// exceptions: queries in these dashboards about things that the test does not do.
const MOVED: [&str; 3] = ["reads.json", "people.json", "money.json"];
const UNMOVED: [&str; 5] = [
    "sum(xm_reads_waiting)",
    "sum(xm_actor_mailbox_depth{actor=\"record_reader\"})",
    "xm:ledger_difference:max",
    "sum(rate(xm_letters_total{outcome=\"held\"}[5m])) * 3600",
    "sum(rate(xm_letters_total{outcome=\"insufficient_credit\"}[5m])) * 3600",
];
/// Number of letters that the centre accepts.
const GOOD: usize = 5;
/// Longest wait until every query is answered: rules are evaluated once a second, and a rule may need the result of another.
const PATIENCE: Duration = Duration::from_secs(30);
/// Number of columns in Grafana's grid.
const GRID_COLUMNS: u64 = 24;
/// Prefixes of metric names. Metrics with `process_` are about the program's process.
const PREFIXES: [&str; 2] = ["xm_", "process_"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Reads the files with the extension `kind` that are directly in a folder of `deploy`, by path.
fn files(folder: &str, kind: &str) -> BTreeMap<PathBuf, String> {
    let entries = fs::read_dir(root().join("deploy").join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let of_kind = entries.filter(|path| path.extension().is_some_and(|extension| extension == kind));
    let read: BTreeMap<_, _> = of_kind.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    assert!(!read.is_empty(), "deploy/{folder} has files");
    read
}

fn operations() -> String {
    fs::read_to_string(root().join("OPERATIONS.md")).unwrap()
}

/// Fails if there are breaches, and prints all of them.
fn demand(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

/// Returns the values of a key in a YAML text, line by line.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.trim().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": ");
    text.lines().filter_map(value).collect()
}

/// Returns the names in a query or a source that begin like the names of metrics and recording rules.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|next: char| !next.is_ascii_alphanumeric() && next != '_' && next != ':');
    words
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)) || word.starts_with("xm:"))
        .map(str::to_owned)
        .collect()
}

/// One query of a panel or a rule, and the place where it is written.
struct Asked {
    place: String,
    query: String,
}

fn panels() -> Vec<Asked> {
    let mut asked = Vec::new();
    for (path, text) in files("grafana/dashboards", "json") {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let file = path.file_name().unwrap().display();
                let place = format!("{file}: {}", panel["title"].as_str().unwrap());
                asked.push(Asked { place, query: target["expr"].as_str().unwrap().to_owned() });
            }
        }
    }
    asked
}

#[test]
fn every_alert_is_tested_and_has_its_paragraph() {
    let configuration = root().join("deploy/prometheus/prometheus.yml");
    promtool(&["check", "config", "--lint-fatal", configuration.to_str().unwrap()]).unwrap();
    let (mut silent, mut loud) = (BTreeSet::new(), BTreeSet::new());
    for (path, text) in files("prometheus/tests", "yml") {
        promtool(&["test", "rules", path.to_str().unwrap()]).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let Some(alert) = pair[0].strip_prefix("alertname: ") else { continue };
            assert!(pair[1].starts_with("exp_alerts:"), "{alert}: what is expected follows its name");
            let heard = if pair[1] == "exp_alerts: []" { &mut silent } else { &mut loud };
            heard.insert(alert.to_owned());
        }
    }
    let operations = operations();
    let (_, paragraphs) = operations.split_once("\n## Alerts\n").unwrap();
    let paragraphs = paragraphs.split("\n## ").next().unwrap();
    let explained: BTreeSet<&str> = paragraphs.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let rules: String = files("prometheus/rules", "yml").into_values().collect();
    let alerts: BTreeSet<&str> = values(&rules, "alert").into_iter().collect();
    assert!(alerts.len() >= 8, "the rules' alerts are found");
    let mut breaches = Vec::new();
    for alert in &alerts {
        if !silent.contains(*alert) {
            breaches.push(format!("{alert}: no test in deploy/prometheus/tests in which it stays silent"));
        }
        if !loud.contains(*alert) {
            breaches.push(format!("{alert}: no test in deploy/prometheus/tests that fires it"));
        }
        if !explained.contains(alert) {
            breaches.push(format!("{alert}: no paragraph `### {alert}` in OPERATIONS.md"));
        }
        // The anchor of a paragraph in OPERATIONS.md is its title in lower case.
        if !rules.contains(&format!("/OPERATIONS.md#{}\"", alert.to_lowercase())) {
            breaches.push(format!("{alert}: its runbook_url does not lead to its paragraph"));
        }
    }
    let urls = values(&rules, "runbook_url").len();
    if urls != alerts.len() {
        breaches.push(format!("{} alerts have {urls} addresses of runbooks", alerts.len()));
    }
    breaches.extend(explained.difference(&alerts).map(|gone| format!("OPERATIONS.md explains {gone}: no such alert")));
    demand(&breaches);
}

/// Some refusals are never answered, because no registered key signed the letter. The rules treat them apart. Metrics do not say which
/// outcomes these are, so the rules list them, and the list must be that of the program.
#[test]
fn rules_know_which_refusals_nobody_is_told_of() {
    let rules: String = files("prometheus/rules", "yml").into_values().collect();
    let unanswered = RefusalCode::ALL.iter().filter(|code| !code.is_answered()).map(|code| code.as_str());
    let named = ["duplicate"].into_iter().chain(unanswered).collect::<Vec<_>>().join("|");
    assert_eq!(rules.matches(&format!("outcome!~\"{named}\"")).count(), 1, "letters of known agencies");
    // This rule is about refused letters. A held letter is not decided yet, so the rule leaves out `held` as well.
    let decided = named.replacen("duplicate", "accepted|duplicate|held", 1);
    assert_eq!(rules.matches(&format!("outcome!~\"{decided}\"")).count(), 1, "those that were refused");
}

#[test]
fn dashboards_are_whole() {
    let (mut breaches, mut uids) = (Vec::new(), BTreeSet::new());
    for (path, text) in files("grafana/dashboards", "json") {
        let file = path.file_name().unwrap().display();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        if !uids.insert(dashboard["uid"].as_str().unwrap().to_owned()) {
            breaches.push(format!("{file}: another dashboard has its uid"));
        }
        if !dashboard["title"].as_str().unwrap().contains(" / ") {
            breaches.push(format!("{file}: the title is English / French"));
        }
        if dashboard["templating"]["list"][0]["type"] != "datasource" {
            breaches.push(format!("{file}: no variable for the data source"));
        }
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeMap::new());
        for panel in dashboard["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap_or_default().to_owned();
            let mut breach = |what: &str| breaches.push(format!("{file}: {title}: {what}"));
            if !ids.insert(panel["id"].as_u64().unwrap()) {
                breach("another panel has its id");
            }
            for (what, value) in [
                ("title", &panel["title"]),
                ("description", &panel["description"]),
                ("unit", &panel["fieldConfig"]["defaults"]["unit"]),
            ] {
                if value.as_str().is_none_or(str::is_empty) {
                    breach(&format!("has no {what}"));
                }
            }
            if panel["datasource"]["uid"] != "${datasource}" {
                breach("does not ask the chosen data source");
            }
            let targets = panel["targets"].as_array().unwrap();
            let has_legend = |target: &Value| target["legendFormat"].as_str().is_some_and(|text| !text.is_empty());
            if targets.is_empty() || !targets.iter().all(has_legend) {
                breach("has no query, or one without legend");
            }
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            if w == 0 || h == 0 || x + w > GRID_COLUMNS {
                breach("does not fit into the grid");
            }
            for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
                if let Some(other) = taken.insert(cell, title.clone()) {
                    breach(&format!("lies over {other}"));
                    break;
                }
            }
        }
    }
    demand(&breaches);
}

/// A centre with one office, and the Prometheus that watches it.
struct Watched {
    prometheus: Prometheus,
    site: Site,
    resident: Resident,
    _intake: Port,
    _database: OwnDatabase,
    _runtime: Runtime,
}

impl Watched {
    fn new() -> Watched {
        let runtime = Runtime::new().unwrap();
        let database = OwnDatabase::start(&runtime).unwrap();
        let intake = Port::hold().unwrap();
        let further = format!(
            "{}[[intake]]\nname = \"lmtp\"\n[intake.smtp]\nlisten = \"{}\"\nsecurity = \"none\"\n",
            database.configured(),
            intake.address()
        );
        let mut site = Site::found(&[address(OFFICE)], &further).unwrap();
        site.engine.operate(&["sample", "restore", "election"]).unwrap();
        database.run(&runtime, STATION).unwrap();
        let resident = Resident::settle(&site.engine, OFFICE).unwrap();
        let_read(&site.engine).unwrap();
        site.engine.operate(&["agency", "recharge", &OFFICE.to_string(), "500000"]).unwrap();
        database.run(&runtime, WAITING).unwrap();
        site.open().unwrap();
        let prometheus = Prometheus::start(&root().join("deploy/prometheus"), site.engine.http_address()).unwrap();
        wait_within(PATIENCE, "Prometheus has seen the centre", || Ok(prometheus.query("xm:up:count")? == [1.0]))
            .unwrap();
        Watched { prometheus, site, resident, _intake: intake, _database: database, _runtime: runtime }
    }

    /// Lets the office send an import, a certification and an invalid voucher code twice: first without a quota, so that records are read,
    /// then with a quota of 0, so that they are refused.
    fn read_back(&mut self) {
        for acts in ["none", "0"] {
            self.site.engine.operate(&["plan", "edit", "standard", "--acts-per-day", acts]).unwrap();
            let code = Request::Recharge(Recharge { code: VoucherCode::with_check_digit("000000000000000") });
            let resident = &mut self.resident;
            for mail in [resident.import().unwrap(), resident.certify().unwrap(), resident.ask(code).unwrap()] {
                self.site.dovecot.deliver(CENTRE_ADDRESS, &mail.render().unwrap()).unwrap();
            }
            let Site { engine, dovecot, .. } = &mut self.site;
            let resident = &mut self.resident;
            engine
                .wait_until("every read is answered", |_| {
                    resident.read(dovecot.mails(&address(OFFICE))?)?;
                    Ok(resident.is_answered() && dovecot.count(CENTRE_ADDRESS) == 0)
                })
                .unwrap();
        }
    }

    /// Delivers good letters, one of them twice, a letter that is refused, a letter of a stranger, and a mail without a container.
    fn receive(&mut self) {
        let deliver = |mail: &[u8]| self.site.dovecot.deliver(CENTRE_ADDRESS, mail).unwrap();
        for number in 0..GOOD {
            let (_, mail) = self.resident.write().unwrap();
            let mail = mail.render().unwrap();
            deliver(&mail);
            if number == 0 {
                deliver(&mail);
            }
        }
        let office = &mut self.resident.office;
        let births = |scope: &str| Register::new(scope).births(1, &mut Dice::of(9, 9));
        let abroad = office.pack(births("C8")).unwrap();
        self.resident.letters.insert(abroad.digest, None);
        deliver(&office.mail(&abroad).render().unwrap());
        let letter = office.compose(births("C7")).unwrap();
        let forger = Identity::generate("office 7", Algorithm::P256).unwrap();
        let forged = forgery::sealed(office, &letter, &forger).unwrap();
        deliver(&office.mail_of("forged", &forged).render().unwrap());
        deliver(b"From: x@example.org\r\nTo: centre@example.org\r\nSubject: offre\r\n\r\nBonjour\r\n");
        let Site { engine, dovecot, .. } = &mut self.site;
        let resident = &mut self.resident;
        engine
            .wait_until("every letter is answered", |_| {
                resident.read(dovecot.mails(&address(OFFICE))?)?;
                Ok(resident.is_answered() && dovecot.count(CENTRE_ADDRESS) == 0)
            })
            .unwrap();
        for (outcome, letters) in
            [("accepted", GOOD), ("duplicate", 1), ("out_of_scope", 1), ("unknown_signer", 1), ("no_container", 1)]
        {
            let found = engine.metric(&format!("xm_letters_total{{outcome=\"{outcome}\"}}"));
            assert!((found - letters as f64).abs() < f64::EPSILON, "{outcome}: {found}");
        }
    }

    /// Waits until every query returns at least one number that `is_one` accepts. Fails with the list of the queries that do not.
    fn demand_numbers(&self, mut asked: Vec<Asked>, is_one: impl Fn(f64) -> bool) {
        let mut said = BTreeMap::new();
        let waited = wait_within(PATIENCE, "every query has a number", || {
            asked.retain(|one| match self.prometheus.query(&one.query) {
                Ok(series) if series.iter().any(|value| is_one(*value)) => false,
                Ok(series) => {
                    said.insert(one.query.clone(), format!("{} series, no number", series.len()));
                    true
                }
                Err(error) => {
                    said.insert(one.query.clone(), format!("{error:#}"));
                    true
                }
            });
            Ok(asked.is_empty())
        });
        let breaches: Vec<String> =
            asked.iter().map(|one| format!("{}: {}: {}", one.place, one.query, said[&one.query])).collect();
        demand(&breaches);
        waited.unwrap();
    }
}

/// Returns the queries that must return numbers for a rule to work. The query of an alert compares a series with a number, and returns
/// nothing while the alert does not fire. So what is asked is the series alone.
fn asked_by(rule: &Value) -> Vec<Asked> {
    let (name, query) = (rule["name"].as_str().unwrap(), rule["query"].as_str().unwrap());
    let ask = |query: &str| Asked { place: format!("rule {name}"), query: query.to_owned() };
    if rule["type"] == "recording" {
        return vec![ask(query), ask(name)];
    }
    let side = |part: &str| {
        let (series, threshold) = part.rsplit_once(' ').unwrap();
        assert!(threshold.parse::<f64>().is_ok(), "{name}: {part} compares with a number");
        let (series, sign) = series.rsplit_once(' ').unwrap();
        assert!([">", "<"].contains(&sign) && series.starts_with("xm:"), "{name}: {part} compares a recorded series");
        ask(series)
    };
    query.split(" and ").map(side).collect()
}

#[test]
fn every_panel_and_rule_has_numbers_and_every_metric_is_documented_and_used() {
    let mut watched = Watched::new();
    watched.receive();
    watched.read_back();
    let rules = watched.prometheus.rules().unwrap();
    let (panels, of_boards) = (panels(), panels().into_iter());
    let queries: Vec<&str> = panels.iter().map(|one| one.query.as_str()).collect();
    let texts = queries.into_iter().chain(rules.iter().map(|rule| rule["query"].as_str().unwrap()));
    let used: BTreeSet<String> = texts.flat_map(names).collect();
    let shown = watched.site.engine.get("/metrics");
    demand(&compare(&shown, &used, &rules));
    assert!(panels.len() > 40 && rules.len() > 20, "{} queries of panels, {} rules", panels.len(), rules.len());
    watched
        .demand_numbers(panels.into_iter().chain(rules.iter().flat_map(asked_by)).collect(), |value| !value.is_nan());
    let of_boards = of_boards.filter(|one| MOVED.iter().any(|board| one.place.starts_with(board)));
    let (still, moved): (Vec<Asked>, Vec<Asked>) = of_boards.partition(|one| UNMOVED.contains(&one.query.as_str()));
    assert_eq!(still.len(), UNMOVED.len(), "queries of what was not done");
    watched.demand_numbers(moved, |value| value.is_normal());
    let ill = |rule: &&Value| rule["health"] == "err";
    assert_eq!(watched.prometheus.rules().unwrap().iter().find(ill), None);
    let firing = watched.prometheus.query("ALERTS{alertstate=\"firing\"}").unwrap();
    assert!(firing.is_empty(), "a healthy centre rings no alarm");
    watched.site.engine.stop().unwrap();
    let prometheus = &watched.prometheus;
    wait_within(PATIENCE, "the stop is seen", || Ok(prometheus.query("xm:up:count")? == [0.0])).unwrap();
}

/// Splits a command into words, like a shell that supports only double quotes.
fn words(command: &str) -> Vec<String> {
    let mut is_quoted = false;
    let is_between = |character: char| {
        is_quoted ^= character == '"';
        character == ' ' && !is_quoted
    };
    command.split(is_between).map(|word| word.replace('"', "")).collect()
}

/// Each text in backticks that begins with the program's name must be an existing command with existing flags.
#[test]
fn every_command_of_the_document_is_one() {
    let operations = operations();
    let quoted = operations.split('`').skip(1).step_by(2);
    let commands: BTreeSet<&str> = quoted.filter(|text| text.starts_with("xmserver ")).collect();
    assert!(commands.len() > 10, "the document's commands are found");
    let mut breaches = Vec::new();
    for command in commands {
        if let Err(error) = CommandLine::try_parse_from(words(command))
            && error.kind() != ErrorKind::DisplayHelp
        {
            breaches.push(format!("`{command}`: {error}"));
        }
    }
    demand(&breaches);
}
