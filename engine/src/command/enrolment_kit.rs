//! `xmserver enrolment kit`: the file with which an office is set up, and the sheet on which its code is printed. The kit has no secret,
//! and the sheet has nothing else that a stranger could use; so the two go apart.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use openssl::x509::X509;
use sdc::letter::{Matricule, Mode};
use sdc::request::EnrolmentCode;
use serde::Serialize;
use serde_json::json;
use store::agencies::{self, Agency, enrolments};
use store::centre::keys::{self, CentreKey};
use store::certificates::spoken;

use super::desk::{Desk, read_matricule};
use crate::configuration::{Configuration, KitServer};
use crate::sheet::Sheet;
use crate::speech::{self, said};

/// Version of the kit's form.
const VERSION: u16 = 1;
/// A sheet has a secret, so nobody else may read it.
const SHEET_MODE: u32 = 0o600;

/// For whom a kit is written, and where.
#[derive(Args, Debug)]
pub struct KitArguments {
    /// The agency
    #[arg(value_parser = read_matricule)]
    matricule: Matricule,
    /// Such as mairie.kit; a file that is there stays as it is
    file: PathBuf,
}

/// A kit, as an office reads it (FORMAT.md, Kits).
#[derive(Serialize)]
struct Kit {
    sdc_kit: u16,
    centre: Centre,
    mode: Mode,
    matricule: Matricule,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<Mail>,
    #[serde(skip_serializing_if = "Option::is_none")]
    https: Option<Https>,
    letter_bytes_max: i32,
}

#[derive(Serialize)]
struct Centre {
    name: String,
    telephone: String,
    email: String,
    certificates: Vec<String>,
}

#[derive(Serialize)]
struct Mail {
    address: String,
    pop3: Server,
    smtp: Server,
}

#[derive(Serialize)]
struct Server {
    #[serde(flatten)]
    server: KitServer,
    user: String,
}

#[derive(Serialize)]
struct Https {
    url: String,
}

/// Writes the kit of an agency.
pub(super) async fn write(
    desk: &mut Desk,
    configuration: &Configuration,
    arguments: KitArguments,
) -> anyhow::Result<()> {
    let KitArguments { matricule, file } = arguments;
    let agency = agencies::show(desk.connection(), matricule).await?;
    let certificates = certificates(desk).await?;
    let kit = kit(desk, configuration, &agency, &certificates)?;
    let text = format!("{}\n", serde_json::to_string_pretty(&kit)?);
    let mut out = new_file(&file, 0o644)?;
    out.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    let fingerprints: Vec<String> = certificates.iter().map(|key| spoken(&key.fingerprint)).collect();
    let result = json!({ "agency": matricule, "file": file, "mail": kit.mail.is_some(), "https": kit.https.is_some(),
                         "certificates": fingerprints });
    let without_mail = if kit.mail.is_some() { String::new() } else { format!("\n{}", said!("kit-without-mail")) };
    let words = said!("kit-written", agency = matricule.to_string(), file = file.display().to_string());
    desk.tell_line(&result, &format!("{words}{without_mail}\n{}", said!("kit-next", agency = matricule.to_string())))
}

/// Returns the centre's certificates that offices are to trust, the one that they encrypt for first.
async fn certificates(desk: &mut Desk) -> anyhow::Result<Vec<CentreKey>> {
    let mut certificates = keys::list(desk.connection()).await?;
    certificates.retain(|key| key.purpose == "letters" && key.state != "retired");
    if certificates.is_empty() {
        bail!("no key of the centre is recorded yet: `xmserver run` or `xmserver check` records those at hand");
    }
    Ok(certificates)
}

