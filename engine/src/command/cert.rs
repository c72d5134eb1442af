//! `xmserver cert`: certificates of agencies, registered by fingerprint. A key belongs to one agency for ever.

use std::path::PathBuf;

use anyhow::bail;
use chrono::{DateTime, Days, Utc};
use clap::{Args, Subcommand};
use sdc::letter::Matricule;
use serde_json::json;
use store::agencies;
use store::certificates::{self, CertificateFilter, Concern, Confirmation, LetterToReview, Revocable, spoken};

use super::desk::{Desk, read_matricule};
use super::terms;
use crate::ask;
use crate::certificate::{self, Presented};
use crate::clock::{Clock, Moment};
use crate::show::{self, Labels, Table};
use crate::speech::{self, said};
use crate::words_of_errors;

const AGENCY: &str = "heading-agency";
const KEY: &str = "heading-key";
const VALID: &str = "heading-valid";
const FINGERPRINT: &str = "heading-sha-256";
const WARNING: &str = "heading-warning";
/// Hexadecimal digits of a SHA-256 fingerprint; [`SHA1_DIGITS`] is the number for SHA-1, which is refused.
const SHA256_DIGITS: usize = 64;
const SHA1_DIGITS: usize = 40;

/// What to do with certificates.
#[derive(Subcommand, Debug)]
pub enum CertCommand {
    /// Register a certificate after its fingerprint was compared with what the agency told over another channel
    Register {
        /// The agency
        #[arg(value_parser = read_matricule)]
        matricule: Matricule,
        /// The certificate, PEM or DER
        file: PathBuf,
        /// SHA-256 fingerprint that the agency told; asked for where it is not given
        #[arg(long)]
        fingerprint: Option<String>,
        /// Register it although it is not valid yet, or no longer, or an authority's, without asking
        #[arg(long)]
        yes: bool,
    },
    /// List certificates
    List(ListArguments),
    /// Revoke the key of a certificate, with every certificate of it, at once and for good
    Revoke {
        /// Its SHA-256 fingerprint, the beginning of it, or its number in `cert list`
        certificate: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Revoke it without asking
        #[arg(long)]
        yes: bool,
        /// Also list the agency's letters from this day or time on, to be looked over
        #[arg(long)]
        since: Option<Moment>,
    },
}

/// Which certificates to list.
#[derive(Args, Debug)]
pub struct ListArguments {
    /// Of this agency
    #[arg(long, value_parser = read_matricule)]
    agency: Option<Matricule>,
    /// Revoked ones too
    #[arg(long)]
    with_revoked: bool,
    /// Ending within so many days
    #[arg(long)]
    ending_within_days: Option<u64>,
    /// Behind this number
    #[arg(long)]
    after: Option<i32>,
    #[command(flatten)]
    extent: super::listing::Extent,
}

pub(super) async fn run(desk: &mut Desk, command: CertCommand) -> anyhow::Result<()> {
    match command {
        CertCommand::Register { matricule, file, fingerprint, yes } => {
            let presented = certificate::read(&file)?;
            register(desk, matricule, presented, fingerprint, yes).await
        }
        CertCommand::List(arguments) => list(desk, arguments).await,
        CertCommand::Revoke { certificate, reason, yes, since } => {
            let (operator, clock) = (desk.operator.clone(), desk.clock);
            let since = since.map(|since| clock.read(&since)).transpose()?;
            let found = certificates::revocable(desk.connection(), &certificate).await?;
            if !yes {
                agree_to_revoke(&found, clock)?;
            }
            // The command revokes by number, so that exactly the certificate that was shown is revoked.
            let name = format!("#{}", found.certificate.id);
            let letters = certificates::revoke(desk.connection(), &operator, &name, &reason, since).await?;
            if desk.json {
                return show::json(&json!({ "revoked": certificate, "agency": found.certificate.agency,
                    "fingerprint": hex::encode(&found.certificate.fingerprint), "can_still_send": found.has_another,
                    "letters": letters }));
            }
            show::text(&revoked(&certificate, &found))?;
            if since.is_some() { review(letters, clock) } else { Ok(()) }
        }
    }
}

