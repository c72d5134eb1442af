//! Lists, page by page. None ends silently: people are told what is left and how to go on, programs get everything.

use clap::Args;
use diesel_async::AsyncPgConnection;
use serde::Serialize;
use store::administration::AdministrationError;

use super::Desk;
use crate::show::{self, Table};

/// Lines that people are shown where they do not say how many.
const SHOWN: i64 = 100;
/// Lines read from the database at a time.
const PAGE: i64 = 1000;
/// Lines behind a page that are counted at most, to be told.
const COUNTED_MAX: i64 = 10_000;

/// How much of a list.
#[derive(Args, Clone, Copy, Debug)]
pub struct Extent {
    /// At most so many; by default 100 for people and everything for programs
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(i64).range(1..))]
    limit: Option<i64>,
    /// Everything
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Extent {
    fn lines(self, is_for_programs: bool) -> i64 {
        match self.limit {
            Some(limit) => limit,
            None if self.all || is_for_programs => i64::MAX,
            None => SHOWN,
        }
    }
}

/// A list that is read in pages, each behind the last line of the one before.
pub(super) trait Listing {
    /// One line.
    type Line: Serialize;
    /// What names a line's place.
    type Cursor: Copy;
    /// Headings of the table.
    const HEADINGS: &'static [&'static str];

    /// Reads at most `limit` lines behind one.
    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<Self::Cursor>,
        limit: i64,
    ) -> Result<Vec<Self::Line>, AdministrationError>;

    /// Returns a line's place.
    fn cursor(line: &Self::Line) -> Self::Cursor;

    /// Returns the option that goes on behind a line.
    fn goes_on(last: Self::Cursor) -> String;

    /// Returns a line's cells, one for each heading.
    fn cells(line: Self::Line, desk: &Desk) -> Vec<String>;

    /// Says in words that there is no line.
    async fn nothing(&self, connection: &mut AsyncPgConnection) -> Result<String, AdministrationError>;
}

/// Tells a list, beginning behind a line where one is given.
pub(super) async fn tell<L: Listing>(
    desk: &mut Desk,
    listing: &L,
    behind: Option<L::Cursor>,
    extent: Extent,
) -> anyhow::Result<()> {
    let lines = extent.lines(desk.json);
    if desk.json {
        for_programs(desk, listing, behind, lines).await
    } else {
        for_people(desk, listing, behind, lines).await
    }
}

/// Writes one array, page by page: a list of any length takes no more memory than a page.
async fn for_programs<L: Listing>(
    desk: &mut Desk,
    listing: &L,
    mut behind: Option<L::Cursor>,
    mut left: i64,
) -> anyhow::Result<()> {
    let mut separator = "[\n  ";
    while left > 0 {
        let asked = left.min(PAGE);
        let page = listing.page(desk.connection(), behind, asked).await?;
        behind = page.last().map(L::cursor).or(behind);
        let read = i64::try_from(page.len())?;
        for line in page {
            let text = serde_json::to_string_pretty(&line)?.replace('\n', "\n  ");
            show::text(&format!("{separator}{text}"))?;
            separator = ",\n  ";
        }
        if read < asked {
            break;
        }
        left -= read;
    }
    show::text(if separator.starts_with('[') { "[]\n" } else { "\n]\n" })
}

async fn for_people<L: Listing>(
    desk: &mut Desk,
    listing: &L,
    mut behind: Option<L::Cursor>,
    mut left: i64,
) -> anyhow::Result<()> {
    let mut table = Table::new(L::HEADINGS);
    let mut shown = 0;
    loop {
        let asked = left.min(PAGE);
        let page = listing.page(desk.connection(), behind, asked).await?;
        behind = page.last().map(L::cursor).or(behind);
        let read = i64::try_from(page.len())?;
        page.into_iter().for_each(|line| table.cells(L::cells(line, desk)));
        (shown, left) = (shown + read, left - read);
        if read < asked || left == 0 {
            break;
        }
    }
    let nothing = if shown == 0 { listing.nothing(desk.connection()).await? } else { String::new() };
    table.print(&nothing)?;
    match behind.filter(|_| shown > 0 && left == 0) {
        Some(last) => tell_more(desk, listing, last, shown).await,
        None => Ok(()),
    }
}

/// Counts what is left, up to a bound: whoever looks at a hundred lines shall not wait for millions.
async fn tell_more<L: Listing>(desk: &mut Desk, listing: &L, last: L::Cursor, shown: i64) -> anyhow::Result<()> {
    let (mut counted, mut behind) = (0, Some(last));
    while counted < COUNTED_MAX {
        let page = listing.page(desk.connection(), behind, PAGE).await?;
        let read = i64::try_from(page.len())?;
        behind = page.last().map(L::cursor).or(behind);
        counted += read;
        if read < PAGE {
            break;
        }
    }
    if counted == 0 {
        return Ok(());
    }
    let word = if counted < COUNTED_MAX { "" } else { "more than " };
    show::text(&format!("{shown} of {word}{}; more: {}, or --all\n", shown + counted, L::goes_on(last)))
}
