//! Makes `dictionary/v1.zdict` again, bit for bit: `cargo run --release -p sdc --example train_dictionary -- FILE`.

#![allow(clippy::expect_used, clippy::cast_possible_truncation)]

#[path = "../dictionary/mod.rs"]
#[allow(dead_code, reason = "shared with the test of sizes")]
mod dictionary;

fn main() -> std::io::Result<()> {
    let Some(file) = std::env::args_os().nth(1) else {
        return Err(std::io::Error::other("name the file to write"));
    };
    std::fs::write(file, dictionary::recipe::dictionary()?)
}