/// Shows a certificate with its warnings, asks the operator whether it is the agency's, and registers it.
async fn register(
    desk: &mut Desk,
    matricule: Matricule,
    presented: Vec<Presented>,
    fingerprint: Option<String>,
    yes: bool,
) -> anyhow::Result<()> {
    let (operator, clock) = (desk.operator.clone(), desk.clock);
    let agency = agencies::show(desk.connection(), matricule).await?;
    if let Some(fingerprint) = &fingerprint {
        demand_sha256(fingerprint)?;
    }
    let one = chosen(matricule, presented, fingerprint.as_deref())?;
    let concerns = certificates::concerns(&one.fields, Utc::now());
    let shown = facts(&format!("{matricule} {}", agency.name), &one, &concerns, clock);
    if fingerprint.is_none() && !ask::is_possible() {
        bail!(
            "{shown}the certificate's SHA-256 fingerprint is {}: compare it with what agency {matricule} told over another \
             channel, then confirm it with --fingerprint",
            spoken(&one.fields.fingerprint)
        );
    }
    if fingerprint.is_none() || !concerns.is_empty() {
        ask::tell(&shown)?;
    }
    let accepts_concerns = yes || concerns.is_empty() || {
        if !ask::is_possible() {
            bail!("nothing was registered: the certificate needs a second look; register it all the same with --yes");
        }
        ask::agrees(&said!("cert-ask-register"))?
    };
    if !accepts_concerns {
        bail!("nothing was registered");
    }
    let confirmed = match fingerprint {
        Some(fingerprint) => fingerprint,
        None if ask::agrees(&said!("cert-ask-told", agency = matricule.to_string()))? => {
            hex::encode(&one.fields.fingerprint)
        }
        None => bail!("nothing was registered: the fingerprint was not confirmed"),
    };
    let confirmation = Confirmation { fingerprint: &confirmed, accepts_concerns };
    let id = certificates::register(desk.connection(), &operator, matricule, &one.fields, confirmation).await?;
    let result = json!({ "id": id, "agency": matricule, "fingerprint": hex::encode(&one.fields.fingerprint),
        "not_before": one.fields.not_before, "not_after": one.fields.not_after, "concerns": concerns });
    let registered = said!(
        "cert-registered",
        agency = matricule.to_string(),
        algorithm = &one.fields.algorithm,
        from = clock.time(one.fields.not_before),
        to = clock.time(one.fields.not_after)
    );
    let labels = Labels::new(&[AGENCY, FINGERPRINT]);
    let lines = [
        registered,
        labels.line(AGENCY, 1, &show::plain(&agency.name)),
        labels.line(FINGERPRINT, 1, &spoken(&one.fields.fingerprint)),
    ];
    desk.tell_line(&result, &lines.join("\n"))
}

/// Refuses a text that is no SHA-256 fingerprint. If the text were only compared, the error would wrongly say that the certificate is
/// another one.
fn demand_sha256(fingerprint: &str) -> anyhow::Result<()> {
    let digits = certificates::plain_hex(fingerprint);
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match digits.len() {
        SHA256_DIGITS if is_hexadecimal => Ok(()),
        SHA1_DIGITS if is_hexadecimal => bail!(
            "{fingerprint} is a SHA-1 fingerprint: expected the SHA-256 one (64 hexadecimal digits), which the agency sees by \
             `openssl x509 -in FILE -noout -fingerprint -sha256`"
        ),
        _ => bail!(
            "{fingerprint:?} is no SHA-256 fingerprint (64 hexadecimal digits): the agency sees its own by \
             `openssl x509 -in FILE -noout -fingerprint -sha256`"
        ),
    }
}

/// Chooses one of the certificates in a file: the one whose fingerprint the agency gave, the only one, or the one that the operator picks.
fn chosen(matricule: Matricule, presented: Vec<Presented>, fingerprint: Option<&str>) -> anyhow::Result<Presented> {
    let told = fingerprint.map(certificates::plain_hex);
    let is_told = |one: &Presented| told.as_ref().is_some_and(|told| *told == hex::encode(&one.fields.fingerprint));
    let line = |(one, number): (&Presented, i32)| format!("  {number}. {}\n", speech::sentences(&one.to_string()));
    let lines: Vec<String> = presented.iter().zip(1..).map(line).collect();
    let (count, told_at) = (presented.len(), presented.iter().position(is_told));
    let at = match (count, told_at) {
        (_, Some(at)) => at,
        // The only certificate is chosen even where its fingerprint differs from the given one: the registration refuses it then, and says
        // why.
        (1, None) => 0,
        (_, None) if fingerprint.is_none() && ask::is_possible() => {
            ask::tell(&format!("{}\n{}", said!("cert-file-holds", count = count), lines.concat()))?;
            let answer = ask::ask(&said!("cert-ask-which", agency = matricule.to_string()))?;
            let number = answer.parse::<usize>().unwrap_or(0);
            number.checked_sub(1).filter(|at| *at < count).unwrap_or(count)
        }
        (_, None) => bail!(
            "nothing was registered: the file holds {count} certificates, of which that of agency {matricule} itself is to \
             be registered; name it with --fingerprint, as the agency told it:\n{}",
            lines.concat().trim_end()
        ),
    };
    match presented.into_iter().nth(at) {
        Some(one) => Ok(one),
        None => bail!("nothing was registered: no certificate of the file was chosen"),
    }
}

