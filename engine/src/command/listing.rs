//! Lists, page by page. No list is cut silently: people are told how many lines are left and how to go on, programs get all lines.

use std::fmt::Display;

use clap::Args;
use diesel_async::AsyncPgConnection;
use serde::Serialize;
use store::error::AdministrationError;

use super::desk::Desk;
use crate::show::{self, Table};
use crate::speech::said;

/// Lines that people are shown by default.
const SHOWN: i64 = 100;
/// Lines read from the database at a time.
const PAGE: i64 = 1000;
/// Most lines behind a page that are counted, to be told.
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
    /// The value by which the next page goes on behind a line.
    type Cursor: Copy + Display;
    /// The option with which the next page is asked for. By default it is `--before`, since most lists begin with the newest line.
    const GOES_ON: &'static str = "--before";
    /// Headings of the table.
    const HEADINGS: &'static [&'static str];

    /// Reads at most `limit` lines that follow the line at `behind`.
    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<Self::Cursor>,
        limit: i64,
    ) -> Result<Vec<Self::Line>, AdministrationError>;

    /// Returns the value by which the next page goes on behind a line.
    fn cursor(line: &Self::Line) -> Self::Cursor;

    /// Returns the option that asks for the lines behind one, with its value as it is typed.
    fn goes_on(last: Self::Cursor) -> String {
        format!("{} {last}", Self::GOES_ON)
    }

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
        for_programs(desk, listing, behind, lines, show::part).await
    } else {
        for_people(desk, listing, behind, lines).await
    }
}

/// Writes one JSON array, page by page, so that a list of any length takes no more memory than a page. Ends early where the reader of
/// standard output has gone away.
async fn for_programs<L: Listing>(
    desk: &mut Desk,
    listing: &L,
    mut behind: Option<L::Cursor>,
    mut left: i64,
    mut write: impl FnMut(&str) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let mut separator = "[\n  ";
    while left > 0 {
        let asked = left.min(PAGE);
        let page = listing.page(desk.connection(), behind, asked).await?;
        behind = page.last().map(L::cursor).or(behind);
        let read = i64::try_from(page.len())?;
        for line in page {
            let text = serde_json::to_string_pretty(&line)?.replace('\n', "\n  ");
            if !write(&format!("{separator}{text}"))? {
                return Ok(());
            }
            separator = ",\n  ";
        }
        if read < asked {
            break;
        }
        left -= read;
    }
    write(if separator.starts_with('[') { "[]\n" } else { "\n]\n" }).map(drop)
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

/// Counts the lines that are left, up to a bound: an operator who looks at a hundred lines must not wait for millions.
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
    let (all, option) = (shown + counted, L::goes_on(last));
    let words = if counted < COUNTED_MAX {
        said!("list-more", shown = shown, all = all, option = option)
    } else {
        said!("list-more-than", shown = shown, all = all, option = option)
    };
    show::text(&format!("{words}\n"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use store::centre::server::Server;
    use store::testing::{self, TestCluster};

    use super::*;
    use crate::clock::Clock;

    /// The numbers from one on, without end.
    struct Numbers {
        pages: Cell<u32>,
    }

    impl Listing for Numbers {
        type Line = i64;
        type Cursor = i64;
        const HEADINGS: &'static [&'static str] = &["number"];

        async fn page(
            &self,
            _connection: &mut AsyncPgConnection,
            behind: Option<i64>,
            limit: i64,
        ) -> Result<Vec<i64>, AdministrationError> {
            self.pages.set(self.pages.get() + 1);
            let first = behind.unwrap_or(0) + 1;
            Ok((first..first + limit).collect())
        }

        fn cursor(line: &i64) -> i64 {
            *line
        }

        fn goes_on(last: i64) -> String {
            last.to_string()
        }

        fn cells(line: i64, _desk: &Desk) -> Vec<String> {
            vec![line.to_string()]
        }

        async fn nothing(&self, _connection: &mut AsyncPgConnection) -> Result<String, AdministrationError> {
            Ok(String::new())
        }
    }

    #[tokio::test]
    async fn a_list_ends_with_its_reader() {
        let database = TestCluster::shared().await.database().await;
        let mut connection = database.get().await.unwrap();
        let operator = testing::operator(&mut connection).await;
        let mut desk = Desk {
            database: database.clone(),
            connection,
            operator,
            server: Server::new("centre.example.cm", sdc::letter::Mode::Test),
            clock: Clock::of("UTC").unwrap(),
            json: true,
            own_addresses: Vec::new(),
        };
        let numbers = Numbers { pages: Cell::new(0) };
        let mut read = String::new();
        let head = |text: &str| {
            read.push_str(text);
            Ok(read.lines().count() < 1500)
        };
        for_programs(&mut desk, &numbers, None, i64::MAX, head).await.unwrap();
        assert_eq!(numbers.pages.get(), 2, "the page in which the reader went is the last");
        let mut whole = String::new();
        let all = |text: &str| {
            whole.push_str(text);
            Ok(true)
        };
        for_programs(&mut desk, &numbers, None, 2, all).await.unwrap();
        assert_eq!(whole, "[\n  1,\n  2\n]\n");
    }
}
