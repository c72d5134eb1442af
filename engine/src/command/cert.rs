//! `xmserver cert`: certificates of agencies, registered by fingerprint, one agency to a key for ever.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::bail;
use chrono::{Days, Utc};
use clap::{Args, Subcommand};
use sdc::letter::Matricule;
use store::administration::certificates::{self, CertificateFields, CertificateFilter};

use super::{Desk, read_matricule};
use crate::certificate;
use crate::clock::Moment;
use crate::show::{self, Table};

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
    },
    /// List certificates
    List(ListArguments),
    /// Revoke a certificate, at once and for good
    Revoke {
        /// Its SHA-256 fingerprint
        fingerprint: String,
        /// Why
        #[arg(long)]
        reason: String,
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
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: i64,
}

pub(super) async fn run(desk: &mut Desk, command: CertCommand) -> anyhow::Result<()> {
    let (operator, clock) = (desk.operator.clone(), desk.clock);
    match command {
        CertCommand::Register { matricule, file, fingerprint } => {
            let certificate = certificate::read(&file)?;
            let confirmed = match fingerprint {
                Some(fingerprint) => fingerprint,
                None => ask(matricule, &certificate)?,
            };
            certificates::register(desk.connection(), &operator, matricule, &certificate, &confirmed).await?;
            show::text(&format!(
                "certificate of agency {matricule} registered: {}, valid to {}\nSHA-256 {}\n",
                certificate.algorithm,
                clock.time(certificate.not_after),
                certificate::spoken(&certificate.fingerprint)
            ))
        }
        CertCommand::List(arguments) => list(desk, arguments).await,
        CertCommand::Revoke { fingerprint, reason, since } => {
            let since = since.map(|since| clock.read(&since)).transpose()?;
            let letters = certificates::revoke(desk.connection(), &operator, &fingerprint, &reason, since).await?;
            if desk.json {
                return show::json(&letters);
            }
            show::text(&format!("certificate {fingerprint} is revoked\n"))?;
            if since.is_none() {
                return Ok(());
            }
            let mut table = Table::new(&["letter id", "installation", "sequence", "verdict", "received"]);
            for letter in letters {
                table.row([
                    letter.letter_id.to_string(),
                    letter.installation,
                    show::or_dash(letter.sequence),
                    letter.verdict,
                    clock.time(letter.received_at),
                ]);
            }
            table.print("no letter of the agency since then")
        }
    }
}

/// Shows the fingerprint and asks whether it is the one that the agency told. Returns it when it is.
fn ask(matricule: Matricule, certificate: &CertificateFields) -> anyhow::Result<String> {
    let fingerprint = certificate::spoken(&certificate.fingerprint);
    if !std::io::stdin().is_terminal() {
        bail!(
            "the certificate's SHA-256 fingerprint is {fingerprint}: compare it with what agency {matricule} told over \
             another channel, then confirm it with --fingerprint"
        );
    }
    let mut out = std::io::stderr().lock();
    writeln!(out, "SHA-256 {fingerprint}")?;
    write!(out, "Did agency {matricule} tell you this fingerprint over another channel? Type yes: ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        Ok(fingerprint)
    } else {
        bail!("nothing was registered: the fingerprint was not confirmed")
    }
}

async fn list(desk: &mut Desk, arguments: ListArguments) -> anyhow::Result<()> {
    let filter = CertificateFilter {
        agency: arguments.agency,
        with_revoked: arguments.with_revoked,
        ending_before: arguments.ending_within_days.and_then(|days| Utc::now().checked_add_days(Days::new(days))),
        after: arguments.after,
        limit: Some(arguments.limit),
    };
    let clock = desk.clock;
    let found = certificates::list(desk.connection(), &filter).await?;
    if desk.json {
        return show::json(&found);
    }
    let mut table = Table::new(&["id", "agency", "algorithm", "valid to", "revoked", "sha-256 fingerprint"]);
    for one in found {
        table.row([
            one.id.to_string(),
            show::matricule(one.agency),
            one.algorithm,
            clock.time(one.not_after),
            show::or_dash(one.revoked_at.map(|time| clock.time(time))),
            hex::encode(one.fingerprint),
        ]);
    }
    table.print("no certificate")
}
