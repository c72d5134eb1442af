//! `xmserver demo`: runs a centre and its agencies on one machine without any configuration, and proves that the centre keeps its promises.
//!
//! The demo has a post office in memory, agencies with real keys, and the centre: `xmserver run` as a process of its own, with its private
//! PostgreSQL. Agencies send good and bad letters and verify the answers. Then the oracle compares everything that they sent with the
//! database, row by row. The proof does not use the engine's own counters.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use cluster::Port;
use mail::{MailboxSettings, Security};
use nix::unistd::Uid;
use simulation::night::{Night, Words};
use simulation::oracle;
use simulation::post_office::{PostOffice, PostOfficeSettings};
use simulation::town::{CentreCertificates, Town, TownPlan};
use store::ledger::voucher_keys::VoucherKeys;
use store::people::{sample, sign_in_as_system_account};

use crate::configuration::{Configuration, Sources};
use crate::database::{OpenDatabase, Purpose};
use crate::folder::DataFolder;
use crate::init::{self, InitArguments};
use crate::speech::{self, said};
use crate::{keys, operator, show};

mod arguments;
mod centre;
mod keyboard;
mod layout;
mod offer;
mod progress;
mod relay;
mod stop;
mod summary;
mod traffic;
mod visitor;
mod words;

pub use arguments::DemoArguments;
use arguments::{CENTRE_ADDRESS, SERVER};
use centre::Centre;
use keyboard::Keyboard;
use layout::Paper;
pub(crate) use stop::told_to_stop;
use summary::Summary;
use visitor::Counter;

/// Largest number of octets that the post office holds. Senders pause long before that.
const STORED_BYTES_MAX: u64 = 256 << 20;
/// The width in columns of the summary on the HTML page.
const PAGE_COLUMNS: usize = 100;

/// Runs the demo. The exit code says whether the centre kept every promise.
///
/// # Errors
/// Something that the demo needs is missing, or no letter or answer moves any more.
pub async fn run(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let place = Place::new(arguments.data.as_deref())?;
    let settings = PostOfficeSettings { stored_bytes_max: STORED_BYTES_MAX, ..PostOfficeSettings::default() };
    let post_office = PostOffice::start(settings).context("the post office could not start")?;
    let http = Port::hold().context("no port is free for HTTP")?;
    let configuration = configure(&place.data, &post_office, &http)?;
    let town = build(&configuration, &post_office, arguments).await?;

    let mut centre = Centre::start(&place.data)?;
    let mut keyboard = Keyboard::take();
    let (summary, night) = tokio::select! {
        done = work(town, &post_office, &mut centre, keyboard.as_mut(), &configuration, arguments) => done?,
        told = told_to_stop() => {
            told?;
            centre.stop().await?;
            bail!("the demo was stopped before the end: nothing was checked");
        }
    };
    if let Some(file) = &arguments.figures {
        let json = serde_json::to_string_pretty(&summary)?;
        std::fs::write(file, json).with_context(|| format!("--figures {}: cannot be written", file.display()))?;
    }
    let paper = Paper::of_standard_output();
    summary.print(paper)?;
    if let Some(file) = arguments.page_file(&place.data) {
        std::fs::write(&file, page(&night, &summary, arguments))
            .with_context(|| format!("--page {}: cannot be written", file.display()))?;
        show::text(&format!("\n{}\n  {}\n", said!("demo-night"), file.display()))?;
        if arguments.page.is_none() && arguments.data.is_none() {
            show::text(&format!("  {}\n", said!("demo-night-gone")))?;
        }
    }
    if !arguments.exit {
        let offer = offer::offer(&configuration.server.data_folder, centre.address(), paper);
        show::text(&offer)?;
        let counter =
            Counter { configuration: &configuration, post_office: &post_office, agencies: arguments.agencies, paper };
        centre.stay(counter.receive(keyboard.as_mut())).await?;
    }
    progress::during(&said!("demo-ending"), centre.stop()).await?;
    Ok(if summary.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the HTML page about the run, in the language in which the program speaks to the user.
fn page(night: &Night, summary: &Summary, arguments: &DemoArguments) -> String {
    let (letters, offices, seed) = (arguments.letters, arguments.agencies, arguments.seed.to_string());
    night.page(&Words {
        language: &speech::words().language().to_string(),
        title: &said!("demo-page-title"),
        verdict: &summary.verdict(),
        is_sound: summary.is_sound(),
        size: &said!("demo-size", letters = letters, offices = offices, seed = seed),
        caption: &said!("demo-page-caption"),
        caption_killed: &said!("demo-page-caption-killed"),
        picture: &said!("demo-page-picture"),
        legend: [&said!("demo-page-settled"), &said!("demo-page-sent"), &said!("demo-page-killed")],
        sheet: &summary.sheet(Paper { width: PAGE_COLUMNS, is_coloured: false }),
    })
}

/// Lets the town send its letters, and compares the database with what the town sent.
async fn work(
    town: Town,
    post_office: &PostOffice,
    centre: &mut Centre,
    keyboard: Option<&mut Keyboard>,
    configuration: &Configuration,
    arguments: &DemoArguments,
) -> anyhow::Result<(Summary, Night)> {
    progress::during(&said!("demo-starting"), centre.wait_until_ready()).await?;
    let traffic = traffic::run(town, post_office, centre, keyboard, configuration, arguments).await?;
    // A centre that was killed may still be starting its database, from which the oracle reads.
    centre.wait_until_ready().await?;
    let open = OpenDatabase::open(configuration, Purpose::Command).await?;
    let held = oracle::check(&open.database, &traffic.memory);
    let findings = progress::during(&said!("demo-comparing"), held).await;
    let night = Night::read(&open.database, &traffic).await;
    open.close().await;
    Ok((Summary::new(findings?, &traffic, centre.rss_mb_max()), night?))
}

/// The data folder of the demo's centre.
struct Place {
    data: PathBuf,
    /// The temporary folder, removed when the demo ends; none where the user named a folder.
    _temporary: Option<TemporaryFolder>,
}

impl Place {
    fn new(kept: Option<&Path>) -> anyhow::Result<Place> {
        if let Some(folder) = kept {
            if folder.exists() {
                bail!("--data {}: expected a folder that does not exist yet; the demo makes it", folder.display());
            }
            return Ok(Place { data: std::path::absolute(folder)?, _temporary: None });
        }
        let folder = TemporaryFolder::make()?;
        Ok(Place { data: folder.0.clone(), _temporary: Some(folder) })
    }
}

/// A temporary folder. Dropping the value removes it.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn make() -> anyhow::Result<TemporaryFolder> {
        // The name is short, because people copy it into commands, but has enough random digits that no other folder has the same name.
        let name = uuid::Uuid::new_v4().simple().to_string();
        let path = std::env::temp_dir().join(format!("xm-demo-{}", name.split_at(12).0));
        if path.exists() {
            bail!("{} exists already: begin the demo once more", path.display());
        }
        // Where the demo runs as root, PostgreSQL's own user must be able to pass through the folder.
        DataFolder::create(&path, Uid::effective().is_root())?;
        Ok(TemporaryFolder(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "the demo's folder could not be removed");
        }
    }
}

