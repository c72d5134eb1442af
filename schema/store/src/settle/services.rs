//! The services that are not of records: what the centre holds for them, read under the agencies' locks before the first decision, so
//! that deciding stays pure; and the writing of what an accepted letter of theirs does.

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

/// What is held for the letters of a batch.
#[derive(Debug, Default)]
pub struct Services {
    pub renewals: Renewals,
    pub messages: Messages,
    pub profiles: Profiles,
    pub vouchers: Vouchers,
}

/// One round of decisions about such letters, in the order of effect.
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

    /// Says what the letter at a place of the batch does once it is accepted under its key.
    ///
    /// # Errors
    /// The refusal of what cannot be done.
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

/// What posting tells once it is committed.
#[derive(Debug, Default)]
pub struct Served {
    /// Agencies whose recharging is locked from now on.
    pub locked: Vec<Matricule>,
    /// Agencies whose enrolment code is locked from now on.
    pub enrolments_locked: Vec<Matricule>,
}

impl Served {
    /// Tells it to the log.
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
    /// Reads what the letters of a batch need. Most batches need nothing, and cost no statement.
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

    /// Does what the accepted letters of a decided batch do.
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
