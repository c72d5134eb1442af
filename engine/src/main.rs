//! `xmserver`: configure, build, run, drain. The work is in the library; here it is only begun.

use std::process::ExitCode;

use clap::Parser;
use engine::command::{self, Command, CommandLine};
use engine::configuration::{Configuration, ServerConfiguration};
use engine::{check, demo, init, logging, run};
use tokio::runtime::Runtime;

// OpenSSL allocates hundreds of small things for every letter, and gets this allocator too: it is linked under the names
// of malloc and free. It takes a fifth off the work for a letter, and a quarter off memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Begins.
pub fn main() -> ExitCode {
    // Before anything can make a TLS connection: two providers in one process would panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("xmserver: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    match begin(CommandLine::parse()) {
        Ok(code) => code,
        Err(error) => {
            for line in format!("{error:#}").lines() {
                eprintln!("xmserver: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn begin(line: CommandLine) -> anyhow::Result<ExitCode> {
    if let Command::Demo(arguments) = &line.command {
        // It configures itself, whatever else this machine has.
        logging::start(&ServerConfiguration { log_level: "warn".to_owned(), ..ServerConfiguration::default() })?;
        return runtime()?.block_on(demo::run(arguments));
    }
    let configuration = Configuration::load(&line.sources())?;
    let is_server = matches!(line.command, Command::Run);
    let mut server = configuration.server.clone();
    if !is_server && server.log_level == "info" {
        // A command tells its result itself.
        "warn".clone_into(&mut server.log_level);
    }
    logging::start(&server)?;
    match line.command {
        Command::Run => run::run(&configuration),
        command => runtime()?.block_on(operate(&configuration, command)),
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

async fn operate(configuration: &Configuration, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(arguments) => {
            let done = init::init(configuration, &arguments).await?;
            init::report(configuration, &arguments, &done)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(arguments) => check::check(configuration, &arguments).await,
        command => command::operate(configuration, command).await,
    }
}
