//! What operators watch: Prometheus' rules, Grafana's dashboards and OPERATIONS.md say the same as the program. A real
//! Prometheus watches the running centre, and every query of every panel and rule must be answered with numbers.

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
use scenarios::servers::{Prometheus, promtool, wait_within};
use scenarios::site::Site;
use scenarios::town::{CENTRE_ADDRESS, Resident, address};
use sdc::refusal::RefusalCode;
use serde_json::Value;
use simulation::dice::Dice;
use simulation::forgery;
use simulation::records::Register;

use metrics::compare;

const OFFICE: u32 = 7;
/// Letters that are accepted.
const GOOD: usize = 5;
/// Longest wait until every query is answered: rules evaluate once a second, and each builds on another.
const PATIENCE: Duration = Duration::from_secs(30);
/// Columns of Grafana's grid.
const GRID_COLUMNS: u64 = 24;
/// What the names of metrics begin with; the second is what every program shows of its process.
const PREFIXES: [&str; 2] = ["xm_", "process_"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Reads the files with an extension that lie directly in a folder of `deploy`, by path.
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

/// Fails with every breach at once.
fn demand(breaches: &[String]) {
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}

/// Returns what stands behind a key, line by line.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.trim().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": ");
    text.lines().filter_map(value).collect()
}

/// Returns the names in a query, or in a source, that begin as metrics and recording rules do.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|next: char| !next.is_ascii_alphanumeric() && next != '_' && next != ':');
    words
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)) || word.starts_with("xm:"))
        .map(str::to_owned)
        .collect()
}

/// One query of a panel.
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
        // A paragraph's anchor is its title in small letters.
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

/// A refusal that nobody is told of is no letter of a known agency. The rules name these outcomes, since Prometheus cannot know them.
#[test]
fn rules_know_which_refusals_nobody_is_told_of() {
    let rules: String = files("prometheus/rules", "yml").into_values().collect();
    let unanswered = RefusalCode::ALL.iter().filter(|code| !code.is_answered()).map(|code| code.as_str());
    let named = ["duplicate"].into_iter().chain(unanswered).collect::<Vec<_>>().join("|");
    assert_eq!(rules.matches(&format!("outcome!~\"{named}\"")).count(), 1, "letters of known agencies");
    assert_eq!(rules.matches(&format!("outcome!~\"accepted|{named}\"")).count(), 1, "those that were refused");
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

/// A centre with one office, watched.
struct Watched {
    prometheus: Prometheus,
    site: Site,
    resident: Resident,
}

impl Watched {
    fn new() -> Watched {
        let mut site = Site::found(&[address(OFFICE)], "").unwrap();
        let resident = Resident::settle(&site.engine, OFFICE).unwrap();
        site.open().unwrap();
        let prometheus = Prometheus::start(&root().join("deploy/prometheus"), site.engine.http_address()).unwrap();
        wait_within(PATIENCE, "Prometheus has seen the centre", || Ok(prometheus.query("xm:up:count")? == [1.0]))
            .unwrap();
        Watched { prometheus, site, resident }
    }

    /// Delivers good letters, one of them twice, one that is refused, one of a stranger, and a mail that is no letter.
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

    /// Waits until every query has a number, and fails with those that have none.
    fn demand_numbers(&self, mut asked: Vec<Asked>) {
        let mut said = BTreeMap::new();
        let waited = wait_within(PATIENCE, "every query has a number", || {
            asked.retain(|one| match self.prometheus.query(&one.query) {
                Ok(series) if series.iter().any(|value| !value.is_nan()) => false,
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

/// Returns the queries that must have numbers for a rule to work. An alert compares plain series with plain numbers, so that its series can
/// be asked for while it is silent.
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
    let rules = watched.prometheus.rules().unwrap();
    let panels = panels();
    let queries: Vec<&str> = panels.iter().map(|one| one.query.as_str()).collect();
    let texts = queries.into_iter().chain(rules.iter().map(|rule| rule["query"].as_str().unwrap()));
    let used: BTreeSet<String> = texts.flat_map(names).collect();
    let shown = watched.site.engine.get("/metrics");
    demand(&compare(&shown, &used, &rules));
    assert!(panels.len() > 40 && rules.len() > 20, "{} queries of panels, {} rules", panels.len(), rules.len());
    watched.demand_numbers(panels.into_iter().chain(rules.iter().flat_map(asked_by)).collect());
    let ill = |rule: &&Value| rule["health"] == "err";
    assert_eq!(watched.prometheus.rules().unwrap().iter().find(ill), None);
    let firing = watched.prometheus.query("ALERTS{alertstate=\"firing\"}").unwrap();
    assert!(firing.is_empty(), "a healthy centre rings no alarm");
    watched.site.engine.stop().unwrap();
    let prometheus = &watched.prometheus;
    wait_within(PATIENCE, "the stop is seen", || Ok(prometheus.query("xm:up:count")? == [0.0])).unwrap();
}

/// Divides a command into words, as a shell does whose only quotes are double ones.
fn words(command: &str) -> Vec<String> {
    let mut is_quoted = false;
    let is_between = |character: char| {
        is_quoted ^= character == '"';
        character == ' ' && !is_quoted
    };
    command.split(is_between).map(|word| word.replace('"', "")).collect()
}

/// What stands in backticks and begins with the program's name must be a command, down to its flags.
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