/// Writes the centre's configuration file as an operator would, and loads it.
fn configure(data: &Path, post_office: &PostOffice, http: &Port) -> anyhow::Result<Configuration> {
    DataFolder::create(data, Uid::effective().is_root())?;
    let http = http.address();
    // The password is in a file of the data folder, so that the commands that the demo offers work without an environment variable.
    let password_file = data.join("mailbox-password");
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&password_file)?;
    file.write_all(b"demo\n")?;
    let text = format!(
        "[server]\nhttp_address = \"{http}\"\nlog_level = \"warn\"\n\
         [[mailbox]]\nname = \"demo\"\npoll_interval_seconds = 1\nno_container = \"quarantine\"\n\
         [mailbox.pop3]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nusername = \"{CENTRE_ADDRESS}\"\n\
         password_file = {password_file:?}\n\
         [relay]\naddress = \"{CENTRE_ADDRESS}\"\n\
         [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        post_office.pop3_address().port(),
        post_office.smtp_address().port(),
    );
    std::fs::write(data.join(crate::configuration::FILE_NAME), text)?;
    Ok(Configuration::load(&Sources { file: None, data_folder: Some(data.to_owned()) })?)
}

/// Adds the guide's sample user mbome, with whom a visitor may sign in.
async fn add_sample_user(open: &OpenDatabase, configuration: &Configuration) -> anyhow::Result<()> {
    let mut connection = open.database.get().await?;
    let account = operator::account(&configuration.server.data_folder);
    let operator = sign_in_as_system_account(&mut connection, &account).await?;
    Ok(sample::add(&mut connection, &operator).await?)
}

async fn build(
    configuration: &Configuration,
    post_office: &PostOffice,
    arguments: &DemoArguments,
) -> anyhow::Result<Town> {
    let new = InitArguments {
        name: SERVER.to_owned(),
        mode: "test".to_owned(),
        currency: "XAF".to_owned(),
        currency_digits: None,
        zone: "UTC".to_owned(),
        superviseur: "superviseur".to_owned(),
    };
    // `init` shows its own progress on a terminal.
    progress::during_told(&said!("demo-making"), init::init(configuration, &new)).await?;
    let keys = keys::load(&DataFolder::open(&configuration.server.data_folder)?.keys())?;
    let mut maildrops = MailboxSettings::new("127.0.0.1", "");
    maildrops.port = Some(post_office.pop3_address().port());
    maildrops.security = Security::None;
    maildrops.read_timeout_seconds = 60;
    let plan = TownPlan {
        agencies: usize::try_from(arguments.agencies)?,
        letters: arguments.letters,
        server_name: SERVER.to_owned(),
        centre_address: CENTRE_ADDRESS.to_owned(),
        maildrops,
    };
    let certificates = CentreCertificates {
        signing: keys.signing.certificate().clone(),
        vouchers: VoucherKeys::of(&keys.centre)?,
        recipients: keys.certificates.into_iter().map(|(_, certificate)| certificate).collect(),
    };
    let open = OpenDatabase::open(configuration, Purpose::Command).await?;
    add_sample_user(&open, configuration).await?;
    let progress = progress::Offices::new(arguments.agencies);
    let town = Town::build(&open.database, &certificates, &plan, || progress.step()).await;
    progress.finish();
    open.close().await;
    town
}
