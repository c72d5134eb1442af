//! A private Prometheus with the project's own configuration and rules, and promtool.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::daemon::Daemon;
use super::folder::Folder;
use super::port::Port;
use super::wait_until;

/// What the configuration names and a test replaces: the target, and how often it is scraped and the rules evaluated.
const TARGET: &str = "127.0.0.1:9464";
const INTERVAL: &str = "15s";
/// Longest wait for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    /// Declared first: the process ends before its port and its folder go.
    _daemon: Daemon,
    port: Port,
    folder: Folder,
}

impl Prometheus {
    /// Starts one that scrapes `target` every second, with the configuration and the rules of a folder.
    ///
    /// # Errors
    /// The configuration no longer names what is replaced here; Prometheus does not start. The latter has the end of its
    /// log.
    pub fn start(configured: &Path, target: SocketAddr) -> Result<Prometheus> {
        let folder = Folder::make("prometheus")?;
        let text = fs::read_to_string(configured.join("prometheus.yml"))?;
        ensure!(text.contains(TARGET) && text.contains(INTERVAL), "prometheus.yml names {TARGET} and {INTERVAL}");
        let rules = configured.join("rules");
        let text = text.replace(TARGET, &target.to_string()).replace(INTERVAL, "1s");
        let text = text.replace("- rules/", &format!("- {}/", rules.display()));
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

    /// Returns the series that a query answers with, each with its last value.
    ///
    /// # Errors
    /// The query is none, with Prometheus' own words.
    pub fn query(&self, query: &str) -> Result<Vec<f64>> {
        let answer = self.get(&format!("/api/v1/query?query={}", in_address(query)))?;
        let result = answer["data"]["result"].as_array().context("the query does not answer with series")?;
        let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok());
        result.iter().map(|series| value(series).context("a series has no number")).collect()
    }

    /// Returns the rules that it has read, with `name`, `type` (`recording` or `alerting`), `query` and `health`.
    ///
    /// # Errors
    /// It does not answer.
    pub fn rules(&self) -> Result<Vec<Value>> {
        let answer = self.get("/api/v1/rules")?;
        let groups = answer["data"]["groups"].as_array().context("there are no groups of rules")?;
        Ok(groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect())
    }

    /// Asks by HTTP/1.0, whose answers are not in chunks. What is no JSON is null.
    fn get(&self, path: &str) -> Result<Value> {
        let mut stream = TcpStream::connect(self.port.address())?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("Prometheus does not speak HTTP")?;
        if !head.lines().next().is_some_and(|status| status.ends_with("200 OK")) {
            bail!("{path}: {body}");
        }
        Ok(serde_json::from_str(body).unwrap_or_default())
    }
}

/// Writes a query as part of an address (RFC 3986, 2.1).
fn in_address(query: &str) -> String {
    query.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

/// Runs promtool and returns what it says.
///
/// # Errors
/// It finds something wrong; the error has its words.
pub fn promtool(arguments: &[&str]) -> Result<String> {
    let output = Command::new("promtool").args(arguments).output().context("starting promtool")?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "promtool {arguments:?}: {said}");
    Ok(said)
}
