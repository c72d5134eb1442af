//! The post office as the relay through which agencies and visitors send.

use mail::smtp::Relay;
use mail::{RelaySettings, Security};
use simulation::post_office::PostOffice;

/// Connections over which agencies send.
pub const SENDERS: usize = 4;

/// Reaches the post office as a relay.
pub fn relay(post_office: &PostOffice) -> anyhow::Result<Relay> {
    let mut settings = RelaySettings::new("127.0.0.1");
    settings.port = Some(post_office.smtp_address().port());
    settings.security = Security::None;
    settings.connections_max = SENDERS;
    Ok(Relay::new(&settings)?)
}
