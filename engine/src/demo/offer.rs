//! Prints commands with which the user can examine the demo's centre while it stays up. They can be copied without a change.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::layout::{self, Paper};
use crate::speech::said;

/// The name of the program's file.
const NAME: &str = "xmserver";
/// Returns the text with the commands and what each shows.
pub fn offer(folder: &Path, address: SocketAddr, paper: Paper) -> String {
    let commands = [
        ("journal list", said!("demo-shows-journal")),
        ("quarantine list", said!("demo-shows-quarantine")),
        ("agency list", said!("demo-shows-agencies")),
        ("check", said!("demo-shows-check")),
    ];
    let mut lines = vec![String::new()];
    lines.extend(layout::wrap(&said!("demo-stays"), paper.width));
    lines.extend([String::new(), format!("  # {}", said!("demo-counters"))]);
    lines.push(format!("  http://{address}/metrics"));
    let program = program();
    for (command, shows) in commands {
        let mut words = vec![program.clone(), "--data-folder".to_owned(), folder.display().to_string()];
        words.extend(command.split(' ').map(str::to_owned));
        lines.extend(layout::wrap(&shows, paper.width - 4).into_iter().map(|line| format!("  # {line}")));
        lines.push(format!("  {}", layout::command(&words, paper.width - 2)));
    }
    format!("{}\n", lines.join("\n"))
}

/// Returns how the user can start this program in a shell: by its name, if PATH leads to this very file; otherwise by its relative path, if
/// it lies below the current folder; otherwise by its full path.
#[expect(clippy::disallowed_methods, reason = "where a shell looks for programs is no configuration of the centre")]
fn program() -> String {
    let Ok(program) = std::env::current_exe() else { return NAME.to_owned() };
    let folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let here = std::env::current_dir().ok();
    typed(&program, &folders, here.as_deref())
}

fn typed(program: &Path, folders: &[PathBuf], here: Option<&Path>) -> String {
    let found = folders.iter().map(|folder| folder.join(NAME)).find(|path| path.is_file());
    if found.and_then(|path| path.canonicalize().ok()).is_some_and(|path| path == program) {
        return NAME.to_owned();
    }
    let below = here.and_then(|here| program.strip_prefix(here).ok());
    match below {
        // A shell searches PATH for a name without a slash, so a program in the current folder needs `./` before its name.
        Some(below) if below.components().count() == 1 => format!("./{}", below.display()),
        Some(below) => below.display().to_string(),
        None => program.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_named_as_a_shell_finds_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().canonicalize().unwrap();
        let program = folder.join(NAME);
        std::fs::write(&program, "").unwrap();
        let none = typed(&program, &[], None);
        assert_eq!(none, program.display().to_string());
        assert_eq!(typed(&program, &[PathBuf::from("/nowhere"), folder.clone()], None), NAME);
        assert_eq!(typed(&program, &[], Some(&folder)), "./xmserver");
        assert_eq!(
            typed(&program, &[], folder.parent()),
            format!("{}", program.strip_prefix(folder.parent().unwrap()).unwrap().display())
        );
        // PATH lists first a folder with another program of the same name. The name would start that one, so the full path must be
        // returned.
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join(NAME), "").unwrap();
        assert_eq!(typed(&program, &[other.path().to_owned(), folder], None), program.display().to_string());
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let address = SocketAddr::from(([127, 0, 0, 1], 65_000));
        for width in [40, 80] {
            let text = offer(Path::new("/tmp/xm-demo-0123456789ab"), address, Paper { width, is_coloured: false });
            let longest = program().chars().count() + 4;
            assert!(text.lines().all(|line| line.chars().count() <= width.max(longest)), "{width}:\n{text}");
        }
    }
}
