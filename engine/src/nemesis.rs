//! `xmserver` as the test program nemesis runs it: it dies or panics at named places on order, and may have a planted bug.
//!
//! Orders come on standard input, one a line. `kill POINT N` and `panic POINT N` act when the program passes the place POINT for the Nth
//! time after the order. `off POINT` cancels the order. `hold BYTES` allocates that much memory. At the end of standard input this program
//! ends, because nemesis has ended.

use std::io::BufRead;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[path = "main.rs"]
mod program;

fn main() -> ExitCode {
    // Only `run` obeys orders; commands of operators do not.
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
            // The memory is written, so that the system really allocates it, and never freed.
            std::mem::forget(std::hint::black_box(vec![1_u8; bytes]));
            Ok(())
        }
        _ => Err("no such order".to_owned()),
    }
}

/// Ends the process as a power cut would: without unwinding, flushing or a message.
fn die() {
    // An error is ignored, because nothing could be done about it.
    kill(Pid::this(), Signal::SIGKILL).ok();
}
