//! A private Prometheus with the project's own configuration and rules, and promtool.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use simulation::process;

use super::Port;
use super::daemon::Daemon;
use super::folder::Folder;
use super::wait_until;

/// The target in the shipped configuration. A test replaces it.
const TARGET: &str = "127.0.0.1:9464";
/// The scrape interval in the shipped configuration. A test replaces it.
const SCRAPE: &str = "scrape_interval: 15s";
/// The evaluation interval in the shipped configuration. A test replaces it.
const EVALUATION: &str = "evaluation_interval: 15s";
/// The office hours in the shipped rules, which operators adapt.
const OFFICE_HOURS: &str =
    "(day_of_week() >= bool 1) * (day_of_week() <= bool 5) * (hour() >= bool 8) * (hour() < bool 16)";
/// Longest wait for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    /// The process. Rust drops fields in their order. This one stands first, so that the process ends before its port and folder are
    /// released.
    _daemon: Daemon,
    port: Port,
    folder: Folder,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes `target` every second, with the configuration and the rules of a folder.
    ///
    /// # Errors
    /// The configuration does not contain a text that must be replaced, or Prometheus does not start; then the error has the end of its
    /// log.
    pub fn start(configured: &Path, target: SocketAddr) -> Result<Prometheus> {
        let rules = configured.join("rules");
        Prometheus::start_with(configured, &[target], "1s", |_| Ok(rules))
    }

    /// Starts a Prometheus for which time passes `factor` times as fast. Every duration in the rules is divided by `factor`, and so is
    /// every number of seconds with which an alert compares a series. Besides, all hours become office hours, because some alerts are
    /// silent outside of them. Nothing else is changed.
    ///
    /// # Errors
    /// As [`Prometheus::start`]; or the rules do not contain the office hours that are replaced here.
    pub fn start_in_a_hurry(configured: &Path, targets: &[SocketAddr], factor: u64) -> Result<Prometheus> {
        // The scrape interval is not divided by `factor`, since a scrape must be answered before the next one begins, and on a busy machine
        // an answer may take half a second. That is often enough: several scrapes lie in the shortest range that a rule looks at.
        Prometheus::start_with(configured, targets, "500ms", |folder| {
            folder.subfolder("rules", 0o755, None)?;
            let mut has_hours = false;
            for entry in fs::read_dir(configured.join("rules"))? {
                let entry = entry?;
                let text = fs::read_to_string(entry.path())?;
                has_hours |= text.contains(OFFICE_HOURS);
                let text = in_a_hurry(&text, factor)?.replace(OFFICE_HOURS, "vector(1)");
                folder.write(&format!("rules/{}", entry.file_name().to_string_lossy()), &text)?;
            }
            ensure!(has_hours, "the rules tell the office hours as {OFFICE_HOURS}");
            Ok(folder.path().join("rules"))
        })
    }

    fn start_with(
        configured: &Path,
        targets: &[SocketAddr],
        interval: &str,
        rules: impl FnOnce(&Folder) -> Result<PathBuf>,
    ) -> Result<Prometheus> {
        let folder = Folder::make("prometheus")?;
        let mut text = fs::read_to_string(configured.join("prometheus.yml"))?;
        let targets: Vec<String> = targets.iter().map(SocketAddr::to_string).collect();
        let rules = format!("- {}/", rules(&folder)?.display());
        for (named, replaced) in [
            (TARGET, targets.join("\", \"")),
            (SCRAPE, SCRAPE.replace("15s", interval)),
            (EVALUATION, EVALUATION.replace("15s", interval)),
            ("- rules/", rules),
        ] {
            ensure!(text.contains(named), "prometheus.yml names {named}");
            text = text.replace(named, &replaced);
        }
        let configuration = folder.write("prometheus.yml", &text)?;
        let port = Port::hold()?;
        let arguments = [
            format!("--config.file={}", configuration.display()),
            format!("--storage.tsdb.path={}", folder.path().join("data").display()),
            format!("--web.listen-address={}", port.address()),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let daemon = Daemon::start("prometheus", &arguments, &folder)?;
        let started = Prometheus { _daemon: daemon, port, folder };
        let ready = wait_until("Prometheus is ready", || Ok(started.get("/-/ready").is_ok()));
        ready.with_context(|| format!("the end of its log:\n{}", started.folder.tail_of_log()))?;
        Ok(started)
    }

    /// Returns the last value of each series in the result of a query.
    ///
    /// # Errors
    /// The query is not valid; the error contains Prometheus' message.
    pub fn query(&self, query: &str) -> Result<Vec<f64>> {
        let answer = self.get(&format!("/api/v1/query?query={}", in_address(query)))?;
        let result = answer["data"]["result"].as_array().context("the query does not answer with series")?;
        let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok());
        result.iter().map(|series| value(series).context("a series has no number")).collect()
    }

    /// Returns the names of the alerts that have fired at any time within this time before now.
    ///
    /// # Errors
    /// Prometheus does not answer.
    pub fn rung_within(&self, time: Duration) -> Result<BTreeSet<String>> {
        let query = format!("last_over_time(ALERTS{{alertstate=\"firing\"}}[{}ms])", time.as_millis().max(1));
        let answer = self.get(&format!("/api/v1/query?query={}", in_address(&query)))?;
        let result = answer["data"]["result"].as_array().context("the query does not answer with series")?;
        let name = |series: &Value| series["metric"]["alertname"].as_str().map(str::to_owned);
        result.iter().map(|series| name(series).context("an alert has no name")).collect()
    }

    /// Returns the rules that Prometheus has loaded, with `name`, `type` (`recording` or `alerting`), `query` and `health`.
    ///
    /// # Errors
    /// Prometheus does not answer.
    pub fn rules(&self) -> Result<Vec<Value>> {
        let answer = self.get("/api/v1/rules")?;
        let groups = answer["data"]["groups"].as_array().context("there are no groups of rules")?;
        Ok(groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect())
    }

    /// Sends a request by HTTP/1.0: by HTTP/1.1 the answer could come in chunks, which this client cannot read. An answer that is not JSON
    /// becomes null.
    fn get(&self, path: &str) -> Result<Value> {
        let answer = process::ask(self.port.address(), &format!("GET {path} HTTP/1.0\r\n\r\n"), ANSWER_WAIT)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("Prometheus does not speak HTTP")?;
        if !head.lines().next().is_some_and(|status| status.ends_with("200 OK")) {
            bail!("{path}: {body}");
        }
        Ok(serde_json::from_str(body).unwrap_or_default())
    }
}

