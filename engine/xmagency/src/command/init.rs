//! `xmagency init` and `xmagency enrol`: from a kit to an office that the centre knows.

use std::fs;
use std::path::PathBuf;

use agency::identity::{Algorithm, Identity};
use agency::kit::Kit;
use agency::platform;
use anyhow::{Context, bail};
use clap::Args;
use face::{said, show};
use sdc::request::{ENROLMENT_ALPHABET, ENROLMENT_CHARS, EnrolmentCode};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::sign_in::{self, Entrance};
use crate::database::Database;
use crate::desk::{Desk, now};
use crate::letters;
use crate::people::{Person, Role, read_name};
use crate::settings::Setting;
use crate::vault::{DatabaseKey, Vault};

/// Name of the first officer, where none is given.
const OFFICER: &str = "officer";

/// How the office is set up.
#[derive(Args, Debug)]
pub struct InitArguments {
    /// The kit that the centre has made for this agency
    #[arg(value_name = "KIT")]
    kit: PathBuf,
    /// Name of this installation, different from every other one of the agency; by default one is made up
    #[arg(long, value_name = "NAME")]
    installation: Option<String>,
    /// File whose first line is the password of the mailbox; without it the program asks
    #[arg(long, value_name = "FILE")]
    mail_password_file: Option<PathBuf>,
}

/// How the office is admitted.
#[derive(Args, Debug)]
pub struct EnrolArguments {
    /// The code, with or without hyphens
    #[arg(value_name = "CODE", required_unless_present = "registered")]
    code: Option<String>,
    /// Without a code: the centre has registered the certificate of this office by its fingerprint
    #[arg(long, conflicts_with = "code")]
    registered: bool,
}

pub(super) fn init(entrance: &Entrance, arguments: &InitArguments) -> anyhow::Result<()> {
    let text = fs::read_to_string(&arguments.kit)
        .with_context(|| format!("could not read the kit {}", arguments.kit.display()))?;
    let kit = Kit::read(&text)?;
    let installation = installation(arguments.installation.as_deref())?;
    let user = read_name(entrance.user.as_deref().unwrap_or(OFFICER))?;
    let mut vault = Vault::new(&entrance.folder)?;
    let passphrase = Entrance::chosen(&user, entrance.passphrase_file.as_deref())?;
    let mail_password = mail_password(&kit, arguments)?;
    let key = DatabaseKey::generate()?;
    vault.seal(&user, &passphrase, &key)?;
    let (key_pem, certificate_pem) = Identity::generate_pem(&kit.matricule.to_string(), Algorithm::P256)?;
    let fingerprint = Identity::from_pem(key_pem.as_bytes(), certificate_pem.as_bytes())?.certificate().fingerprint();

    platform::create_private_folder(&entrance.folder)
        .with_context(|| format!("could not create the folder {}", entrance.folder.display()))?;
    let database = Database::make(&entrance.folder, &key, &now().replace(':', ""))?;
    // Another set-up may have ended since the folder was looked at.
    Vault::new(&entrance.folder)?;
    let transaction = database.begin()?;
    database.set(Setting::Kit, &kit.write())?;
    database.set(Setting::Installation, &installation)?;
    database.set(Setting::NextSequence, "1")?;
    if let Some(password) = mail_password {
        database.set(Setting::MailPassword, &password)?;
    }
    database.admit(&Person { name: user.clone(), role: Role::Officer }, &now())?;
    database.keep_key(&key_pem, &certificate_pem)?;
    transaction.commit()?;
    // The vault comes last: with it the office is there.
    vault.write()?;

    let desk = Desk {
        folder: entrance.folder.clone(),
        database,
        person: Person { name: user, role: Role::Officer },
        json: entrance.json,
    };
    tell_made(&desk, &kit, &installation, &fingerprint.to_string())
}

/// Reads the password of the mailbox, where the office has mail: from its file, else from the terminal, else later.
fn mail_password(kit: &Kit, arguments: &InitArguments) -> anyhow::Result<Option<Zeroizing<String>>> {
    match (&kit.mail, &arguments.mail_password_file) {
        (Some(_), Some(file)) => Ok(Some(sign_in::first_line(file)?)),
        (Some(mail), None) if sign_in::is_terminal() => {
            let mailbox = mail.pop3.user.clone().unwrap_or_default();
            Ok(Some(sign_in::hidden(&said!("office-ask-mail-password", mailbox = mailbox))?))
        }
        _ => Ok(None),
    }
}

fn tell_made(desk: &Desk, kit: &Kit, installation: &str, fingerprint: &str) -> anyhow::Result<()> {
    let centre: Vec<String> = kit.certificates()?.iter().map(|one| one.fingerprint().to_string()).collect();
    let result = json!({
        "office": desk.folder, "matricule": kit.matricule, "installation": installation, "user": desk.person.name,
        "centre": kit.centre.name, "mode": kit.mode, "fingerprint": fingerprint, "centre_fingerprints": centre,
    });
    let mut lines = vec![said!(
        "office-set-up",
        agency = kit.matricule.to_string(),
        centre = &kit.centre.name,
        folder = desk.folder.display().to_string(),
        user = &desk.person.name,
        installation = installation
    )];
    lines.extend(centre.iter().map(|fingerprint| said!("office-centre-fingerprint", fingerprint = fingerprint)));
    lines.push(said!("office-next-enrol", count = centre.len(), telephone = telephone(kit)));
    desk.tell(&result, &lines.join("\n"))
}

fn telephone(kit: &Kit) -> String {
    if kit.centre.telephone.is_empty() { "-".to_owned() } else { show::plain(&kit.centre.telephone) }
}

/// Checks the name of an installation, or makes one up that no other installation has.
fn installation(named: Option<&str>) -> anyhow::Result<String> {
    let Some(name) = named else {
        let random = Uuid::new_v4().simple().to_string();
        return Ok(format!("pc-{}", random.get(..8).unwrap_or(&random)));
    };
    let is_name = (1..=32).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-');
    if !is_name {
        bail!("{name:?} is no name of an installation: expected 1 to 32 of a-z 0-9 -, not beginning with -");
    }
    Ok(name.to_owned())
}

pub(super) fn enrol(desk: &Desk, arguments: &EnrolArguments) -> anyhow::Result<()> {
    desk.require_officer()?;
    let Some(code) = &arguments.code else {
        let made = desk.database.identity("made")?.context("the centre knows this office already")?;
        desk.database.adopt_certificate(made.certificate())?;
        let fingerprint = made.certificate().fingerprint().to_string();
        let words = said!("office-registered", fingerprint = &fingerprint);
        return desk.tell(&json!({ "registered": true, "fingerprint": fingerprint }), &words);
    };
    let code = EnrolmentCode::typed(code);
    let is_code =
        code.as_str().len() == ENROLMENT_CHARS && code.as_str().bytes().all(|one| ENROLMENT_ALPHABET.contains(&one));
    if !is_code {
        bail!("this is no enrolment code: expected {ENROLMENT_CHARS} of 0-9 and A-Z, in groups of four");
    }
    let withdrawn = desk.database.pending_enrolment()?;
    let packed = letters::enrol(desk, code)?;
    let result = json!({ "sequence": packed.sequence, "bytes": packed.document.len(), "withdrawn": withdrawn });
    let words = said!("office-enrolment-packed");
    let withdrawn = withdrawn.map(|letter| said!("office-enrolment-withdrawn", letter = letter.to_string()));
    desk.tell(&result, &withdrawn.into_iter().chain([words]).collect::<Vec<_>>().join("\n"))
}
