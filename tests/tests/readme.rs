//! Runs the commands of README.md and then those of FORMAT.md's worked example, as a newcomer would copy them, and checks what the centre
//! answers: both receipts, certified papers, and records that were read back.
//!
//! All blocks run in one shell, unchanged. Only the data folder and the two ports of the trial's mail server are replaced, because they
//! belong to the machine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use scenarios::program::xmserver;
use sdc::answer::part::{Part, PartContent};
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::answer::results::Found;
use sdc::digest::Digest;
use sdc::payload::{PayloadLimits, read_answer, read_part};
use serde_json::json;

/// Shell commands that end the background processes of the shell, and wait for their end, in whatever way the shell exits.
const PRELUDE: &str = "set -eu\ntrap 'status=$?; kill $(jobs -p) 2>/dev/null || true; wait; exit $status' EXIT\n";

/// Returns the blocks of commands in a section, in order.
fn commands(document: &str, section: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    let text = fs::read_to_string(path).unwrap();
    let (_, after) = text.split_once(&format!("\n## {section}\n")).unwrap();
    let section = after.split("\n## ").next().unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

/// The surroundings of one newcomer: a home, a centre, and ports that nobody else uses.
struct Newcomer {
    home: tempfile::TempDir,
    ports: [u16; 3],
}

impl Newcomer {
    fn new() -> Newcomer {
        // Where tests run as root, PostgreSQL's own user must be able to pass through this folder.
        let everybody_passes = fs::Permissions::from_mode(0o711);
        let home = tempfile::Builder::new().prefix("xm-readme-").permissions(everybody_passes).tempdir().unwrap();
        // Each port stays bound until all are chosen, so that they differ.
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = [0, 1, 2].map(|at: usize| held[at].local_addr().unwrap().port());
        Newcomer { home, ports }
    }

    /// Runs commands in one shell. Its PATH has the folder of the program that was built.
    fn copies(&self, commands: &str) -> String {
        let data = self.home.path().join("centre");
        let data = data.to_str().unwrap();
        let [pop3, smtp, http] = self.ports.map(|port| port.to_string());
        let commands = commands.replace("/var/lib/xmserver", data).replace("2110", &pop3).replace("2525", &smtp);
        let program = xmserver().unwrap();
        let path = format!("export PATH='{}':$PATH\n", program.parent().unwrap().display());
        let output = Command::new("bash")
            .args(["-c", &format!("{path}{PRELUDE}{commands}")])
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("LC_ALL", "C")
            .env("XMSERVER_SERVER__DATA_FOLDER", data)
            .env("XMSERVER_SERVER__HTTP_ADDRESS", format!("127.0.0.1:{http}"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let logs =
            ["run.log", "post.log"].map(|log| fs::read_to_string(self.home.path().join(log)).unwrap_or_default());
        assert!(output.status.success(), "{commands}\n{said}\n{}", logs.join("\n"));
        said
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.home.path().join(file)).unwrap()
    }

    /// Reads a receipt from the file that the commands have written, and checks that it is the receipt for the letter in the file `letter`.
    fn receipt(&self, receipt: &str, letter: &str) -> Receipt {
        let answer = read_answer(&self.read(receipt), &PayloadLimits::default()).unwrap();
        assert_eq!(answer.receipt.digest, Digest::of(&self.read(letter)).to_string());
        answer.receipt
    }

    /// Reads the only part of the answer to a letter that asked for records.
    fn part(&self, part: &str, letter: &str) -> PartContent {
        let Part { head, content } = read_part(&self.read(part), &PayloadLimits::default()).unwrap();
        assert_eq!(head.answers.digest, Digest::of(&self.read(letter)).to_string());
        assert_eq!((head.part, head.last, head.from.as_str()), (1, true, "centre-x"));
        content
    }
}

#[test]
fn a_newcomer_reads_the_receipt_of_a_first_letter_by_copying_commands() {
    let newcomer = Newcomer::new();
    let mut blocks = commands("README.md", "A centre of one's own");
    let build = blocks.remove(0);
    assert!(build.starts_with("cargo build --release --bin xmserver && export PATH="), "{build}");
    let by_hand = commands("FORMAT.md", "Worked example");
    let said = newcomer.copies(&format!(
        "{}\nmkdir by-hand && cd by-hand\n{}\nxmserver journal list --json\n",
        blocks.join("\n"),
        by_hand.join("\n")
    ));

    assert!(said.contains(r#""verdict":"accepted","rows":[{"table":"ActeNaissance","new":1"#), "{said}");
    assert_eq!(said.matches(r#""outcome": "accepted""#).count(), 4, "{said}");
    let of = |folder: &str| newcomer.receipt(&format!("{folder}/receipt.json"), &format!("{folder}/letter.json"));
    let [first, second] = ["office", "by-hand"].map(of);
    assert_eq!((first.verdict, second.verdict), (Verdict::Accepted, Verdict::Accepted));
    // The numbers in FORMAT.md (sequence 2, the balance) are those of an office that has sent README's letter before.
    assert_eq!((second.rows[0].new, second.highest_sequence), (2, 2));
    assert_eq!((second.account.cost, second.account.balance), (200, -300));
    papers_are_certified_and_records_read_back(&newcomer, &said);
}

/// Checks that the commands have printed what FORMAT.md shows beside them, and that the certified papers and the records are those that the
/// newcomer had sent.
fn papers_are_certified_and_records_read_back(newcomer: &Newcomer, said: &str) {
    let shown: Vec<String> = commands("FORMAT.md", "Worked example")
        .concat()
        .lines()
        .filter_map(|line| Some(line.split_once(".json     # … ")?.1.strip_suffix(" …").unwrap().to_owned()))
        .collect();
    assert_eq!(shown.len(), 2, "{shown:?}");
    for answer in shown {
        assert!(said.contains(&answer), "{answer}: {said}");
    }
    let papers = newcomer.receipt("by-hand/papers-receipt.json", "by-hand/papers.json");
    let lost = newcomer.receipt("by-hand/lost-receipt.json", "by-hand/lost.json");
    for (receipt, sequence, acts) in [(papers, 3, 3), (lost, 4, 2)] {
        assert_eq!((receipt.verdict, receipt.highest_sequence), (Verdict::Accepted, sequence));
        assert_eq!(receipt.read.map(|read| (read.acts, read.parts)), Some((acts, 1)));
        assert_eq!((receipt.account.cost, receipt.account.balance), (0, -300), "no tariff, no price");
    }
    let PartContent::Results(results) = newcomer.part("by-hand/papers-certified.json", "by-hand/papers.json") else {
        panic!("no results")
    };
    let outcomes: Vec<Found> = results.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Found::Match, Found::Differs, Found::NotFound]);
    assert!(results.results.iter().all(|result| result.record.is_none()), "the plan gives the verdict alone");
    let PartContent::Rows(rows) = newcomer.part("by-hand/lost-records.json", "by-hand/lost.json") else {
        panic!("no rows")
    };
    assert_eq!(rows.columns, ["NumeroActe", "NomEnfant", "DateNaissance"]);
    let told = [json!([118, 119]), json!(["Ngo Biyong", "Épée"]), json!(["2026-11-01", "2026-10-30"])];
    assert_eq!(json!(rows.values), json!(told));
}
