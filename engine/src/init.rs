//! `xmserver init`: everything that a new centre needs, made once and never overwritten.
//!
//! Done again with the same name, it completes what is missing and leaves what is there.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;
use nix::unistd::Uid;
use sdc::letter::Mode;
use store::administration::server::{self, Server};
use store::administration::users::{self, OneTimePassword, Privilege};

use crate::authority;
use crate::configuration::Configuration;
use crate::database::{OpenDatabase, Purpose};
use crate::folder::DataFolder;
use crate::operator;
use crate::show::Clock;

/// What a new centre is.
#[derive(Args, Clone, Debug)]
pub struct InitArguments {
    /// Name that letters are addressed to: 1 to 63 of a-z, 0-9, point and hyphen
    #[arg(long)]
    pub name: String,
    /// Rehearsal or in earnest; it can never be changed
    #[arg(long, value_parser = ["test", "live"])]
    pub mode: String,
    /// ISO 4217 code of the currency that every amount is in
    #[arg(long, default_value = "XAF")]
    pub currency: String,
    /// Digits of the currency's minor unit; by default those of ISO 4217
    #[arg(long)]
    pub currency_digits: Option<i16>,
    /// Zone that times are shown in, such as Africa/Douala
    #[arg(long, default_value = "UTC")]
    pub zone: String,
    /// Name of the first Superviseur
    #[arg(long, default_value = "superviseur")]
    pub superviseur: String,
}

/// What `init` did.
pub struct Initialised {
    /// Whether keys and certificates were made; otherwise they were there.
    pub made_keys: bool,
    /// The first Superviseur's password, shown once; absent when there is one already.
    pub password: Option<OneTimePassword>,
}

/// Makes data folder, database, server, keys and first Superviseur.
///
/// # Errors
/// Another server lives in the database, or a running one in the folder; a value is not valid; the world refuses.
pub async fn init(configuration: &Configuration, arguments: &InitArguments) -> anyhow::Result<Initialised> {
    // Told before anything is made.
    Clock::of(&arguments.zone)?;
    let passable = configuration.is_embedded() && Uid::effective().is_root();
    let folder = DataFolder::create(&configuration.server.data_folder, passable)?;
    let _claim = folder.claim()?;
    let progress = ProgressBar::new_spinner().with_message("database");
    progress.enable_steady_tick(Duration::from_millis(100));
    let open = OpenDatabase::open(configuration, Purpose::Make).await?;
    let done = fill(&open, &folder, arguments, &progress).await;
    progress.set_message("closing");
    open.close().await;
    progress.finish_and_clear();
    done
}

async fn fill(
    open: &OpenDatabase,
    folder: &DataFolder,
    arguments: &InitArguments,
    progress: &ProgressBar,
) -> anyhow::Result<Initialised> {
    open.database.migrate().await?;
    let mut connection = open.database.get().await?;
    let operator = operator::name();
    let mode = if arguments.mode == "live" { Mode::Live } else { Mode::Test };
    let mut new = Server::new(&arguments.name, mode);
    new.currency.clone_from(&arguments.currency);
    new.currency_digits = arguments.currency_digits.unwrap_or_else(|| minor_digits(&arguments.currency));
    new.zone.clone_from(&arguments.zone);
    // First, because it refuses what is somebody else's.
    server::initialise(&mut connection, &operator, &new).await?;

    progress.set_message("keys");
    let made_keys = !folder.keys().exists();
    if made_keys {
        let name = arguments.name.clone();
        let files = tokio::task::spawn_blocking(move || authority::make(&name))
            .await?
            .context("the centre's keys could not be made")?;
        folder.write_secrets(&folder.keys(), &files)?;
    }
    let password = if users::has_superviseur(&mut connection).await? {
        None
    } else {
        Some(users::add(&mut connection, &operator, &arguments.superviseur, Privilege::Superviseur).await?)
    };
    Ok(Initialised { made_keys, password })
}

/// Digits of the minor unit in ISO 4217, where they are not two.
fn minor_digits(currency: &str) -> i16 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// Tells what was done, the password among it, once.
///
/// # Errors
/// Nobody can read it: standard output is closed.
pub fn report(configuration: &Configuration, arguments: &InitArguments, done: &Initialised) -> anyhow::Result<()> {
    use std::io::Write;
    let folder = configuration.server.data_folder.display();
    let database =
        if configuration.is_embedded() { "a private PostgreSQL in the data folder" } else { "as configured" };
    let mut out = std::io::stdout().lock();
    writeln!(out, "server       {}, mode {}", arguments.name, arguments.mode)?;
    writeln!(out, "data folder  {folder}")?;
    writeln!(out, "database     {database}")?;
    let keys = if done.made_keys { "made" } else { "there already, untouched" };
    writeln!(out, "keys         {folder}/keys ({keys}); back them up: without them no letter can be opened")?;
    writeln!(
        out,
        "             agencies need {folder}/keys/centre-p256.crt (or centre-rsa.crt) and {}",
        authority::AUTHORITY_CERTIFICATE
    )?;
    match &done.password {
        Some(password) => {
            writeln!(out, "first user   {}, password {} (shown this once)", arguments.superviseur, password.reveal())?;
        }
        None => writeln!(out, "first user   there already, untouched")?,
    }
    writeln!(
        out,
        "next         write {folder}/xmserver.toml (`xmserver sample configuration` shows one), then `xmserver check`"
    )?;
    if out.flush().is_err() {
        bail!("what was done could not be told: standard output is closed");
    }
    Ok(())
}
