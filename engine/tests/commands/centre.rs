//! A centre for tests of commands: a data folder of its own, and the real program.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use store::testing::TestCluster;
use tempfile::TempDir;

/// A data folder, and the database that its configuration names.
pub struct Centre {
    pub place: TempDir,
    pub url: Option<String>,
}

pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Centre {
    /// Makes a centre on a new database of the test cluster; an environment variable passes the URL to the program.
    pub async fn on_a_database_of_its_own() -> Centre {
        Centre { place: place(), url: Some(TestCluster::shared().await.database_url().await) }
    }

    /// Makes a centre without a configured database, so it has a private PostgreSQL.
    pub fn with_nothing_configured() -> Centre {
        Centre { place: place(), url: None }
    }

    pub fn data_folder(&self) -> PathBuf {
        self.place.path().join("data")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmserver"));
        command.arg("--data-folder").arg(self.data_folder()).args(arguments).stdin(Stdio::null());
        // The locale C makes the program speak English, whatever the tester's language is.
        command.env("LC_ALL", "C");
        // Sessions of `xmserver login` are kept here, and not in the tester's home.
        command.env("XDG_STATE_HOME", self.place.path().join("state"));
        if let Some(url) = &self.url {
            command.env("XMSERVER_DATABASE__URL", url);
        }
        command
    }

    pub fn say(&self, arguments: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        Said { code: status.code(), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub fn done(&self, arguments: &[&str]) -> String {
        let said = self.say(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.out, said.err);
        said.out
    }

    /// Runs a command that must be refused with exit code 1, and returns its sentence.
    pub fn refused(&self, arguments: &[&str]) -> String {
        self.ended(1, arguments)
    }

    /// Runs a command that refers to something that does not exist. Checks its exit code 3, and returns its sentence.
    pub fn absent(&self, arguments: &[&str]) -> String {
        self.ended(3, arguments)
    }

    /// Runs a command that must end with this exit code, and returns its standard error.
    pub fn ended(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.say(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}{}", said.out, said.err);
        said.err
    }

    pub fn json_of_failing(&self, arguments: &[&str]) -> Value {
        let said = self.say(arguments);
        assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
        serde_json::from_str(&said.out).unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }
}

/// Makes a temporary folder that PostgreSQL's own user can enter where the tests run as root.
pub fn place() -> TempDir {
    tempfile::Builder::new().prefix("xm-cli-").permissions(std::fs::Permissions::from_mode(0o711)).tempdir().unwrap()
}

pub const INIT: [&str; 5] = ["init", "--name", "centre-x", "--mode", "test"];
