//! `xmagency status`: what waits, since when, what was refused and why, and what to do.

use chrono::{Duration, Utc};
use face::{said, show};

use super::{letter, record};
use crate::desk::Desk;
use crate::records::Status;
use crate::status::{Overview, overview};

/// Days before the end of the certificate from which it may be renewed (FORMAT.md, renew).
const RENEWAL_DAYS: i64 = 60;
/// Difference of the clocks, in seconds, from which the officer is told. A letter may lie for a while on its way, so only a clock that is
/// fast is certain; one that is slow by less than a day may be the way.
const SKEW_SECONDS: std::ops::RangeInclusive<i64> = -86_400..=600;

pub(super) fn run(desk: &Desk) -> anyhow::Result<()> {
    let overview = overview(desk)?;
    if desk.json {
        return show::json(&overview);
    }
    show::text(&format!("{}\n", words(&overview).join("\n")))
}

fn words(overview: &Overview) -> Vec<String> {
    let mut lines = vec![said!(
        "office-status-head",
        agency = overview.matricule.to_string(),
        installation = &overview.installation,
        centre = &overview.centre,
        mode = overview.mode.as_str()
    )];
    for counted in overview.records.iter().filter(|counted| counted.count > 0) {
        lines.push(said!("office-status-records", count = counted.count, status = record::status(counted.status)));
    }
    for one in overview.unsent.iter().chain(&overview.unanswered).chain(&overview.held).chain(&overview.refused) {
        lines.push(letter::line(one));
    }
    if let (Some(balance), Some(currency)) = (overview.balance, &overview.currency) {
        let amount = said!("office-amount", amount = balance, currency = currency);
        lines.push(said!("office-status-balance", amount = amount));
    }
    lines.extend(overview.carried_at.as_ref().map(|time| said!("office-status-carried", time = time)));
    for month in overview.traffic.iter().take(2) {
        lines.push(said!("office-status-traffic", month = &month.month, sent = month.sent, received = month.received));
    }
    lines.extend(to_do(overview));
    lines
}

/// Returns what somebody should do, the most urgent first.
fn to_do(overview: &Overview) -> Vec<String> {
    let count = |status: Status| overview.records.iter().find(|one| one.status == status).map_or(0, |one| one.count);
    let mut lines = Vec::new();
    match overview.certificate_ends {
        None if overview.unsent.is_empty() && overview.unanswered.is_empty() => lines.push(said!("office-do-enrol")),
        None => {}
        Some(ends) if ends < Utc::now() + Duration::days(RENEWAL_DAYS) => {
            lines.push(said!("office-do-certificate", time = ends.to_rfc3339(), telephone = &overview.telephone));
        }
        Some(_) => {}
    }
    if let Some(seconds) = overview.skew_seconds.filter(|seconds| !SKEW_SECONDS.contains(seconds)) {
        let side = if seconds > 0 { "fast" } else { "slow" };
        lines.push(said!("office-do-clock", seconds = seconds.unsigned_abs(), side = side));
    }
    if !overview.refused.is_empty() {
        lines.push(said!("office-do-refused", count = overview.refused.len()));
    }
    if count(Status::New) > 0 {
        lines.push(said!("office-do-validate", count = count(Status::New)));
    }
    if count(Status::Validated) > 0 {
        lines.push(said!("office-do-export", count = count(Status::Validated)));
    }
    if !overview.unsent.is_empty() {
        lines.push(said!("office-do-transmit", count = overview.unsent.len()));
    }
    if lines.is_empty() {
        lines.push(said!("office-do-nothing"));
    }
    lines
}
