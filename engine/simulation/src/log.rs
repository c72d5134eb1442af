//! What a program under test logs, kept for the test to read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// The lines of a log so far. A clone writes and reads the same log.
#[derive(Clone, Debug, Default)]
pub struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    /// Returns what a subscriber of `tracing` asks for each line's writer.
    pub fn writer(&self) -> impl Fn() -> LogLines + Send + Sync + 'static {
        let lines = self.clone();
        move || lines.clone()
    }

    /// Returns everything that was written.
    ///
    /// # Panics
    /// It is no text.
    #[expect(clippy::expect_used, reason = "a test that logs no text fails")]
    pub fn text(&self) -> String {
        String::from_utf8(lock(&self.0).clone()).expect("a log is UTF-8")
    }

    /// Forgets everything that was written.
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