fn kit(desk: &Desk, configuration: &Configuration, agency: &Agency, certificates: &[CentreKey]) -> anyhow::Result<Kit> {
    let settings = configuration.kit.clone().unwrap_or_default();
    let address =
        settings.address.or_else(|| configuration.own_addresses().into_iter().find(|address| address.contains('@')));
    let Some(email) = address else {
        bail!(
            "the configuration names no address that offices write to: set address in [kit], or a mailbox or the relay"
        );
    };
    let pem = |key: &CentreKey| -> anyhow::Result<String> {
        Ok(String::from_utf8(X509::from_der(&key.certificate)?.to_pem()?)?)
    };
    let server = |server: &KitServer| Server { server: server.clone(), user: agency.email.clone() };
    let mail = match (&settings.pop3, &settings.smtp) {
        (Some(pop3), Some(smtp)) if !agency.email.is_empty() => {
            Some(Mail { address: agency.email.clone(), pop3: server(pop3), smtp: server(smtp) })
        }
        _ => None,
    };
    Ok(Kit {
        sdc_kit: VERSION,
        centre: Centre {
            name: desk.server.name.clone(),
            telephone: settings.telephone,
            email,
            certificates: certificates.iter().map(pem).collect::<Result<_, _>>()?,
        },
        mode: desk.server.mode,
        matricule: agency.matricule,
        mail,
        https: settings.https_url.map(|url| Https { url }),
        letter_bytes_max: agency.letter_bytes_max,
    })
}

/// Makes a code and prints it on a sheet. The file is made before the code, which is shown only once.
pub(super) async fn print_code(
    desk: &mut Desk,
    configuration: &Configuration,
    matricule: Matricule,
    path: &Path,
) -> anyhow::Result<()> {
    let operator = desk.operator.clone();
    let agency = agencies::show(desk.connection(), matricule).await?;
    let certificates = certificates(desk).await?;
    let mut file = new_file(path, SHEET_MODE)?;
    let told = match enrolments::code(desk.connection(), &operator, matricule).await {
        Ok(told) => told,
        Err(error) => {
            std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
            return Err(error.into());
        }
    };
    let ends = desk.clock.time(told.expires_at);
    let telephone = configuration.kit.as_ref().map(|kit| kit.telephone.clone()).unwrap_or_default();
    let sheet = sheet(desk, &agency, (&told.code, &ends), &certificates, &telephone)?;
    let written = file.write_all(&sheet).and_then(|()| file.sync_all());
    written.with_context(|| format!("cannot write {}", path.display()))?;
    let result = json!({ "agency": matricule, "file": path, "expires_at": told.expires_at });
    let file = path.display().to_string();
    desk.tell_line(&result, &said!("enrolment-sheet", agency = matricule.to_string(), file = file, time = ends))
}

/// Lays the sheet out.
fn sheet(
    desk: &Desk,
    agency: &Agency,
    (code, ends): (&EnrolmentCode, &str),
    certificates: &[CentreKey],
    telephone: &str,
) -> anyhow::Result<Vec<u8>> {
    let name = format!("{} {}", agency.matricule, agency.name);
    let mut sheet = Sheet::new(&said!("sheet-title", agency = &name), &speech::words().language().to_string())?;
    sheet.text(10.0, &desk.server.name);
    sheet.rule();
    sheet.text(18.0, &said!("sheet-title", agency = &name));
    sheet.skip(12.0);
    sheet.text(11.0, &said!("sheet-code"));
    sheet.text(20.0, &code.spoken());
    sheet.text(11.0, &said!("sheet-ends", time = ends));
    sheet.skip(12.0);
    sheet.text(11.0, &said!("sheet-steps"));
    sheet.skip(12.0);
    sheet.text(11.0, &said!("sheet-fingerprints"));
    for key in certificates {
        sheet.text(9.0, &format!("{}  {}", key.algorithm, spoken(&key.fingerprint)));
    }
    sheet.rule();
    sheet.text(11.0, &said!("sheet-secret"));
    if !telephone.is_empty() {
        sheet.text(11.0, &said!("sheet-telephone", telephone = telephone));
    }
    Ok(sheet.finish())
}

/// Makes a file that is not there yet.
fn new_file(path: &Path, mode: u32) -> anyhow::Result<File> {
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} is there already: name a file that is not there yet", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
    }
}
