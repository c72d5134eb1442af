//! What an accepted letter does beside its rows and its answer.

use sdc::answer::profile::Profile;
use sdc::request::ProfileChange;
use uuid::Uuid;

use crate::certificates::certificate::CertificateFields;

/// What it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Its agency's account is credited.
    Credit(Redeemed),
    /// Its agency's profile is told, and perhaps changed.
    Profile(ProfileEffect),
    /// A message is kept for the operators.
    Message {
        /// The id of its thread's first message.
        thread: Uuid,
    },
    /// A certificate is told, and perhaps registered.
    Certificate(CertificateEffect),
}

/// What becomes of a certificate that a letter brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEffect {
    /// What the answer gives, in DER.
    pub der: Vec<u8>,
    /// What is registered; nothing where the key has a certificate that lasts.
    pub registers: Option<CertificateFields>,
}

impl CertificateEffect {
    /// Tells what is registered already.
    pub fn told(der: &[u8]) -> CertificateEffect {
        CertificateEffect { der: der.to_vec(), registers: None }
    }
}

/// What a letter makes of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileEffect {
    /// The profile after it.
    pub told: Profile,
    pub step: ProfileStep,
}

/// How far a change is. `former` is what the members were that the change sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileStep {
    /// Nothing is to be changed.
    Told,
    /// It is made with the letter.
    Made { change: ProfileChange, former: ProfileChange },
    /// It waits for an operator, in the place of what waited before; nothing does where it sets nothing.
    Waits { change: ProfileChange, former: ProfileChange },
}

/// What a voucher gives to the letter that redeems it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// What its code is kept as.
    pub mac: Vec<u8>,
    /// Minor units.
    pub amount: i64,
    /// Stands in the ledger: the batch's number and its own.
    pub note: String,
}

impl Effect {
    /// Returns what the account is credited with.
    pub fn credit(&self) -> Option<&Redeemed> {
        match self {
            Effect::Credit(credit) => Some(credit),
            _ => None,
        }
    }

    /// Returns the profile that is told.
    pub fn profile(&self) -> Option<Profile> {
        match self {
            Effect::Profile(effect) => Some(effect.told.clone()),
            _ => None,
        }
    }

    /// Returns the certificate that is told, in DER.
    pub fn certificate(&self) -> Option<&[u8]> {
        match self {
            Effect::Certificate(effect) => Some(&effect.der),
            _ => None,
        }
    }

    /// Returns the agency's address before the letter, where another one takes its place at once.
    pub fn former_email(&self) -> Option<&str> {
        match self {
            Effect::Profile(ProfileEffect { step: ProfileStep::Made { former, .. }, .. }) => {
                former.email.as_deref().filter(|email| !email.is_empty())
            }
            _ => None,
        }
    }

    /// Returns by how much the account rises, in minor units.
    pub fn credited(&self) -> i64 {
        self.credit().map_or(0, |credit| credit.amount)
    }
}
