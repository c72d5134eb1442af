//! The images, and the whole centre of compose.yaml. `make container-test` runs it where there is a Docker engine.

use std::fs;

use serde_json::Value;

use crate::checkers::{are_there, configuration, deployed, planted, read, root, run, stop_seconds_max, yaml};

const COMPOSE: &str = "compose.yaml";

/// Says whether the specification of Compose admits a file, and what it says otherwise. Merged keys are resolved first: they are YAML's.
fn is_valid(text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compose.json");
    fs::write(&file, yaml(text)[0].to_string()).unwrap();
    let program = "import sys; from compose_spec import PyCompose; PyCompose.from_yaml(open(sys.argv[1]).read())";
    let said = run("python3", &["-c", program, file.to_str().unwrap()]);
    (said.is_content, said.text)
}

#[test]
fn the_file_is_what_compose_expects() {
    if !are_there() {
        return;
    }
    let text = read(COMPOSE);
    let (is_content, said) = is_valid(&text);
    assert!(is_content, "{said}");
    for (from, to) in [("restart: always", "restrat: always"), ("condition: service_started", "condition: soon")] {
        assert!(!is_valid(&planted(&text, from, to)).0, "{to} is not seen");
    }
}

#[test]
fn services_are_what_the_configuration_expects() {
    if !are_there() {
        return;
    }
    let compose = &yaml(&read(COMPOSE))[0];
    let configuration = configuration("container/xmserver.toml");
    let services = compose["services"].as_object().unwrap();
    let replicas: Vec<_> = services.iter().filter(|(name, _)| name.starts_with("replica-")).collect();
    assert_eq!(replicas.len(), 3);
    for (name, replica) in replicas {
        assert_eq!(replica["environment"]["XMSERVER_SERVER__PROCESS_NAME"], name.as_str());
        assert_eq!(replica["networks"]["centre"]["aliases"][0], format!("{name}.example.org"));
        assert_eq!((&replica["read_only"], &replica["cap_drop"][0]), (&Value::Bool(true), &Value::from("ALL")));
        let grace = replica["stop_grace_period"].as_str().unwrap().strip_suffix('s').unwrap().parse::<u64>().unwrap();
        assert!(grace > stop_seconds_max(&configuration) + 10, "{name} is killed while it drains");
    }
    for (name, service) in services {
        let is_further = name.starts_with("nats") || name == "grafana";
        assert_eq!(service["profiles"].is_array(), is_further, "{name}: starts by itself, or not");
        // Each file that is mounted is there.
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(!from.starts_with('.') || deployed(from).exists(), "{name}: {from} is not there");
        }
        // Each published port is of this machine only.
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}

#[test]
fn images_are_built_with_care() {
    if !are_there() {
        return;
    }
    let own = root().join("Dockerfile");
    for file in [own.clone(), deployed("container/services.Dockerfile")] {
        let said = run("hadolint", &[file.to_str().unwrap()]);
        assert!(said.is_content, "{}", said.text);
    }
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("Dockerfile");
    let text = fs::read_to_string(own).unwrap();
    fs::write(&bad, planted(&text, "FROM debian:trixie-slim", "FROM debian:latest")).unwrap();
    let said = run("hadolint", &[bad.to_str().unwrap()]);
    assert!(!said.is_content && said.text.contains("DL3007"), "{}", said.text);
    assert!(text.contains("\nUSER 10001:10001\n"), "the program is not root");
    assert!(text.contains("--no-default-features"), "the image has no simulator");
}