/// Divides every duration in a file of rules by `factor`: after `for:`, in brackets, and where a series of seconds is compared with a
/// number.
fn in_a_hurry(rules: &str, factor: u64) -> Result<String> {
    let mut hurried = String::with_capacity(rules.len());
    for line in rules.lines() {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        hurried.push_str(indent);
        if let Some(duration) = rest.strip_prefix("for: ") {
            hurried.push_str(&format!("for: {}", divided(duration, factor)?));
        } else if let Some(query) = rest.strip_prefix("expr: ") {
            hurried.push_str("expr: ");
            let mut parts = query.split('[');
            hurried.push_str(parts.next().unwrap_or_default());
            for part in parts {
                let (duration, rest) = part.split_once(']').context("a bracket is not closed")?;
                hurried.push_str(&format!("[{}]{rest}", divided(duration, factor)?));
            }
            if let [series, sign @ ("<" | ">"), seconds] = query.split(' ').collect::<Vec<_>>()[..]
                && series.contains("_seconds:")
            {
                hurried.truncate(hurried.len() - query.len());
                hurried.push_str(&format!("{series} {sign} {}", seconds.parse::<f64>()? / factor as f64));
            }
        } else {
            hurried.push_str(rest);
        }
        hurried.push('\n');
    }
    Ok(hurried)
}

/// Divides a duration such as `15m`.
fn divided(duration: &str, factor: u64) -> Result<String> {
    let unit = duration.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let number: u64 = duration.strip_suffix(unit).unwrap_or_default().parse().with_context(|| duration.to_owned())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => bail!("{duration} has a unit that nobody divides"),
    };
    Ok(format!("{}ms", number * seconds * 1000 / factor))
}

/// Percent-encodes a query for use in a URL (RFC 3986, 2.1).
fn in_address(query: &str) -> String {
    query.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

/// Runs promtool and returns its output.
///
/// # Errors
/// promtool reports a problem; the error contains its output.
pub fn promtool(arguments: &[&str]) -> Result<String> {
    let output = Command::new("promtool").args(arguments).output().context("starting promtool")?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "promtool {arguments:?}: {said}");
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_divided_and_nothing_else() {
        let rules = "      - alert: A
        expr: xm:oldest_seconds:max > 1800
        for: 1h
      - record: b
        expr: rate(a[5m]) * max_over_time(c{for=\"7d\"}[2h]) > 60 # 10m
      - alert: C
        expr: xm:letters:increase2h < 1 and xm:mails:max > 500
        labels:
          summary: \"over 15m\"
";
        let hurried = rules
            .replace("1800", "20")
            .replace("for: 1h", "for: 40000ms")
            .replace("[5m]", "[3333ms]")
            .replace("[2h]", "[80000ms]");
        assert_eq!(in_a_hurry(rules, 90).unwrap(), hurried);
        in_a_hurry("expr: rate(a[1w])", 90).unwrap_err();
        in_a_hurry("for: soon", 90).unwrap_err();
    }
}
