//! The samples for PostgreSQL and NATS, as Patroni and nats-server read them. The scenario `carrier` runs the centre with the latter.

use std::fs;
use std::net::TcpListener;

use rcgen::generate_simple_self_signed;

use crate::checkers::{Said, are_there, planted, read, run, run_with};

/// Has Patroni read a text in which the names of machines are addresses of this one.
fn patroni(text: &str) -> Said {
    let etcd = TcpListener::bind("127.0.0.2:0").unwrap();
    let mut text = text.replace("db1.example.org", "127.0.0.2");
    for machine in 1..=3 {
        text = text.replace(&format!("etcd{machine}.example.org:2379"), &etcd.local_addr().unwrap().to_string());
    }
    assert!(!text.contains("etcd1."), "the sample names its etcd as etcd1.example.org:2379");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("patroni.yml");
    fs::write(&file, text).unwrap();
    run("patroni", &["--validate-config", file.to_str().unwrap()])
}

#[test]
fn patroni_understands_its_template() {
    if !are_there() {
        return;
    }
    let text = read("postgresql/patroni.yml");
    let said = patroni(&text);
    assert!(said.is_content, "{}", said.text);
    for (from, to) in [("mode: automatic", "mode: automatik"), ("ttl: 30", "ttl: soon")] {
        assert!(!patroni(&planted(&text, from, to)).is_content, "{to} is not seen");
    }
    // Without these a failover may lose letters that were answered.
    for line in ["synchronous_mode: true", "synchronous_mode_strict: true", "use_pg_rewind: true"] {
        assert!(text.lines().any(|own| own.trim() == line), "no {line}");
    }
}

fn nats(text: &str) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let made = generate_simple_self_signed(vec!["nats-1".to_owned()]).unwrap();
    let files = [
        ("server.crt", made.cert.pem()),
        ("ca.crt", made.cert.pem()),
        ("server.key", made.signing_key.serialize_pem()),
    ];
    for (name, pem) in files {
        fs::write(folder.path().join(name), pem).unwrap();
    }
    let file = folder.path().join("nats.conf");
    let own = format!("{}/", folder.path().display());
    assert!(text.contains("/run/secrets/nats/"), "the sample names its certificates elsewhere");
    fs::write(&file, text.replace("/run/secrets/nats/", &own)).unwrap();
    let variables = [
        ("XM_NATS_NAME", "nats-1"),
        ("XM_NATS_ROUTE_1", "nats://routes:a@nats-1:6222"),
        ("XM_NATS_ROUTE_2", "nats://routes:a@nats-2:6222"),
        ("XM_NATS_ROUTE_3", "nats://routes:a@nats-3:6222"),
        ("XM_NATS_ROUTES_PASSWORD", "a"),
        ("XM_NATS_INTAKE_PASSWORD", "b"),
        ("XM_NATS_WORK_PASSWORD", "c"),
    ];
    run_with("nats-server", &["-t", "-c", file.to_str().unwrap()], &variables)
}

#[test]
fn nats_understands_its_sample() {
    if !are_there() {
        return;
    }
    let text = read("nats/nats.conf");
    let said = nats(&text);
    assert!(said.is_content && said.text.contains("is valid"), "{}", said.text);
    for (from, to) in [("max_payload", "max_payloads"), ("sync_interval: always", "sync_interval: never")] {
        assert!(!nats(&planted(&text, from, to)).is_content, "{to} is not seen");
    }
    assert!(text.contains("\n    sync_interval: always\n"), "an acknowledgement is worth a disk's");
}
