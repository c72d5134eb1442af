//! `xmserver init`: makes everything that a new centre needs, and overwrites nothing.
//!
//! A second `init` with the same name makes what is missing and keeps what exists.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use diesel_async::AsyncConnection;
use indicatif::ProgressBar;
use nix::unistd::Uid;
use sdc::letter::Mode;
use serde_json::json;
use store::centre;
use store::centre::server::{self, Server};
use store::error::{AdministrationError, InvalidValue};
use store::people::mapping::{self, Founder};
use store::people::passwords::OneTimePassword;
use store::people::{sample, sign_in_as_system_account};

use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::database::{OpenDatabase, Purpose};
use crate::folder::DataFolder;
use crate::show::Labels;
use crate::speech::said;
use crate::{authority, keys, operator, show};

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

/// Result of `init`.
pub struct Initialised {
    /// Whether this `init` made keys and certificates; false where they existed.
    pub made_keys: bool,
    /// Password of the first Superviseur, shown once; none where a Superviseur exists already.
    pub password: Option<OneTimePassword>,
}

/// Makes a centre and prints the result: as JSON where `json` is set, else as text.
///
/// # Errors
/// See [`init`]; or standard output cannot be written.
pub async fn run(configuration: &Configuration, arguments: &InitArguments, json: bool) -> anyhow::Result<ExitCode> {
    if arguments.name == sample::DEMO {
        bail!("the name {} is that of the demo's centre: choose another one", sample::DEMO);
    }
    let done = init(configuration, arguments).await?;
    if json {
        report_json(configuration, arguments, &done)?;
    } else {
        report(configuration, arguments, &done)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the data folder, the database, the server's row, the keys and the first Superviseur.
///
/// # Errors
/// The database belongs to another server, or a server runs on the folder; an argument is not valid; the operating system or the database
/// refuses.
pub async fn init(configuration: &Configuration, arguments: &InitArguments) -> anyhow::Result<Initialised> {
    let arguments = &judged(arguments)?;
    let passable = configuration.is_embedded() && Uid::effective().is_root();
    let folder = DataFolder::create(&configuration.server.data_folder, passable)?.with_keys_of(configuration);
    let _lock = folder.lock()?;
    let progress = ProgressBar::new_spinner().with_message(said!("init-progress-database"));
    progress.enable_steady_tick(Duration::from_millis(100));
    let open = OpenDatabase::open(configuration, Purpose::Make).await?;
    let done = fill(&open, &folder, arguments, &progress).await;
    progress.set_message(said!("init-progress-closed"));
    open.close().await;
    progress.finish_and_clear();
    done
}

/// Checks the arguments before anything is made, and returns them with zone and currency in their usual spelling.
fn judged(arguments: &InitArguments) -> anyhow::Result<InitArguments> {
    let plain = |text: &str, others: &[u8]| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        text.bytes().next().is_some_and(is_plain) && text.bytes().all(|byte| is_plain(byte) || others.contains(&byte))
    };
    let currency = arguments.currency.to_uppercase();
    if arguments.name.len() > 63 || !plain(&arguments.name, b".-") {
        return Err(AdministrationError::from(InvalidValue::ServerName).into());
    }
    if !(2..=32).contains(&arguments.superviseur.len()) || !plain(&arguments.superviseur, b"._-") {
        return Err(AdministrationError::from(InvalidValue::UserNameBegins).into());
    }
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(AdministrationError::from(InvalidValue::CurrencyWritten).into());
    }
    let zone = Clock::of(&arguments.zone)?.zone().to_owned();
    Ok(InitArguments { zone, currency, ..arguments.clone() })
}

