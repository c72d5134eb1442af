//! A newcomer copies the commands of README.md, then those of FORMAT.md's worked example, and reads both receipts.
//!
//! The blocks are run as they stand, in one shell, with nothing replaced but what belongs to the machine: the data folder
//! and the two ports of the trial's mail server.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use scenarios::program::xmserver;
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::digest::Digest;
use sdc::payload::{PayloadLimits, read_answer};

/// Ends what the commands have left running in the background, and waits for it, however the shell ends.
const PRELUDE: &str = "set -eu\ntrap 'status=$?; kill $(jobs -p) 2>/dev/null || true; wait; exit $status' EXIT\n";

/// Returns the blocks of a section that are commands, in their order.
fn commands(document: &str, section: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    let text = fs::read_to_string(path).unwrap();
    let (_, after) = text.split_once(&format!("\n## {section}\n")).unwrap();
    let section = after.split("\n## ").next().unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

/// A place for one newcomer: home, centre, and ports that nobody else has.
struct Newcomer {
    home: tempfile::TempDir,
    ports: [u16; 3],
}

impl Newcomer {
    fn new() -> Newcomer {
        // A folder that PostgreSQL's own user may pass, where the tests run as root.
        let everybody_passes = fs::Permissions::from_mode(0o711);
        let home = tempfile::Builder::new().prefix("xm-readme-").permissions(everybody_passes).tempdir().unwrap();
        // The ports are held until all are known, so that they differ.
        let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = [0, 1, 2].map(|at: usize| held[at].local_addr().unwrap().port());
        Newcomer { home, ports }
    }

    /// Runs commands in one shell, whose PATH leads to the program that was built.
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

    /// Reads the receipt that a newcomer has in the end, and checks that it is about the letter beside it.
    fn receipt(&self, folder: &str) -> Receipt {
        let read = |name: &str| fs::read(self.home.path().join(folder).join(name)).unwrap();
        let answer = read_answer(&read("receipt.json"), &PayloadLimits::default()).unwrap();
        assert_eq!(answer.receipt.digest, Digest::of(&read("letter.json")).to_string());
        answer.receipt
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
    assert_eq!(said.matches(r#""outcome": "accepted""#).count(), 2, "{said}");
    let [first, second] = ["office", "by-hand"].map(|folder| newcomer.receipt(folder));
    assert_eq!((first.verdict, second.verdict), (Verdict::Accepted, Verdict::Accepted));
    // The numbers that FORMAT.md shows are those of an office that has sent README's letter before.
    assert_eq!((second.rows[0].new, second.highest_sequence), (2, 2));
    assert_eq!((second.account.cost, second.account.balance), (200, -300));
}
