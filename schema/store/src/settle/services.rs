//! The services that write no records. Their data at the centre is read under the agencies' locks before the first decision, so that
//! deciding needs no database. This module also writes the effects of accepted letters.

use diesel_async::AsyncPgConnection;
use sdc::letter::Matricule;
use sdc::refusal::Refusal;

use super::batch::Case;
use super::certificates::{Renewals, Renewing};
use super::effect::Effect;
use super::judge::Key;
use super::messages::{Messages, Writing};
use super::profiles::{Changing, Profiles};
use super::settings::SettlingSettings;
use super::vouchers::{Moments, Redeeming, Vouchers};
use super::work::Work;
use crate::database::fault::Fault;

/// Data at the centre for the letters of a batch, by service.
#[derive(Debug, Default)]
pub struct Services {
    pub renewals: Renewals,
    pub messages: Messages,
    pub profiles: Profiles,
    pub vouchers: Vouchers,
}

/// One round of decisions on letters of the services that write no records, in the order of effect.
pub struct Serving<'a> {
    changing: Changing<'a>,
    redeeming: Redeeming<'a>,
    writing: Writing<'a>,
    renewing: Renewing<'a>,
}

impl<'a> Serving<'a> {
    pub fn new(services: &'a Services) -> Serving<'a> {
        Serving {
            changing: Changing::new(&services.profiles),
            redeeming: Redeeming::new(&services.vouchers),
            writing: Writing::new(&services.messages),
            renewing: Renewing::new(&services.renewals),
        }
    }

    /// Decides the effect of the letter at a place of the batch, if the letter is accepted under this key.
    ///
    /// # Errors
    /// The refusal of a letter whose effect is not possible.
    pub fn serve(
        &mut self,
        place: usize,
        agency: Matricule,
        key: &Key,
        work: &Work,
        moments: Moments,
    ) -> Result<Effect, Refusal> {
        match work {
            Work::Records(_) | Work::Corrections(_) | Work::Read(..) | Work::Statement(_) | Work::Enrolled => {
                Ok(Effect::None)
            }
            Work::Renew(_) => self.renewing.renew(place, moments.received_at).map(Effect::Certificate),
            Work::Profile(set) => self.changing.change(agency, set.as_deref()).map(Effect::Profile),
            Work::Message(message) => {
                self.writing.write(agency, key.letter_id, message).map(|thread| Effect::Message { thread })
            }
            Work::Voucher(code) => self.redeeming.redeem(agency, code, moments).map(Effect::Credit),
        }
    }
}

/// The warnings of a batch, which are logged after its commit.
#[derive(Debug, Default)]
pub struct Served {
    /// Agencies whose recharging is locked because of this batch.
    pub locked: Vec<Matricule>,
    /// Agencies whose enrolment code is locked because of this batch.
    pub enrolments_locked: Vec<Matricule>,
}

impl Served {
    /// Logs a warning for each locked agency.
    pub fn tell(&self) {
        for agency in &self.locked {
            tracing::warn!(%agency, "recharging is locked for a day: five wrong codes of vouchers came from this agency");
        }
        for agency in &self.enrolments_locked {
            tracing::warn!(%agency, "the enrolment code of this agency is locked: five wrong ones came in its name");
        }
    }
}

impl Services {
    /// Reads the data that the letters of a batch need. If the batch has no letters of these services, as is usual, no statement is sent.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(
        connection: &AsyncPgConnection,
        batch: &[Case],
        settings: &SettlingSettings,
    ) -> Result<Services, Fault> {
        let renewals = Renewals::read(connection, batch, settings.issuer.as_deref()).await?;
        let messages = Messages::read(connection, batch).await?;
        let profiles = Profiles::read(connection, batch).await?;
        let vouchers = Vouchers::read(connection, batch, &settings.voucher_keys).await?;
        Ok(Services { renewals, messages, profiles, vouchers })
    }

    /// Writes the effects of the accepted letters of a decided batch. Returns the agencies whose recharging is locked because of this
    /// batch.
    ///
    /// # Errors
    /// A fault.
    pub async fn write(&self, connection: &AsyncPgConnection, batch: &[Case], is_retry: bool) -> Result<Served, Fault> {
        self.renewals.write(connection, batch).await?;
        self.messages.write(connection, batch).await?;
        self.profiles.write(connection, batch).await?;
        let locked = self.vouchers.write(connection, batch, is_retry).await?;
        Ok(Served { locked, enrolments_locked: Vec::new() })
    }
}
