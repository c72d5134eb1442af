//! The package for Debian: what it is made of is there. deploy/deb-test.sh builds and installs it.

use std::fs;

use serde_json::Value;

use crate::checkers::{read, root, run};

/// Returns `package.metadata.deb` of the engine's manifest.
fn metadata() -> Value {
    let manifest = root().join("engine/Cargo.toml");
    let arguments =
        ["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", manifest.to_str().unwrap()];
    let said = run("cargo", &arguments);
    let json = said.text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{}", said.text));
    let workspace: Value = serde_json::from_str(json).unwrap();
    let mut packages = workspace["packages"].as_array().unwrap().iter();
    packages.find(|package| package["name"] == "engine").unwrap()["metadata"]["deb"].clone()
}

/// Returns the assets whose files are not there.
fn missing(assets: &Value) -> Vec<String> {
    let folder = root().join("engine");
    let is_there = |source: &str| match source.strip_suffix("/*") {
        // cargo-deb itself says where the program was built.
        _ if source == "target/release/xmserver" => true,
        Some(inside) => fs::read_dir(folder.join(inside)).is_ok_and(|mut entries| entries.next().is_some()),
        None => folder.join(source).is_file(),
    };
    let sources = assets.as_array().unwrap().iter().map(|asset| asset[0].as_str().unwrap());
    sources.filter(|source| !is_there(source)).map(str::to_owned).collect()
}

#[test]
fn what_the_package_has_is_there() {
    let deb = metadata();
    assert_eq!(missing(&deb["assets"]), Vec::<String>::new());
    assert_eq!(missing(&serde_json::json!([["../deploy/nowhere", "usr/", "644"]])), ["../deploy/nowhere"]);
    let targets: Vec<&str> = deb["assets"].as_array().unwrap().iter().map(|asset| asset[1].as_str().unwrap()).collect();
    // What lies in /etc would be a configuration that nobody wrote, with which the service would start.
    assert!(targets.iter().all(|target| target.starts_with("usr/")), "{targets:?}");
    for script in ["postinst", "prerm", "postrm"] {
        assert!(root().join("engine").join(deb["maintainer-scripts"].as_str().unwrap()).join(script).is_file());
    }
    assert_eq!(deb["default-features"], false, "the package has no simulator");
}

#[test]
fn the_package_asks_for_the_openssl_that_the_program_asks_for() {
    let setup = read("setup-debian.sh");
    let floor = setup.lines().find_map(|line| line.strip_prefix("openssl_floor=")).unwrap();
    let depends = metadata()["depends"].as_str().unwrap().to_owned();
    assert!(depends.contains(&format!("libssl3 (>= {floor})")), "{depends}; {floor}");
}