async fn fill(
    open: &OpenDatabase,
    folder: &DataFolder,
    arguments: &InitArguments,
    progress: &ProgressBar,
) -> anyhow::Result<Initialised> {
    open.database.migrate().await?;
    let mut connection = open.database.get().await?;
    let account = operator::account(folder.path());
    let mode = if arguments.mode == "live" { Mode::Live } else { Mode::Test };
    let mut new = Server::new(&arguments.name, mode);
    new.currency.clone_from(&arguments.currency);
    new.currency_digits = arguments.currency_digits.unwrap_or_else(|| minor_digits(&arguments.currency));
    new.zone.clone_from(&arguments.zone);
    let made = connection
        .transaction(async |connection| {
            // `found` takes a lock: another `init` waits here until this transaction has recorded the keys.
            let Founder { operator, password } = mapping::found(connection, &account, &arguments.superviseur).await?;
            // The server's name is recorded first, because this step refuses the database of another centre before anything else is made.
            let is_new = server::initialise(connection, &operator, &new).await?;
            progress.set_message(said!("init-progress-keys"));
            let made_keys = is_new && !folder.keys().exists();
            if made_keys {
                make_keys(folder, &arguments.name).await?;
            }
            if is_new {
                // A database that is new records the keys even where they were not made just now: an earlier `init` may have been
                // interrupted, or the centre begins again with a new database.
                centre::keys::record(connection, &operator, &keys::load(&folder.keys())?.known_as).await?;
            }
            Ok::<_, anyhow::Error>((made_keys, password))
        })
        .await;
    if let Err(error) = &made
        && let Some(AdministrationError::AccountUnmapped { .. }) = error.downcast_ref()
    {
        // `found` has refused the account, but its line in the audit log was rolled back with the transaction. Signing in outside a
        // transaction is refused in the same way, and that line stays.
        sign_in_as_system_account(&mut connection, &account).await?;
    }
    let (made_keys, password) = made?;
    // An existing server has its keys already. New keys would not open letters that offices have sealed for the old ones.
    if folder.keys().exists() {
        keys::confirm(&mut connection, &account, &keys::load(&folder.keys())?).await
    } else {
        centre::keys::confirm(&mut connection, &account, &[], |_| false).await.map(drop)
    }
    .with_context(|| folder.keys().display().to_string())?;
    Ok(Initialised { made_keys, password })
}

async fn make_keys(folder: &DataFolder, server_name: &str) -> anyhow::Result<()> {
    let name = server_name.to_owned();
    let files = tokio::task::spawn_blocking(move || authority::make(&name))
        .await?
        .context("the centre's keys could not be made")?;
    Ok(folder.write_secrets(&folder.keys(), &files)?)
}

/// Returns the digits of a currency's minor unit by ISO 4217: two, except for the currencies listed here.
fn minor_digits(currency: &str) -> i16 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND" | "VUV"
        | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

/// Prints the result as text, with the password, which is shown only once.
///
/// # Errors
/// Standard output is closed, so the password cannot be read.
pub fn report(configuration: &Configuration, arguments: &InitArguments, done: &Initialised) -> anyhow::Result<()> {
    use std::io::Write;
    let folder = configuration.server.data_folder.display();
    let folder = folder.to_string();
    let database =
        if configuration.is_embedded() { said!("init-database-private") } else { said!("init-database-configured") };
    let keys = if done.made_keys { said!("init-keys-made") } else { said!("init-there-already") };
    let first_user = match &done.password {
        Some(password) => {
            said!("init-first-user", user = &arguments.superviseur, password = password.reveal())
        }
        None => said!("init-there-already"),
    };
    let names = [
        "heading-server",
        "heading-data-folder",
        "heading-database",
        "heading-keys",
        "heading-first-user",
        "init-next-label",
    ];
    let labels = Labels::new(&names);
    let [server_label, folder_label, database_label, keys_label, user_label, next_label] = names;
    let lines = [
        (server_label, said!("init-server", name = &arguments.name, mode = &arguments.mode)),
        (folder_label, folder.clone()),
        (database_label, database),
        (keys_label, said!("init-keys", folder = &folder, state = keys)),
        ("", said!("init-agencies-need")),
        (user_label, first_user),
        (next_label, said!("init-next", folder = &folder)),
    ];
    let mut out = std::io::stdout().lock();
    for (label, text) in lines {
        writeln!(out, "{}", labels.line(label, 2, &text))?;
    }
    if out.flush().is_err() {
        bail!("what was done could not be told: standard output is closed");
    }
    Ok(())
}

/// Prints the result as JSON, with the password, which is shown only once.
///
/// # Errors
/// Standard output is closed, so the password cannot be read.
pub fn report_json(configuration: &Configuration, arguments: &InitArguments, done: &Initialised) -> anyhow::Result<()> {
    let password = done.password.as_ref().map(OneTimePassword::reveal);
    show::json(&json!({
        "server": arguments.name,
        "mode": arguments.mode,
        "data_folder": configuration.server.data_folder,
        "keys_made": done.made_keys,
        "first_user": password.map(|password| json!({ "name": arguments.superviseur, "password": password })),
    }))
}
