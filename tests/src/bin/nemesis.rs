//! `nemesis`: kills, freezes, cuts and restarts everything around two engines under traffic, and proves that each letter has
//! exactly one effect all the same. For loopback and temporary folders only; what it ends, it has started.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use scenarios::nemesis::{self, Plan};

/// Strikes a centre under traffic, and holds its database against what was sent
#[derive(Parser)]
#[command(name = "nemesis")]
struct CommandLine {
    #[command(flatten)]
    plan: Plan,
}

fn main() -> Result<ExitCode> {
    let CommandLine { plan } = CommandLine::parse();
    let report = nemesis::run(&plan)?;
    let json = serde_json::to_string_pretty(&report)?;
    if let Some(file) = &plan.json {
        std::fs::write(file, &json).with_context(|| format!("--json {}: cannot be written", file.display()))?;
    }
    println!("{json}");
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
