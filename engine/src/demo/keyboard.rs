//! Keys pressed while the demo runs: each counts at once, without Enter. The terminal is given back as it was.

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};
use std::io::{IsTerminal, Read};
use tokio::sync::mpsc::{Receiver, channel};

/// Keys that wait to be looked at; the kernel keeps those beyond.
const KEYS_MAX: usize = 1024;

/// The terminal that the demo was begun at.
pub struct Keyboard {
    former: Termios,
    keys: Receiver<u8>,
}

impl Keyboard {
    /// Takes the keyboard. `None` where nobody sits at one: input or bars go elsewhere, or the demo is in the background.
    pub fn take() -> Option<Keyboard> {
        let input = std::io::stdin();
        let is_ours = input.is_terminal() && std::io::stderr().is_terminal();
        if !is_ours || tcgetpgrp(&input).ok()? != getpgrp() {
            return None;
        }
        let former = tcgetattr(&input).ok()?;
        let mut single = former.clone();
        // Only line editing and echo are switched off: Ctrl-C stays what it is.
        single.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(&input, SetArg::TCSANOW, &single).ok()?;
        let (sender, keys) = channel(KEYS_MAX);
        // The thread waits for keys until the program ends; nothing waits for the thread.
        std::thread::spawn(move || {
            for key in std::io::stdin().lock().bytes().map_while(Result::ok) {
                if sender.blocking_send(key).is_err() {
                    return;
                }
            }
        });
        Some(Keyboard { former, keys })
    }

    /// Says whether this key was pressed since the last call. Other keys are forgotten.
    pub fn was_pressed(&mut self, key: u8) -> bool {
        let mut was = false;
        while let Ok(pressed) = self.keys.try_recv() {
            was |= pressed == key;
        }
        was
    }

    /// Lets whole lines be typed from now on, seen and with Enter.
    pub fn give_back(&mut self) {
        if let Err(error) = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.former) {
            tracing::warn!(%error, "the terminal could not be given back as it was: `stty sane` does it");
        }
    }

    /// Waits for a line. `None` at the end of input.
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
