//! `xmserver quarantine retry`: opens an entry again with the centre's keys and settles it anew.

use std::sync::Arc;

use anyhow::bail;
use reader::{ReadLimits, Reader};
use sdc::refusal::RefusalCode;
use serde_json::{Value, json};
use store::certificates::issuer::CertificateIssuer;
use store::ledger::voucher_keys::VoucherKeys;
use store::letters::quarantine::retry;
use store::settle::{Arrival, Settler, SettlingSettings, Tried};

use super::selection::Outcome;
use crate::command::desk::Desk;
use crate::configuration::Configuration;
use crate::database::connect_reader;
use crate::folder::DataFolder;
use crate::issuer::Authority;
use crate::keys::{self, LoadedKeys};
use crate::reopen;
use crate::speech::{self, said};

/// What retries need: the centre's keys, and a settler that works as the running centre does.
pub(super) struct Retrier<'a> {
    configuration: &'a Configuration,
    keys: LoadedKeys,
    settler: Arc<Settler>,
}

impl Retrier<'_> {
    pub(super) fn new<'a>(desk: &Desk, configuration: &'a Configuration) -> anyhow::Result<Retrier<'a>> {
        let folder = DataFolder::of(configuration)?;
        let keys = keys::load(&folder.keys())?;
        let voucher_keys = VoucherKeys::of(&keys.centre)?;
        let issuer =
            Authority::load(&folder.keys())?.map(|authority| -> Arc<dyn CertificateIssuer> { Arc::new(authority) });
        let settling = SettlingSettings { voucher_keys, issuer, ..configuration.limits.of_settling() };
        let settler = Arc::new(Settler::new(desk.database.clone(), settling));
        Ok(Retrier { configuration, keys, settler })
    }

    /// Tries an entry again. Returns the outcome of each of its containers.
    pub(super) async fn retry(&self, desk: &mut Desk, id: i64, reason: &str) -> anyhow::Result<Vec<Tried>> {
        let operator = desk.operator.clone();
        let taken_up = retry::take_up(desk.connection(), &operator, id).await?;
        let limits = &self.configuration.limits;
        let mut arrivals = reopen::arrivals(desk.connection(), &self.keys.centre, limits, &taken_up).await?;
        self.read_again(desk, &mut arrivals).await?;
        Ok(retry::retry(&self.settler, desk.connection(), &operator, &taken_up, arrivals, reason).await?)
    }

    /// Reads records again for those letters that ask for records. If the centre has no login that reads, nothing is read.
    async fn read_again(&self, desk: &Desk, arrivals: &mut [Arrival]) -> anyhow::Result<()> {
        let asking = arrivals.iter_mut().filter(|arrival| arrival.asks_to_read());
        let Some(login) = connect_reader(self.configuration, None)? else { return Ok(()) };
        let settler = Arc::clone(&self.settler);
        let reader = Reader::new(desk.database.clone(), Some(login), settler, ReadLimits::default());
        for arrival in asking {
            arrival.read = reader.read_again(arrival).await?;
        }
        Ok(())
    }
}

/// Tries one entry again and tells what became of it.
///
/// # Errors
/// No attempt could be made: the entry stays as it is.
pub(super) async fn retry_one(retrier: &Retrier<'_>, desk: &mut Desk, id: i64, reason: &str) -> anyhow::Result<()> {
    let tried = retrier.retry(desk, id, reason).await?;
    let words = words_of(id, &tried);
    if !tried.iter().any(is_attempt) {
        bail!("quarantine entry {id} stays as it is: {}", words.join("; "));
    }
    let result = json!({ "id": id, "tried": tried.iter().map(retry::as_json).collect::<Vec<Value>>() });
    desk.tell(&result, &words.iter().map(|line| format!("{line}\n")).collect::<String>())
}

/// Returns what became of an entry, for the list of a selection. The codes of several containers of one mail are joined by commas.
pub(super) fn outcome(id: i64, tried: &[Tried]) -> Outcome {
    let codes: Vec<Value> = tried.iter().map(retry::as_json).collect();
    let mut codes: Vec<&str> = codes.iter().filter_map(|code| code["outcome"].as_str()).collect();
    codes.dedup();
    // Where a table takes no rows now, nothing was tried.
    let is_final = !tried.iter().any(|tried| matches!(tried, Tried::Waits));
    Outcome { code: codes.join(","), words: words_of(id, tried).join("; "), is_final }
}

fn is_attempt(tried: &Tried) -> bool {
    matches!(tried, Tried::Accepted { .. } | Tried::Refused { .. } | Tried::Held { .. })
}

fn words_of(id: i64, tried: &[Tried]) -> Vec<String> {
    let told = |tried: &Tried| match tried {
        Tried::Stranger(refusal) if refusal.code == RefusalCode::UnknownSigner => {
            said!("quarantine-no-certificate", entry = id.to_string())
        }
        other => tried_words(other),
    };
    tried.iter().map(told).collect()
}

pub(in crate::command) fn tried_words(tried: &Tried) -> String {
    match tried {
        Tried::Accepted { letter_id, attempt } => {
            said!("quarantine-accepted", letter = letter_id.to_string(), attempt = attempt.to_string())
        }
        Tried::Refused { letter_id, attempt, refusal } => said!(
            "quarantine-refused-again",
            letter = letter_id.to_string(),
            attempt = attempt.to_string(),
            refusal = speech::sentences(&refusal.to_string())
        ),
        Tried::Held { letter_id, attempt, checks } => said!(
            "quarantine-held",
            letter = letter_id.to_string(),
            attempt = attempt.to_string(),
            checks = checks.join(", ")
        ),
        Tried::Stranger(refusal) => {
            said!("quarantine-no-attempt", refusal = speech::sentences(&refusal.to_string()))
        }
        Tried::AcceptedBefore { letter_id } => said!("quarantine-accepted-before", letter = letter_id.to_string()),
        Tried::Waits => said!("quarantine-waits"),
    }
}