fn facts(agency: &str, one: &Presented, concerns: &[Concern], clock: Clock) -> String {
    let fields = &one.fields;
    let issuer = if one.subject == one.issuer { said!("cert-itself") } else { one.issuer.clone() };
    let facts = [
        (AGENCY, show::plain(agency)),
        ("cert-holder-label", one.subject.clone()),
        ("heading-issuer", issuer),
        (KEY, fields.algorithm.clone()),
        (VALID, valid(fields.not_before, fields.not_after, clock)),
        (FINGERPRINT, spoken(&fields.fingerprint)),
    ];
    let concern = |one: &Concern| (WARNING, speech::sentences(&words_of_errors::concern(one, |time| clock.time(time))));
    let labels = Labels::new(&[AGENCY, "cert-holder-label", "heading-issuer", KEY, VALID, FINGERPRINT, WARNING]);
    let lines = facts.into_iter().chain(concerns.iter().map(concern));
    lines.map(|(label, text)| format!("{}\n", labels.line(label, 2, &text))).collect()
}

/// Returns a sentence that says from when to when a certificate is valid.
fn valid(from: DateTime<Utc>, to: DateTime<Utc>, clock: Clock) -> String {
    said!("cert-valid", from = clock.time(from), to = clock.time(to))
}

/// Returns a sentence that names the agency whose certificate was revoked, and says whether the agency can still send.
fn revoked(name: &str, found: &Revocable) -> String {
    let one = &found.certificate;
    let sends = if found.has_another { said!("cert-sends-another") } else { said!("cert-sends-no-more") };
    let agency = format!("{} {}", one.agency, found.agency_name);
    let labels = Labels::new(&[AGENCY, FINGERPRINT]);
    let lines = [
        said!("cert-revoked", name = name),
        labels.line(AGENCY, 1, &said!("sentence-and-cause", sentence = agency, cause = sends)),
        labels.line(FINGERPRINT, 1, &spoken(&one.fingerprint)),
    ];
    format!("{}\n", lines.join("\n"))
}

/// Shows what a revocation would do, and asks the operator whether to go on.
fn agree_to_revoke(found: &Revocable, clock: Clock) -> anyhow::Result<()> {
    let one = &found.certificate;
    let matricule = one.agency.to_string();
    let labels = Labels::new(&[AGENCY, KEY, VALID, FINGERPRINT, WARNING]);
    let key = said!("cert-key", algorithm = &one.algorithm, count = found.certificates_of_key);
    let mut lines = vec![
        labels.line(AGENCY, 2, &format!("{matricule} {}", show::plain(&found.agency_name))),
        labels.line(KEY, 2, &key),
        labels.line(VALID, 2, &valid(one.not_before, one.not_after, clock)),
        labels.line(FINGERPRINT, 2, &spoken(&one.fingerprint)),
    ];
    lines.push(if found.has_another {
        said!("cert-has-another")
    } else {
        labels.line(WARNING, 2, &said!("cert-only-one"))
    });
    let shown = lines.join("\n");
    if !ask::is_possible() {
        bail!("{shown}\nnothing was revoked: say --yes to revoke this key, at once and for good");
    }
    ask::tell(&format!("{shown}\n"))?;
    if ask::agrees(&said!("cert-ask-revoke"))? { Ok(()) } else { bail!("nothing was revoked") }
}

fn review(letters: Vec<LetterToReview>, clock: Clock) -> anyhow::Result<()> {
    let mut table = Table::new(&["letter id", "installation", "sequence", "verdict", "received"]);
    for letter in letters {
        table.row([
            letter.letter_id.to_string(),
            letter.installation,
            show::or_dash(letter.sequence),
            terms::outcome(&letter.verdict),
            clock.time(letter.received_at),
        ]);
    }
    table.print(&said!("cert-no-letters"))
}

async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let filter = CertificateFilter {
        agency: arguments.agency,
        with_revoked: arguments.with_revoked,
        ending_before: arguments.ending_within_days.and_then(|days| Utc::now().checked_add_days(Days::new(days))),
        after: None,
        limit: None,
    };
    super::listing::tell(desk, &filter, arguments.after, arguments.extent).await
}
