//! Reads single keys while the demo runs, without Enter. At the end the terminal gets its former settings back.

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use std::io::{IsTerminal, Read};
use tokio::sync::mpsc::{Receiver, channel};

/// Largest number of keys that are buffered in this process; the kernel buffers further ones.
const KEYS_MAX: usize = 1024;

/// The terminal at which the user started the demo.
pub struct Keyboard {
    former: Termios,
    keys: Receiver<u8>,
}

impl Keyboard {
    /// Switches the terminal to single keys. Returns `None` where no user can press keys: standard input or standard error is not a
    /// terminal, or the demo runs in the background.
    pub fn take() -> Option<Keyboard> {
        let input = std::io::stdin();
        let is_ours = input.is_terminal() && std::io::stderr().is_terminal();
        if !is_ours || tcgetpgrp(&input).ok()? != getpgrp() {
            return None;
        }
        let former = tcgetattr(&input).ok()?;
        let mut single = former.clone();
        // Only line editing and echo are switched off, so that Ctrl-C still sends its signal.
        single.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(&input, SetArg::TCSANOW, &single).ok()?;
        let (sender, keys) = channel(KEYS_MAX);
        // The thread reads keys until the program ends. Nobody waits for the thread, so it does not delay that end.
        std::thread::spawn(move || {
            for key in std::io::stdin().lock().bytes().map_while(Result::ok) {
                if sender.blocking_send(key).is_err() {
                    return;
                }
            }
        });
        Some(Keyboard { former, keys })
    }

    /// Says whether this key was pressed since the last call. All other keys pressed since then are discarded.
    pub fn was_pressed(&mut self, key: u8) -> bool {
        let mut was = false;
        while let Ok(pressed) = self.keys.try_recv() {
            was |= pressed == key;
        }
        was
    }

    /// Restores the terminal's former settings: the user sees what is typed, and ends lines with Enter.
    pub fn give_back(&mut self) {
        if let Err(error) = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.former) {
            tracing::warn!(%error, "the terminal could not be given back as it was: `stty sane` does it");
        }
    }

    /// Waits until the user has typed a line. Returns `None` at the end of input.
    pub async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            match self.keys.recv().await? {
                b'\n' => return Some(String::from_utf8_lossy(&line).into_owned()),
                key => line.push(key),
            }
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.give_back();
    }
}
