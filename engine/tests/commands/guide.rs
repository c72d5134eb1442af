//! docs/GUIDE.md: the guide's checklist. Every item has a row, every command in it is run at a centre, and a row without a command says
//! why.

use std::path::Path;

use crate::operators::{agencies, in_douala, refused_letter};

/// Commands whose success depends on mailboxes, which this centre does not have. They must run and say so.
const NEED_MAILBOXES: [&str; 2] = ["check", "mail test"];

struct Item {
    number: String,
    here: String,
}

impl Item {
    /// Returns the commands between backticks, without the program's name.
    fn commands(&self) -> Vec<&str> {
        self.here.split('`').skip(1).step_by(2).filter_map(|command| command.strip_prefix("xmserver ")).collect()
    }

    fn says(&self, mark: &str) -> bool {
        self.here.contains(mark)
    }
}

fn items() -> Vec<Item> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/GUIDE.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| item"));
    let cells =
        rows.map(|row| row.trim_matches('|').splitn(4, '|').map(str::trim).map(str::to_owned).collect::<Vec<_>>());
    cells.map(|cells| Item { number: cells[0].clone(), here: cells[3].clone() }).collect()
}

#[test]
fn every_item_of_the_guide_has_one_row() {
    let parts = [("C", 11), ("I", 12), ("S", 4), ("A", 6), ("T", 6), ("D", 9)];
    let asked = parts.iter().flat_map(|(part, last)| (1..=*last).map(move |number| format!("{part}{number}")));
    let there: Vec<String> = items().into_iter().map(|item| item.number).collect();
    assert_eq!(there, asked.collect::<Vec<_>>());
    assert_eq!(there.len(), 48);
}

#[test]
fn a_row_without_a_command_says_why_and_they_are_counted() {
    let items = items();
    for item in items.iter().filter(|item| item.commands().is_empty()) {
        assert!(item.says("later: screen") || item.says("different: "), "{}: {}", item.number, item.here);
    }
    let count = |mark| items.iter().filter(|item| item.says(mark)).count();
    assert_eq!((count("later: screen"), count("different: ")), (3, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_guide_runs() {
    let centre = in_douala().await;
    agencies(&centre, 1).await;
    refused_letter(&centre).await;
    let mut run = 0;
    for item in items() {
        for command in item.commands() {
            let said = centre.say(&command.split(' ').collect::<Vec<_>>());
            let codes: &[i32] = if NEED_MAILBOXES.contains(&command) { &[0, 1] } else { &[0] };
            let is_well = said.code.is_some_and(|code| codes.contains(&code));
            assert!(is_well, "{}: xmserver {command}: {:?} {}{}", item.number, said.code, said.out, said.err);
            run += 1;
        }
    }
    assert!(run > 45, "{run} commands are found");
}
