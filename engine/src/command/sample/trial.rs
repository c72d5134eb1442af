//! The configuration of a centre on trial: its mail server is that of `xmserver sample post`, on this machine alone.

use std::net::Ipv4Addr;

use crate::configuration::Configuration;

/// Where the mail server of a trial listens.
pub const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Writes the configuration of a trial. Its data folder and its address are those of the configuration in force.
pub fn configuration(configuration: &Configuration, pop3_port: u16, smtp_port: u16) -> String {
    let folder = &configuration.server.data_folder;
    let (data_folder, password_file) = (folder.display(), folder.join("mailbox-password"));
    let (http_address, password_file) = (configuration.server.http_address, password_file.display());
    format!(
        r#"# A centre for a trial: its mail server is `xmserver sample post`, on this machine alone.
# `xmserver sample configuration` shows every key, and what a real mail server needs.

[server]
data_folder = "{data_folder}"
http_address = "{http_address}"

[[mailbox]]
name = "main"
poll_interval_seconds = 1

[mailbox.pop3]
host = "{LOOPBACK}"
port = {pop3_port}
security = "none"
username = "centre@example.org"
password_file = "{password_file}"

[relay]
address = "centre@example.org"

[relay.smtp]
host = "{LOOPBACK}"
port = {smtp_port}
security = "none"
"#
    )
}
