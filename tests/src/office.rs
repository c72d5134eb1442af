//! An office: the program `xmagency` in a folder of its own, with a kit for a centre of a test.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use agency::kit::{Kit, KitCentre, KitMail, KitServer};
use anyhow::{Context, Result, ensure};
use mail::Security;
use sdc::letter::Mode;
use serde_json::Value;
use tempfile::TempDir;

use crate::engine::Engine;
use crate::program::xmagency;
use crate::town::{CENTRE_ADDRESS, PASSWORD, SERVER, address};

/// Pass-phrase of every user of such an office.
const PASSPHRASE: &str = "le coffre de la mairie";
/// Name of the first officer.
const OFFICER: &str = "mbome";

/// An office that runs the program.
pub struct OfficeProgram {
    place: TempDir,
    number: u32,
}

/// Where the mail servers of an office are.
#[derive(Clone, Copy, Debug)]
pub struct MailServers {
    /// The mailboxes.
    pub pop3: SocketAddr,
    /// The relay.
    pub smtp: SocketAddr,
}

impl OfficeProgram {
    /// Adds an agency at the centre, writes the kit for it, and sets the office up. Without mail servers the office has no mail.
    ///
    /// # Errors
    /// A command fails; the error has what it printed.
    pub fn set_up(engine: &Engine, number: u32, mail: Option<MailServers>) -> Result<OfficeProgram> {
        let (matricule, email, code) = (number.to_string(), address(number), format!("C{number}"));
        let add = ["agency", "add", "--matricule", &matricule, "--name", "Mairie"];
        let with_email: &[&str] = if mail.is_some() { &["--email", &email] } else { &[] };
        engine.operate(&[&add[..], with_email].concat())?;
        engine.operate(&["agency", "grant", &matricule, "CentreCode", &code])?;
        let office = OfficeProgram { place: tempfile::tempdir()?, number };
        fs::write(office.path("office.kit"), kit(engine, number, mail)?.write())?;
        fs::write(office.path("passphrase"), format!("{PASSPHRASE}\n"))?;
        fs::write(office.path("mail-password"), format!("{PASSWORD}\n"))?;
        let (kit, password) = (office.path("office.kit"), office.path("mail-password"));
        let arguments =
            ["init", &kit.to_string_lossy(), "--mail-password-file", &password.to_string_lossy()].map(str::to_owned);
        office.run(&arguments.each_ref().map(String::as_str))?;
        Ok(office)
    }

    /// Asks the centre's operator for a code, and packs the enrolment.
    ///
    /// # Errors
    /// A command fails.
    pub fn enrol(&self, engine: &Engine) -> Result<()> {
        let told = engine.operate(&["enrolment", "code", &self.number.to_string(), "--json"])?;
        let told: Value = serde_json::from_str(&told)?;
        self.run(&["enrol", told["code"].as_str().context("the code was told")?])?;
        Ok(())
    }

    /// Returns a path beside the office folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Returns the office folder.
    pub fn folder(&self) -> PathBuf {
        self.path("office")
    }

    /// Prepares the program, with this office, its officer and JSON.
    ///
    /// # Errors
    /// The program cannot be built.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(xmagency()?);
        command.env_clear().env("XMAGENCY_PASSPHRASE_FILE", self.path("passphrase"));
        command.args(["--user", OFFICER, "--json", "--office"]).arg(self.folder()).args(arguments);
        Ok(command)
    }

    /// Runs a command, whether it succeeds or not.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn tried(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(arguments)?.output()?)
    }

    /// Runs a command and returns its JSON.
    ///
    /// # Errors
    /// The command fails; the error has what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.tried(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "xmagency {arguments:?}: {said}");
        let text = String::from_utf8(output.stdout)?;
        serde_json::from_str(&text).with_context(|| format!("xmagency {arguments:?} printed {text:?}"))
    }
}

/// Makes the kit that a centre gives an agency.
fn kit(engine: &Engine, number: u32, mail: Option<MailServers>) -> Result<Kit> {
    let certificate = fs::read_to_string(engine.data().join(Path::new("keys/centre-p256.crt")))?;
    let server = |at: SocketAddr, user: Option<String>| KitServer {
        host: at.ip().to_string(),
        port: Some(at.port()),
        security: Security::None,
        user,
    };
    let mail = mail.map(|servers| KitMail {
        address: address(number),
        pop3: server(servers.pop3, Some(address(number))),
        smtp: server(servers.smtp, None),
    });
    Ok(Kit {
        sdc_kit: 1,
        centre: KitCentre {
            name: SERVER.to_owned(),
            telephone: "+237 222 22 22 22".to_owned(),
            email: CENTRE_ADDRESS.to_owned(),
            certificates: vec![certificate],
        },
        mode: Mode::Test,
        matricule: number.try_into()?,
        mail,
        https: None,
        letter_bytes_max: 256 << 10,
    })
}
