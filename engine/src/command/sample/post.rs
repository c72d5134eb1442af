//! The mail server of a trial, which listens on this machine only.

use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::bail;
use mail::Security;
use simulation::post_office::{PostOffice, PostOfficeSettings};

use super::trial::LOOPBACK;
use crate::configuration::Configuration;
use crate::demo::told_to_stop;
use crate::show;
use crate::speech::said;

/// Runs a mail server on the ports of the configured mailbox and relay until it is told to stop. Its mails are in memory and end with it.
///
/// # Errors
/// The configuration is not one of a trial; another program uses one of the ports.
pub async fn serve_post(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    let (pop3_port, smtp_port) = ports(configuration)?;
    let settings = PostOfficeSettings { pop3_port, smtp_port, ..PostOfficeSettings::default() };
    let post_office = match PostOffice::start(settings) {
        Ok(post_office) => post_office,
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "the trial's mail server could not start: {error}; end the program that has this port, perhaps another `xmserver sample post`, \
             or print a configuration with other ports by `xmserver sample configuration --trial 2110 2525`"
        ),
        Err(error) => bail!("the trial's mail server could not start: {error}"),
    };
    let (pop3, smtp) = (post_office.pop3_address().to_string(), post_office.smtp_address().to_string());
    show::text(&format!("{}\n", said!("post-serves", pop3 = pop3, smtp = smtp)))?;
    told_to_stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the ports of POP3 and SMTP. The configuration must have both on this machine and without TLS.
fn ports(configuration: &Configuration) -> anyhow::Result<(u16, u16)> {
    let is_ours = |host: &str, security: Security| host == LOOPBACK.to_string() && security == Security::None;
    let mailbox = configuration.mailboxes.first().map(|mailbox| &mailbox.pop3);
    let relay = configuration.relay.as_ref().map(|relay| &relay.smtp);
    match (mailbox, relay) {
        (Some(pop3), Some(smtp)) if is_ours(&pop3.host, pop3.security) && is_ours(&smtp.host, smtp.security) => {
            Ok((pop3.port(), smtp.port()))
        }
        _ => bail!(
            "the configuration is not one of a trial: expected a mailbox and a relay at {LOOPBACK} with security = \
             \"none\", as `xmserver sample configuration --trial 2110 2525` prints them"
        ),
    }
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::*;
    use crate::command::sample::trial::configuration;
    use crate::configuration::{SAMPLE, Sources};

    #[test]
    fn a_trials_configuration_is_valid_and_names_its_mail_server() {
        let folder = std::env::temp_dir();
        let mut given = Configuration::default();
        given.server.data_folder = folder.clone();
        let file = folder.join(format!("xm-trial-{}.toml", std::process::id()));
        std::fs::write(&file, configuration(&given, 2110, 2525)).unwrap();
        let sources = Sources { file: Some(file.clone()), data_folder: None };
        let loaded = Configuration::load(&sources);
        std::fs::remove_file(file).unwrap();
        let loaded = loaded.unwrap();
        assert_eq!(loaded.server.data_folder, folder);
        assert_eq!(ports(&loaded).unwrap(), (2110, 2525));
    }

    #[test]
    fn no_real_mail_server_is_stood_in_for() {
        let refused = |configuration: &Configuration| ports(configuration).unwrap_err().to_string();
        assert!(refused(&Configuration::default()).contains("--trial 2110 2525"));
        let mut real: Configuration = Figment::from(Toml::string(SAMPLE)).extract().unwrap();
        assert!(refused(&real).contains("not one of a trial"));
        real.mailboxes[0].pop3.host = "127.0.0.1".to_owned();
        assert!(refused(&real).contains("not one of a trial"), "security is tls");
    }
}
