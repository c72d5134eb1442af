//! The samples for Postfix, as Postfix reads them. The pushing itself is run by `tests/tests/intake.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::{User, chown};

use crate::checkers::{configuration, deployed, run};

const VARIANTS: [&str; 3] = ["postfix/lmtp", "postfix/proxy", "container/postfix"];

/// Makes a Postfix of a sample, with a queue of its own, and returns what Postfix says of it: nothing where all is well.
fn said_of(variant: &str, change: impl Fn(String) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let own = |name: &str| folder.path().join(name);
    for name in ["etc", "queue", "data"] {
        fs::create_dir(own(name)).unwrap();
    }
    let postfix = User::from_name("postfix").unwrap().expect("the package postfix is there");
    chown(&own("data"), Some(postfix.uid), Some(postfix.gid)).unwrap();
    let text = |name: &str| change(fs::read_to_string(deployed(variant).join(name)).unwrap());
    let (queue, data) = (own("queue").display().to_string(), own("data").display().to_string());
    // What Postfix finds wrong it writes into its log.
    let main = text("main.cf").replace("= /var/log/postfix.log", "= /dev/stdout");
    fs::write(own("etc/main.cf"), format!("{main}\nqueue_directory = {queue}\ndata_directory = {data}\n")).unwrap();
    fs::write(own("etc/master.cf"), text("master.cf")).unwrap();
    let configured = own("etc").display().to_string();
    let check = run("/usr/sbin/postfix", &["-c", &configured, "check"]);
    assert!(check.is_content, "{variant}: {}", check.text);
    // `postconf` names what no program of Postfix knows; on standard output stand the settings themselves.
    let settings = run("/usr/sbin/postconf", &["-c", &configured, "-n"]);
    let services = run("/usr/sbin/postconf", &["-c", &configured, "-M"]);
    assert!(settings.is_content && services.is_content, "{variant}: {}{}", settings.text, services.text);
    let warnings = [check.text, settings.text, services.text].join("\n");
    let warnings = warnings.lines().filter(|line| line.contains("warning:") || line.contains("fatal:"));
    warnings.collect::<Vec<_>>().join("\n")
}

#[test]
fn postfix_understands_its_samples() {
    for variant in VARIANTS {
        assert_eq!(said_of(variant, |text| text), "", "{variant}");
    }
    let misspelt = |text: String| text.replace("lmtp_data_done_timeout", "lmtp_data_finished_timeout");
    let said = said_of(VARIANTS[0], misspelt);
    assert!(said.contains("unused parameter: lmtp_data_finished_timeout"), "{said}");
}

/// Times that belong together: Postfix may not give a mail up, or ask for it again, before the centre answers.
#[test]
fn senders_wait_longer_than_the_centre_holds() {
    let value = |variant: &str, key: &str| -> u64 {
        let text = fs::read_to_string(deployed(variant).join("main.cf")).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = ").map(str::to_owned));
        value.unwrap_or_else(|| panic!("{variant} has no {key}")).trim_end_matches('s').parse().unwrap()
    };
    // A sender is answered five seconds after the longest hold at the latest.
    let hold = configuration("kubernetes/base/xmserver.toml").intakes[0].hold_seconds_max + 5;
    assert!(value(VARIANTS[0], "lmtp_data_done_timeout") > hold);
    assert!(value(VARIANTS[1], "smtpd_proxy_timeout") > hold);
    assert!(value(VARIANTS[2], "lmtp_data_done_timeout") > hold);
    for queues in [VARIANTS[0], VARIANTS[2]] {
        assert_eq!(value(queues, "minimal_backoff_time"), 15, "{queues}");
        let connections = value(queues, "xmserver_destination_concurrency_limit");
        let master = fs::read_to_string(deployed(queues).join("master.cf")).unwrap();
        let line = master.lines().find(|line| line.starts_with("xmserver ")).unwrap();
        assert_eq!(line.split_whitespace().nth(6), Some(connections.to_string().as_str()), "{queues}: {line}");
    }
}
