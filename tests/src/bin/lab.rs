//! `lab` runs three replicas behind two balancers, with a primary and two standbys, under traffic, each on a machine of its own, and kills,
//! freezes and cuts off everything around them. It checks that each letter still has exactly one effect, and that whatever a sender was
//! told is true. The machines are network namespaces: where they are not allowed, the lab is skipped.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use scenarios::lab::{self, Plan, room};
use scenarios::program::xmserver_nemesis;

/// Strikes replicas, balancers and databases under traffic, and holds the database against what was sent and told
#[derive(Parser)]
#[command(name = "lab")]
struct CommandLine {
    #[command(flatten)]
    plan: Plan,
}

fn main() -> Result<ExitCode> {
    let CommandLine { plan } = CommandLine::parse();
    if plan.inside {
        return inside(&plan);
    }
    if let Some(hindrance) = room::hindrance() {
        println!("lab: skipped: {hindrance}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).chain(["--inside".into()]).collect();
    if plan.engine.is_none() {
        arguments.extend(["--engine".into(), xmserver_nemesis()?.into()]);
    }
    let code = room::enter(&arguments)?;
    Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn inside(plan: &Plan) -> Result<ExitCode> {
    let report = lab::run(plan)?;
    let json = serde_json::to_string_pretty(&report)?;
    if let Some(file) = &plan.json {
        std::fs::write(file, &json).with_context(|| format!("--json {}: cannot be written", file.display()))?;
    }
    println!("{json}");
    Ok(if report.is_sound(plan) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
