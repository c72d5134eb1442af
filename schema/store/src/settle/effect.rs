//! The effects of an accepted letter besides writing rows and getting an answer.

use sdc::answer::profile::Profile;
use sdc::request::ProfileChange;
use uuid::Uuid;

use crate::certificates::certificate::CertificateFields;

/// The effect of a letter besides writing rows and getting an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The letter has no such effect.
    None,
    /// The account of the letter's agency is credited with a voucher.
    Credit(Redeemed),
    /// The answer contains the profile of the letter's agency. The letter may change the profile.
    Profile(ProfileEffect),
    /// The message is kept for the operators.
    Message {
        /// The id of the thread's first message.
        thread: Uuid,
    },
    /// The answer contains a certificate, which is registered now or was registered before.
    Certificate(CertificateEffect),
}

/// The effect of a letter that requests the renewal of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEffect {
    /// The certificate in the answer, in DER.
    pub der: Vec<u8>,
    /// The certificate to register; `None` if the key already has a registered certificate that does not expire soon.
    pub registers: Option<CertificateFields>,
}

impl CertificateEffect {
    /// Makes the effect of a letter whose key already has a registered certificate. The answer contains that certificate.
    pub fn told(der: &[u8]) -> CertificateEffect {
        CertificateEffect { der: der.to_vec(), registers: None }
    }
}

/// The effect of a letter on its agency's profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileEffect {
    /// The profile after the letter, as the answer shows it.
    pub told: Profile,
    pub step: ProfileStep,
}

/// What the letter changes in the profile. `former` has the previous values of the members that `change` sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileStep {
    /// The letter only requests the profile, or the requested change alters nothing.
    Told,
    /// The change is made when the letter is settled.
    Made { change: ProfileChange, former: ProfileChange },
    /// The change waits for an operator, in place of any change that waited before it. If it is empty, the letter has taken back all that
    /// waited.
    Waits { change: ProfileChange, former: ProfileChange },
}

/// The voucher that a letter redeems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// Keyed hash of the voucher's code. The database stores only this hash.
    pub mac: Vec<u8>,
    /// Amount that is credited, in minor units.
    pub amount: i64,
    /// Text of the ledger entry, such as `3-17`: the number of the voucher's batch, and the voucher's number in this batch.
    pub note: String,
}

impl Effect {
    /// Returns the voucher that is credited; `None` for other effects.
    pub fn credit(&self) -> Option<&Redeemed> {
        match self {
            Effect::Credit(credit) => Some(credit),
            _ => None,
        }
    }

    /// Returns the profile in the answer; `None` for other effects.
    pub fn profile(&self) -> Option<Profile> {
        match self {
            Effect::Profile(effect) => Some(effect.told.clone()),
            _ => None,
        }
    }

    /// Returns the certificate in the answer, in DER; `None` for other effects.
    pub fn certificate(&self) -> Option<&[u8]> {
        match self {
            Effect::Certificate(effect) => Some(&effect.der),
            _ => None,
        }
    }

    /// Returns the agency's former mail address, if the letter changes the address immediately.
    pub fn former_email(&self) -> Option<&str> {
        match self {
            Effect::Profile(ProfileEffect { step: ProfileStep::Made { former, .. }, .. }) => {
                former.email.as_deref().filter(|email| !email.is_empty())
            }
            _ => None,
        }
    }

    /// Returns the amount credited to the account, in minor units.
    pub fn credited(&self) -> i64 {
        self.credit().map_or(0, |credit| credit.amount)
    }
}
