//! Prints lists, page by page. A list for people ends after a number of lines, and then says how many lines follow and which option shows
//! them. A list for programs (JSON) is complete unless a limit is given.

use std::fmt::Display;

use clap::Args;
use diesel_async::AsyncPgConnection;
use serde::Serialize;
use store::error::AdministrationError;

use super::desk::Desk;
use crate::show::{self, Table};
use crate::speech::said;

/// Number of lines that a list for people shows by default.
const SHOWN: i64 = 100;
/// Number of lines that one query of the database reads.
const PAGE: i64 = 1000;
/// If a list for people ends early, the lines that follow are counted up to this number, so that the count stays quick.
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

/// Lines of a list that begins with the newest one.
#[derive(Args, Clone, Copy, Debug)]
pub struct Newest {
    /// Older than this one
    #[arg(long)]
    before: Option<i32>,
    #[command(flatten)]
    extent: Extent,
}

/// Prints a list that begins with the newest line.
pub(super) async fn tell_newest(
    desk: &mut Desk,
    listing: &impl Listing<Cursor = i32>,
    Newest { before, extent }: Newest,
) -> anyhow::Result<()> {
    tell(desk, listing, before, extent).await
}

impl Extent {
    /// Returns the largest number of lines that are shown.
    pub(super) fn lines(self, is_for_programs: bool) -> i64 {
        match self.limit {
            Some(limit) => limit,
            None if self.all || is_for_programs => i64::MAX,
            None => SHOWN,
        }
    }
}

/// A list that is read in pages. Each page begins after the last line of the page before.
pub(super) trait Listing {
    /// Type of one line of the list.
    type Line: Serialize;
    /// Value of a line, such as its number, after which the next page begins.
    type Cursor: Copy + Display;
    /// The command-line option that prints the lines after a given line. By default it is `--before`, since most lists begin with the
    /// newest line.
    const GOES_ON: &'static str = "--before";
    /// Headings of the table that people see.
    const HEADINGS: &'static [&'static str];

    /// Reads at most `limit` lines that follow the line at `behind`.
    async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        behind: Option<Self::Cursor>,
        limit: i64,
    ) -> Result<Vec<Self::Line>, AdministrationError>;

    /// Returns the value of this line after which the next page begins.
    fn cursor(line: &Self::Line) -> Self::Cursor;

    /// Returns the command-line option that prints the lines after this line, together with its value, such as `--before 7`.
    fn goes_on(last: Self::Cursor) -> String {
        format!("{} {last}", Self::GOES_ON)
    }

    /// Returns a line's cells, one for each heading.
    fn cells(line: Self::Line, desk: &Desk) -> Vec<String>;

    /// Returns the sentence that is printed if the list is empty.
    async fn nothing(&self, connection: &mut AsyncPgConnection) -> Result<String, AdministrationError>;
}

/// Prints a list, as JSON or as a table. If `behind` is given, the list begins after that line.
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

/// Writes one JSON array, page by page, so that a list of any length needs no more memory than a page. Ends early if the program that reads
/// standard output has ended.
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

/// Prints how many lines follow the ones shown, and which option shows them. At most [`COUNTED_MAX`] lines are counted, because an operator
/// who wants a hundred lines must not wait until millions are counted.
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

    /// An endless list of the numbers from 1, with a count of the pages that were read.
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
