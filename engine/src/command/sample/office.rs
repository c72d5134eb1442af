//! An office for a trial: the program makes its key and first letter from the centre's own data, so that the centre accepts the letter.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use agency::identity::{Algorithm, Identity};
use anyhow::{Context, bail};
use chrono::Utc;
use mail::Security;
use mail::smtp::Outgoing;
use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::keys::RegisteredCertificate;
use sdc::letter::{FORMAT_VERSION, Letter, Matricule, Office};
use sdc::request::Request;
use serde_json::json;
use simulation::dice::Dice;
use simulation::records::Register;
use store::agencies::{self, installations, scopes};
use store::certificates::CertificateFilter;
use store::{certificates, tables};
use uuid::Uuid;

use crate::authority::CENTRE_PAIRS;
use crate::command::desk::Desk;
use crate::configuration::{Configuration, RelayConfiguration};
use crate::folder::DataFolder;
use crate::speech::said;

/// Scope column of the tables of sample `ecr`.
const SCOPE: &str = "CentreCode";

/// What the centre knows of an agency, as far as the trial's letter needs it.
struct Known {
    email: String,
    office: Office,
    sequence: u64,
    code: String,
    /// Whether a certificate of the agency is or was registered. If so, a certificate of another key must be confirmed by a second person.
    has_certificate: bool,
}

/// Makes a folder with an office's key, certificate and first letter, and prints how to register and send them.
///
/// # Errors
/// The agency lacks something that a letter needs (the error names the command that adds it), or the folder exists already.
pub async fn make(
    desk: &mut Desk,
    configuration: &Configuration,
    matricule: Matricule,
    folder: &Path,
) -> anyhow::Result<()> {
    let Some(relay) = &configuration.relay else {
        bail!(
            "no relay is configured, so the centre has no address to write to: `xmserver sample configuration` shows one"
        );
    };
    let known = look_up(desk, matricule).await?;
    let centre = DataFolder::of(configuration)?.keys().join(format!("{}.crt", CENTRE_PAIRS[0]));
    let centre = fs::read(&centre).with_context(|| format!("could not read {}", centre.display()))?;
    let (key, own) = Identity::generate_pem(&matricule.to_string(), Algorithm::P256)?;
    let identity = Identity::from_pem(key.as_bytes(), own.as_bytes())?;

    let letter = write_letter(desk, &known)?;
    // The letter is plain JSON, and its receipt comes in the same form, so that stock tools read both.
    let der = cms::seal(&letter, identity.key(), &RegisteredCertificate::from_pem(&centre)?, ContentCipher::Aes256Gcm)?;
    let document = Document::render(&der, Some(matricule));
    let mail = Outgoing {
        message_id: format!("{}@{matricule}.example.org", Uuid::now_v7().simple()),
        from: known.email.clone(),
        to: relay.address.clone(),
        subject: format!("SDC 1 agency={matricule}"),
        is_automatic: false,
        documents: vec![("letter.sdc".to_owned(), document.clone())],
    };

    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already: name a folder that is not there yet", folder.display());
        }
        made => made.with_context(|| format!("could not make {}", folder.display()))?,
    }
    let files: [(&str, &[u8]); 6] = [
        ("office.key", key.as_bytes()),
        ("office.crt", own.as_bytes()),
        ("centre.crt", &centre),
        ("letter.json", &letter),
        ("letter.sdc", &document),
        ("letter.eml", &mail.render()?),
    ];
    for (name, octets) in files {
        write(&folder.join(name), octets)?;
    }
    let fingerprint = certificates::spoken(identity.certificate().fingerprint().as_bytes());
    let result = json!({ "agency": matricule, "folder": folder, "fingerprint": fingerprint,
        "files": files.map(|(name, _)| name) });
    desk.tell(&result, &told(&known, relay, configuration, folder, &fingerprint))
}

