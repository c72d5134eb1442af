//! Keys pressed while the demo runs: each counts at once, without Enter. The terminal is given back as it was.

use std::io::{IsTerminal, Read};
use std::sync::mpsc::{Receiver, channel};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

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
        // Ctrl-C stays what it is.
        single.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(&input, SetArg::TCSANOW, &single).ok()?;
        let (sender, keys) = channel();
        // It waits for a key until the program ends; nothing waits for it.
        std::thread::spawn(move || {
            for key in std::io::stdin().lock().bytes().map_while(Result::ok) {
                if sender.send(key).is_err() {
                    return;
                }
            }
        });
        Some(Keyboard { former, keys })
    }

    /// Says whether a key was pressed since the last time; others are forgotten.
    pub fn was_pressed(&self, key: u8) -> bool {
        self.keys.try_iter().fold(false, |was, pressed| was || pressed == key)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.former) {
            tracing::warn!(%error, "the terminal could not be given back as it was: `stty sane` does it");
        }
    }
}
