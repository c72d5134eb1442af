//! Calls the functions that the fuzzer calls with every seed, with the golden vectors, and with every input that once broke a promise.
//!
//! An input that a fuzzer finds is copied from `tests/fuzz/artifacts` to `tests/fuzz/kept`, under a name that says what it broke.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use fuzz_targets::{SURFACES, Surface};

/// Smallest number of inputs that each surface has. If fewer are found, the test looks in the wrong folders, and would prove nothing.
const INPUTS_MIN: usize = 6;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Lists the files in and below a folder; none where there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Calls a surface with every input, and panics with the name of the first input that breaks a promise.
fn replay(name: &str, surface: Surface) {
    let mut inputs = files(&tests().join("fuzz/seeds").join(name));
    inputs.extend(files(&tests().join("fuzz/kept").join(name)));
    if name == "armour" {
        inputs.extend(files(&tests().join("../schema/sdc/tests/vectors")));
    }
    assert!(inputs.len() >= INPUTS_MIN, "{name} has {} inputs", inputs.len());
    for input in inputs {
        let bytes = fs::read(&input).expect("an input can be read");
        if std::panic::catch_unwind(|| surface(&bytes)).is_err() {
            panic!("{name}: {} breaks a promise", input.display());
        }
    }
}

#[test]
fn seeds_and_kept_inputs_break_no_promise() {
    for (name, surface) in SURFACES {
        replay(name, surface);
    }
}

#[test]
fn every_surface_has_a_fuzz_target_and_every_folder_a_surface() {
    let manifest = fs::read_to_string(tests().join("fuzz/Cargo.toml")).expect("the fuzz targets have a manifest");
    for (name, _) in SURFACES {
        assert!(manifest.contains(&format!("fuzz_targets/{name}.rs")), "{name} is not fuzzed");
        assert!(tests().join(format!("fuzz/dictionaries/{name}.dict")).exists(), "{name} has no dictionary");
    }
    for folder in ["seeds", "kept"] {
        for entry in fs::read_dir(tests().join("fuzz").join(folder)).into_iter().flatten() {
            let name = entry.expect("a folder can be listed").file_name();
            assert!(SURFACES.iter().any(|(surface, _)| *surface == name), "{} belongs to no surface", name.display());
        }
    }
}