async fn look_up(desk: &mut Desk, matricule: Matricule) -> anyhow::Result<Known> {
    let agency = agencies::show(desk.connection(), matricule).await?;
    if agency.email.is_empty() {
        bail!(
            "agency {matricule} has no e-mail address, and the office of a trial writes mails: `xmserver agency edit {matricule} --email \
             mairie@example.org` gives it one"
        );
    }
    if !tables::list(desk.connection()).await?.iter().any(|table| table.application == "ecr") {
        bail!("the centre has no civil registry: `xmserver sample restore ecr` makes the one that this letter is for");
    }
    let Some(installation) = installations::list(desk.connection(), matricule).await?.into_iter().next() else {
        bail!("agency {matricule} has no installation: `xmserver agency install {matricule} main` adds one");
    };
    let granted = scopes::list(desk.connection(), matricule).await?;
    let Some(scope) = granted.into_iter().find(|scope| scope.column_name.eq_ignore_ascii_case(SCOPE)) else {
        bail!(
            "agency {matricule} may not write of any centre: `xmserver agency grant {matricule} {SCOPE} C01` lets it"
        );
    };
    let registered = CertificateFilter {
        agency: Some(matricule),
        with_revoked: true,
        limit: Some(1),
        ..CertificateFilter::default()
    };
    let has_certificate = !certificates::list(desk.connection(), &registered).await?.is_empty();
    Ok(Known {
        email: agency.email,
        office: Office { agency: matricule, installation: installation.name },
        sequence: installation.sequence_highest.unsigned_abs() + 1,
        code: scope.code,
        has_certificate,
    })
}

/// Writes a letter with one act of birth, as JSON. Its numbers follow those that the agency's installation has used.
fn write_letter(desk: &Desk, known: &Known) -> anyhow::Result<Vec<u8>> {
    let before = i64::try_from(known.sequence - 1).unwrap_or(i64::MAX);
    let records = Register::new(&known.code).after(before).births(1, &mut Dice::new(Uuid::new_v4().as_u64_pair().0));
    let letter = Letter {
        sdc: FORMAT_VERSION,
        id: Uuid::now_v7(),
        from: known.office.clone(),
        to: desk.server.name.clone(),
        sequence: known.sequence,
        time: Utc::now(),
        mode: desk.server.mode,
        seen: None,
        request: Request::Export(records),
    };
    Ok(serde_json::to_vec(&letter)?)
}

/// Writes a file that only its owner may read, because one of the files is a private key.
fn write(path: &Path, octets: &[u8]) -> anyhow::Result<()> {
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("could not make {}", path.display()))?;
    Ok(file.write_all(octets)?)
}

/// Returns the next steps of the trial, with commands to be copied.
fn told(
    known: &Known,
    relay: &RelayConfiguration,
    configuration: &Configuration,
    folder: &Path,
    fingerprint: &str,
) -> String {
    let (agency, folder) = (known.office.agency.to_string(), folder.display().to_string());
    let (email, centre) = (&known.email, &relay.address);
    let in_the_clear = |security: Security| security == Security::None;
    let send = if in_the_clear(relay.smtp.security) {
        let (host, port) = (&relay.smtp.host, relay.smtp.port());
        format!("curl -sS --mail-from {email} --mail-rcpt {centre} -T letter.eml smtp://{host}:{port}")
    } else {
        said!("office-send", email = email, centre = centre)
    };
    let fetch = match configuration.mailboxes.first().map(|mailbox| &mailbox.pop3) {
        Some(pop3) if in_the_clear(pop3.security) => {
            format!("curl -sS -u {email}:any pop3://{}:{}/1 > receipt.eml", pop3.host, pop3.port())
        }
        _ => said!("office-save", email = email),
    };
    let made = said!("office-made", folder = &folder, agency = &agency);
    let second =
        if known.has_certificate { format!("{}\n", said!("office-second", agency = &agency)) } else { String::new() };
    let (there, then) = (said!("office-there", folder = &folder), said!("office-then"));
    format!(
        "{made}\n{second}\
         \x20 xmserver cert register {agency} {folder}/office.crt --fingerprint {fingerprint}\n\
         {there}\n\
         \x20 {send}\n\
         \x20 {fetch}\n\
         \x20 openssl cms -decrypt -binary -inform PEM -in receipt.eml -recip office.crt -inkey office.key -out receipt.signed\n\
         \x20 openssl cms -verify -binary -inform DER -in receipt.signed -nointern -certfile centre.crt -noverify -out receipt.json\n\
         {then}\n"
    )
}
