//! `xmagency export` and `xmagency transmit`: records into letters, letters to the centre, answers home.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use face::{said, speech};

use super::speak;
use crate::desk::Desk;
use crate::letters::{self, News};
use crate::transmit::{self, Carried};

/// Pause between two looks into the mailbox, while answers are awaited.
const LOOK: Duration = Duration::from_secs(5);

/// Which records are packed.
#[derive(Args, Debug)]
pub struct ExportArguments {
    /// Only those of this table
    #[arg(value_name = "TABLE")]
    table: Option<String>,
    /// Also those whose letter was refused until the centre is paid, or lifts a suspension
    #[arg(long)]
    again: bool,
}

/// How letters are carried.
#[derive(Args, Debug)]
pub struct TransmitArguments {
    /// On a stick: the folder on it that has, or gets, the folders in and out
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Look again for answers, for so many seconds at most, until every letter has one
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
}

pub(super) fn export(desk: &Desk, arguments: &ExportArguments) -> anyhow::Result<()> {
    desk.require_officer()?;
    let table = arguments.table.as_ref().map(|name| desk.database.table(name)).transpose()?;
    let exported = letters::export(desk, table.as_ref(), arguments.again)?;
    let mut words = Vec::new();
    for letter in &exported.letters {
        words.push(said!(
            "office-packed",
            letter = letter.sequence.to_string(),
            count = letter.records.len(),
            bytes = letter.bytes
        ));
    }
    words.extend(exported.too_large.iter().map(|one| speech::sentences(&one.to_string())));
    if exported.letters.is_empty() {
        words.push(said!("office-nothing-to-pack"));
    }
    let numbers: Vec<String> = exported.faulty.iter().map(|(numero, _)| numero.to_string()).collect();
    if !numbers.is_empty() {
        words.push(said!("office-not-packed", count = numbers.len(), records = numbers.join(", ")));
    }
    desk.tell(&exported, &words.join("\n"))
}

pub(super) fn transmit(desk: &Desk, arguments: &TransmitArguments) -> anyhow::Result<()> {
    if speak::is_due(desk)? && !speak::is_asked(desk)? {
        speak::pack_renewal(desk)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let carried = runtime.context("the program cannot reach the network")?.block_on(carry(desk, arguments))?;
    let words = in_words(desk, &carried)?;
    desk.tell(&carried, &words)
}

async fn carry(desk: &Desk, arguments: &TransmitArguments) -> anyhow::Result<Carried> {
    let (began, longest) = (Instant::now(), Duration::from_secs(arguments.wait));
    let mut all = transmit::carry(desk, arguments.folder.as_deref()).await?;
    while desk.database.awaited()? > 0 && began.elapsed() + LOOK <= longest {
        tokio::time::sleep(LOOK).await;
        let further = transmit::carry(desk, arguments.folder.as_deref()).await?;
        all.sent.extend(further.sent);
        all.news.extend(further.news);
        all.foreign.extend(further.foreign);
        all.bytes_sent += further.bytes_sent;
        all.bytes_received += further.bytes_received;
    }
    Ok(all)
}

fn in_words(desk: &Desk, carried: &Carried) -> anyhow::Result<String> {
    let mut lines = vec![said!("office-carried", count = carried.sent.len(), bytes = carried.bytes_sent)];
    lines.push(said!("office-received", count = carried.news.len(), bytes = carried.bytes_received));
    for news in &carried.news {
        match news {
            News::Receipt { sequence, .. } => {
                let sequence = i64::try_from(*sequence).unwrap_or(i64::MAX);
                let letters = desk.database.letters(Some(sequence), 1)?;
                lines.extend(letters.iter().map(super::letter::line));
            }
            News::Part { part, .. } => lines.push(said!("office-news-part", part = u32::from(*part))),
            News::Notice { number, kind } => {
                lines.push(said!("office-news-notice", notice = number.to_string(), kind = super::letter::kind(kind)));
            }
            News::Known => {}
        }
    }
    if !carried.foreign.is_empty() {
        lines.push(said!("office-foreign", count = carried.foreign.len()));
    }
    let awaited = desk.database.awaited()?;
    if awaited > 0 {
        lines.push(said!("office-awaited", count = awaited));
    }
    Ok(lines.join("\n"))
}
