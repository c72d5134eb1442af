//! `xmserver` as nemesis runs it: it dies or panics at named places on order, and may have a planted bug.
//!
//! Orders come on standard input, a line each: `kill POINT N` and `panic POINT N` act when the point is passed for the Nth time from now
//! on, `off POINT` takes that back; `hold BYTES` holds so much memory. The end of standard input is the end of nemesis and of this program.

use std::io::BufRead;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[path = "main.rs"]
mod program;

fn main() -> ExitCode {
    // Commands of operators are left alone.
    if std::env::args().any(|argument| argument == "run") {
        std::thread::spawn(obey_all);
    }
    program::main()
}

fn obey_all() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if let Err(wrong) = obey(&line) {
            eprintln!("nemesis: {line}: {wrong}");
        }
    }
    die();
}

fn obey(line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split(' ').collect();
    let times = |text: &str| text.parse::<u32>().map_err(|error| error.to_string());
    match words[..] {
        ["kill", point, nth] => {
            let left = AtomicU32::new(times(nth)?);
            fail::cfg_callback(point, move || {
                if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    die();
                }
            })
        }
        ["panic", point, nth] => {
            let before = times(nth)?.saturating_sub(1);
            let wait = if before == 0 { String::new() } else { format!("{before}*off->") };
            fail::cfg(point, &format!("{wait}1*panic(planted)->off"))
        }
        ["off", point] => {
            fail::remove(point);
            Ok(())
        }
        ["hold", bytes] => {
            let bytes = bytes.parse::<usize>().map_err(|error| error.to_string())?;
            // The memory is written, so that it is really there, and held until the program ends.
            std::mem::forget(std::hint::black_box(vec![1_u8; bytes]));
            Ok(())
        }
        _ => Err("no such order".to_owned()),
    }
}

/// Dies as by a power cut: nothing is unwound, flushed or said.
fn die() {
    // Nobody could do anything about an error.
    kill(Pid::this(), Signal::SIGKILL).ok();
}
