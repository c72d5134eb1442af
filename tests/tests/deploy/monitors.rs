//! Alertmanager's sample, and Prometheus' configuration in compose.yaml. Rules and dashboards have tests of their own: `monitoring`.

use std::fs;

use crate::checkers::{deployed, planted, read, run};

#[test]
fn alertmanager_understands_its_sample() {
    let text = read("alertmanager/alertmanager.yml");
    let is_valid = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alertmanager.yml");
        fs::write(&file, text).unwrap();
        run("amtool", &["check-config", file.to_str().unwrap()])
    };
    let said = is_valid(&text);
    assert!(said.is_content, "{}", said.text);
    assert!(!is_valid(&planted(&text, "receiver: standby", "receiver: nobody")).is_content);
    // Each alert that is named there rings somewhere.
    let rules = read("prometheus/rules/alerts.yml");
    let named = text.split("alertname=").skip(1).flat_map(|rest| {
        let quoted = rest.split('"').nth(1).unwrap();
        quoted.split('|').map(str::to_owned).collect::<Vec<_>>()
    });
    let named: Vec<String> = named.collect();
    assert!(named.len() > 5, "{named:?}");
    for alert in named {
        assert!(rules.contains(&format!("- alert: {alert}\n")), "alertmanager.yml names {alert}: no such alert");
    }
}

#[test]
fn prometheus_understands_its_configuration_in_compose() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("rules")).unwrap();
    for rules in ["alerts.yml", "recording.yml"] {
        fs::copy(deployed("prometheus/rules").join(rules), folder.path().join("rules").join(rules)).unwrap();
    }
    let file = folder.path().join("prometheus.yml");
    let text = read("container/prometheus.yml");
    fs::write(&file, &text).unwrap();
    let said = run("promtool", &["check", "config", "--lint-fatal", file.to_str().unwrap()]);
    assert!(said.is_content, "{}", said.text);
    fs::write(&file, planted(&text, "job_name: xmserver", "job: xmserver")).unwrap();
    assert!(!run("promtool", &["check", "config", file.to_str().unwrap()]).is_content);
    // The rules expect the job's name.
    assert!(text.contains("job_name: xmserver\n"));
}
