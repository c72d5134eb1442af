//! The units of systemd: read by systemd-analyze, as strict as is promised, and in step with the program's own times and exit codes.

use std::fs;

use engine::configuration::Configuration;
use engine::failure::Exit;

use crate::checkers::{deployed, planted, read, run, stop_seconds_max};

const UNITS: [&str; 2] = ["systemd/xmserver.service", "systemd/xmserver@.service"];
/// Exposure that systemd-analyze may find at most, in tenths.
const EXPOSURE_MAX: &str = "--threshold=15";

fn is_strict(unit: &str, name: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, unit).unwrap();
    let said = run("systemd-analyze", &["security", "--offline=true", EXPOSURE_MAX, path.to_str().unwrap()]);
    assert!(said.text.contains("Overall exposure level"), "{}", said.text);
    (said.is_content, said.text)
}

#[test]
fn units_are_hardened() {
    for unit in UNITS {
        let (text, name) = (read(unit), unit.rsplit('/').next().unwrap());
        let (is_enough, said) = is_strict(&text, name);
        assert!(is_enough, "{unit}: {said}");
        let open = planted(&text, "CapabilityBoundingSet=\n", "");
        assert!(!is_strict(&open, name).0, "{unit}: all capabilities, and nobody notices");
        let open = planted(&text, "User=xmserver\n", "");
        assert!(!is_strict(&open, name).0, "{unit}: it is root, and nobody notices");
    }
}

/// Returns what systemd itself says of a unit whose program is there.
fn verified(unit: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xmserver.service");
    fs::write(&path, unit.replace("/usr/bin/xmserver ", "/bin/true ")).unwrap();
    let said = run("systemd-analyze", &["verify", "--man=no", path.to_str().unwrap()]);
    // Of other units of the machine nothing is asked.
    said.text.lines().filter(|line| line.contains("xmserver")).collect::<Vec<_>>().join("\n")
}

#[test]
fn units_are_understood() {
    let text = read(UNITS[0]);
    assert_eq!(verified(&text), "");
    let told = verified(&planted(&text, "RestartSec=", "RestartSecs="));
    assert!(told.contains("RestartSecs"), "{told}");
}

#[test]
fn the_template_is_the_unit_with_an_instance() {
    let settings = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#') || line.contains("LoadCredential"));
        lines.map(|line| line.replace("/%i", "").replace(": %i", "")).collect()
    };
    let [unit, template] = UNITS.map(read);
    assert_ne!(unit, template);
    assert_eq!(settings(&unit), settings(&template));
}

/// Returns the value of a setting that a unit has once.
fn value<'a>(unit: &'a str, key: &str) -> &'a str {
    let mut values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("no {key}"));
    assert_eq!(values.next(), None, "{key} stands there twice");
    value
}

#[test]
fn the_unit_waits_for_what_the_program_does() {
    let unit = read(UNITS[0]);
    let patience: u64 = value(&unit, "TimeoutStopSec").strip_suffix('s').unwrap().parse().unwrap();
    let drains = stop_seconds_max(&Configuration::default());
    assert!(patience > drains + 10, "the service manager kills what drains for {drains} s after {patience} s");
    assert_eq!(value(&unit, "RestartPreventExitStatus"), (Exit::Twin as u8).to_string());
    assert_eq!(value(&unit, "Type"), "notify");
    assert_eq!(value(&unit, "ExecReload"), "/bin/kill -HUP $MAINPID");
    assert!(deployed("debian/postinst").exists() && read("debian/postinst").contains("adduser"), "the user is made");
    assert_eq!(value(&unit, "User"), "xmserver");
}
