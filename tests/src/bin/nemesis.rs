//! `nemesis` runs two engines under traffic, and kills, freezes, disconnects and restarts everything around them. It checks that each
//! letter still has exactly one effect. It uses only loopback and temporary folders, and ends only processes that it started.

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
