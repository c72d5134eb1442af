//! The only table of operations that need a second person (SPEC 4, People).

use super::privilege::Operation;

/// Whether an operation needs a second person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Second {
    /// One person performs it alone.
    Never,
    /// It depends on what is asked: [`Need::when`] says in which cases.
    Sometimes,
    /// One person never performs it alone.
    Always,
}

impl Second {
    /// Says whether an operation needs a second person.
    pub fn of(operation: Operation) -> Second {
        Need::of(operation).map(|need| need.second()).max().unwrap_or(Second::Never)
    }
}

macro_rules! needs {
    ($($(#[doc = $when:literal])* $variant:ident = $name:literal, $second:ident, $commission:literal, $operation:expr;)*) => {
        /// An operation that needs a second person. The comment on each variant says in which cases: [`Need::when`] returns it, and a test
        /// compares it with OPERATIONS.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Need {
            $($(#[doc = $when])* $variant,)*
        }

        impl Need {
            /// Every operation that needs a second person.
            pub const ALL: &'static [Need] = &[$(Need::$variant,)*];

            /// Returns the name, which never changes. If [`Operation`] has the same operation, it has the same name there.
            pub fn name(self) -> &'static str {
                match self { $(Need::$variant => $name,)* }
            }

            /// Says in which cases the operation needs a second person.
            pub fn when(self) -> &'static str {
                match self { $(Need::$variant => concat!($($when),*).trim_start(),)* }
            }

            /// Says whether the operation needs a second person sometimes or always.
            pub fn second(self) -> Second {
                match self { $(Need::$variant => Second::$second,)* }
            }

            /// Says whether one of the two people must be a member of the election commission.
            pub fn is_of_commission(self) -> bool {
                match self { $(Need::$variant => $commission,)* }
            }

            /// Returns the operation whose privilege the asker needs; `None` if this release of the program does not offer it.
            pub fn operation(self) -> Option<Operation> {
                match self { $(Need::$variant => $operation,)* }
            }
        }
    };
}

needs! {
    /// a certificate of a further key, for an agency that has or had another one
    CertificateReplace = "certificate.replace", Sometimes, false, Some(Operation::CertificateReplace);
    // With the code, the agency registers another key in place of its present one. So the asker needs the same privilege as for
    // registering that key himself.
    /// a code for an agency that has or had a certificate
    EnrolmentCode = "enrolment.code", Sometimes, false, Some(Operation::CertificateReplace);
    /// more than the limit at once
    AgencyRecharge = "agency.recharge", Sometimes, false, Some(Operation::AgencyRecharge);
    /// a higher limit
    RechargeLimit = "recharge.limit", Sometimes, false, Some(Operation::RechargeLimit);
    /// a user of privilege 2 or 3, or of the commission
    UserAdd = "user.add", Sometimes, false, Some(Operation::UserAdd);
    /// a higher privilege, or another one for a Superviseur
    UserPrivilege = "user.privilege", Sometimes, false, Some(Operation::UserPrivilege);
    /// the mark given
    UserCommission = "user.commission", Sometimes, false, Some(Operation::UserCommission);
    /// an account for a user of privilege 2 or 3, or of the commission
    UserMap = "user.map", Sometimes, false, Some(Operation::UserMap);
    /// the account of a Superviseur
    UserUnmap = "user.unmap", Sometimes, false, Some(Operation::UserUnmap);
    /// a Superviseur
    UserLock = "user.lock", Sometimes, false, Some(Operation::UserLock);
    /// a locked user of privilege 2 or 3, or of the commission
    UserUnlock = "user.unlock", Sometimes, false, Some(Operation::UserUnlock);
    /// a password for a user of privilege 2 or 3, or of the commission
    UserPassword = "user.password", Sometimes, false, Some(Operation::UserPassword);
    /// always
    CertificateReissue = "certificate.reissue", Always, false, None;
    /// always
    AgencyClose = "agency.close", Always, false, None;
    /// always
    AgencyMerge = "agency.merge", Always, false, None;
    /// more than 10 agencies at once
    AgencyStatusOfMany = "agency.status_of_many", Sometimes, false, Some(Operation::AgencyStatus);
    /// always
    CentreKeysRotate = "centre.rotate", Always, false, None;
    /// always
    VoucherBatch = "voucher.batch", Always, false, Some(Operation::VoucherBatch);
    /// always
    TableLoad = "table.load", Always, false, Some(Operation::TableLoad);
    /// always: a letter is released, or refused
    HeldDecide = "held.decide", Always, false, Some(Operation::HeldDecide);
    /// always, in tables marked `results`
    ResultRelease = "result.release", Always, true, Some(Operation::HeldDecide);
    /// always, in tables marked `results`
    ResultCorrect = "result.correct", Always, true, Some(Operation::HeldDecide);
    /// always
    ResultPublish = "result.publish", Always, true, None;
}

impl Need {
    /// Returns the needs of an operation: those of its own name, and those for which the asker needs its privilege.
    pub fn of(operation: Operation) -> impl Iterator<Item = Need> {
        let all = Need::ALL.iter().copied();
        all.filter(move |need| need.operation() == Some(operation) || need.name() == operation.name())
    }

    /// Says whether this release of the program offers the operation.
    pub fn is_offered(self) -> bool {
        self.operation().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_needs_a_second_person_as_often_as_its_needs_say() {
        for (operation, second) in [
            (Operation::TariffSet, Second::Never),
            (Operation::AgencyStatus, Second::Sometimes),
            (Operation::EnrolmentCode, Second::Sometimes),
            (Operation::CertificateReplace, Second::Sometimes),
            (Operation::HeldDecide, Second::Always),
            (Operation::VoucherBatch, Second::Always),
        ] {
            assert_eq!(Second::of(operation), second, "{operation:?}");
        }
    }
}
