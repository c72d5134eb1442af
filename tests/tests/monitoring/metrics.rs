//! Compares the metrics that the program shows with the ones registered in its sources and explained in OPERATIONS.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::{PREFIXES, names, operations, root};

/// A metric: its type, and the names of its labels.
#[derive(Debug, Default, PartialEq, Eq)]
struct Metric {
    kind: String,
    labels: BTreeSet<String>,
}

/// Reads metrics in the text format of Prometheus.
fn shown_metrics(text: &str) -> BTreeMap<String, Metric> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            name.clone_into(&mut current);
            metrics.insert(current.clone(), Metric { kind: kind.to_owned(), labels: BTreeSet::new() });
        } else if let (Some((_, rest)), Some(metric)) = (line.split_once('{'), metrics.get_mut(&current)) {
            let pairs = rest.split('}').next().unwrap().split("\",").filter_map(|pair| pair.split_once('='));
            metric.labels.extend(pairs.map(|(label, _)| label.to_owned()).filter(|label| label != "le"));
        }
    }
    metrics
}

/// Reads the table of metrics in OPERATIONS.md: name, type, labels, meaning.
fn documented_metrics() -> BTreeMap<String, Metric> {
    let mut metrics = BTreeMap::new();
    for line in operations().lines().filter(|line| PREFIXES.iter().any(|it| line.starts_with(&format!("| `{it}")))) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert!(cells.len() == 6 && !cells[4].is_empty(), "name, type, labels and meaning: {line}");
        let labels = cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        metrics.insert(cells[1].replace('`', ""), Metric { kind: cells[2].to_owned(), labels });
    }
    metrics
}

/// Returns the names of metrics in the sources. They are in quotes where the metrics are registered.
fn written_metrics() -> BTreeSet<String> {
    let mut written = BTreeSet::new();
    let mut folders = ["actors/src", "engine/src"].map(|source| root().join(source)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            if entry.extension().is_none_or(|kind| kind != "rs") {
                continue;
            }
            let text = fs::read_to_string(entry).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            // Metrics with `process_` are left out: the client library registers them, and other words in the sources begin with `process_`
            // too.
            let quoted = code.split('"').skip(1).filter(|text| text.starts_with("xm_") && names(text).contains(*text));
            written.extend(quoted.map(str::to_owned));
        }
    }
    assert!(written.len() > 20, "the sources' metrics are found");
    written
}

/// Compares the metrics that the program shows with documents, panels and rules.
pub fn compare(shown: &str, used: &BTreeSet<String>, rules: &[Value]) -> Vec<String> {
    let (shown, documented) = (shown_metrics(shown), documented_metrics());
    let mut breaches = Vec::new();
    for name in written_metrics().iter().filter(|name| !shown.contains_key(*name)) {
        breaches.push(format!("{name}: stands in the sources, but the running centre does not show it"));
    }
    for (name, metric) in &shown {
        match documented.get(name) {
            None => breaches.push(format!("{name}: is missing in OPERATIONS.md")),
            Some(said) if said != metric => {
                breaches.push(format!("{name}: OPERATIONS.md says {said:?}, it is {metric:?}"));
            }
            Some(_) => {}
        }
        let parts = ["", "_bucket", "_sum", "_count"].map(|part| format!("{name}{part}"));
        if !parts.iter().any(|part| used.contains(part)) {
            breaches.push(format!("{name}: no panel and no rule uses it"));
        }
    }
    for name in documented.keys().filter(|name| !shown.contains_key(*name)) {
        breaches.push(format!("{name}: stands in OPERATIONS.md, but there is no such metric"));
    }
    let of_type = |rule: &&Value| rule["type"] == "recording";
    let recorded: BTreeSet<&str> = rules.iter().filter(of_type).map(|rule| rule["name"].as_str().unwrap()).collect();
    for name in &recorded {
        if !used.contains(*name) {
            breaches.push(format!("{name}: is recorded, but no panel and no alert uses it"));
        }
    }
    for name in used {
        let is_part = |part: &str| name.strip_suffix(part).is_some_and(|whole| shown.contains_key(whole));
        let is_metric = shown.contains_key(name) || ["_bucket", "_sum", "_count"].into_iter().any(is_part);
        if !is_metric && !recorded.contains(name.as_str()) {
            breaches.push(format!("{name}: a panel or rule uses it, but there is no such metric"));
        }
    }
    breaches
}
