//! Captures the log of a program under test, so that the test can read it.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// The log lines so far. All clones write to and read from the same log.
#[derive(Clone, Debug, Default)]
pub struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    /// Returns the function with which a `tracing` subscriber gets a writer for each line.
    pub fn writer(&self) -> impl Fn() -> LogLines + Send + Sync + 'static {
        let lines = self.clone();
        move || lines.clone()
    }

    /// Returns everything that was written.
    ///
    /// # Panics
    /// The log is not UTF-8.
    #[expect(clippy::expect_used, reason = "a test that logs no text fails")]
    pub fn text(&self) -> String {
        String::from_utf8(lock(&self.0).clone()).expect("a log is UTF-8")
    }

    /// Deletes everything that was logged so far.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }
}

impl Write for LogLines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
