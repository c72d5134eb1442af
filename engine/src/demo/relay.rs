//! Uses the demo's post office as the SMTP relay through which agencies and visitors send.

use mail::smtp::Relay;
use mail::{RelaySettings, Security};
use simulation::post_office::PostOffice;

/// The number of connections over which agencies send at the same time.
pub const SENDERS: usize = 4;

/// Makes an SMTP client that sends to the demo's post office.
pub fn relay(post_office: &PostOffice) -> anyhow::Result<Relay> {
    let mut settings = RelaySettings::new("127.0.0.1");
    settings.port = Some(post_office.smtp_address().port());
    settings.security = Security::None;
    settings.connections_max = SENDERS;
    Ok(Relay::new(&settings)?)
}
