//! The only table of operations that need a second person (SPEC 4, People).

macro_rules! needs {
    ($($(#[doc = $when:literal])* $variant:ident = $name:literal, $commission:literal, $offered:literal;)*) => {
        /// An operation that needs a second person. The comment on each variant says in which cases: [`Need::when`] returns it, and a test
        /// compares it with OPERATIONS.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Need {
            $($(#[doc = $when])* $variant,)*
        }

        impl Need {
            /// Every operation that needs a second person.
            pub const ALL: &'static [Need] = &[$(Need::$variant,)*];

            /// Returns the name, which never changes. If [`super::privilege::Operation`] has the same operation, it has the same name
            /// there.
            pub fn name(self) -> &'static str {
                match self { $(Need::$variant => $name,)* }
            }

            /// Says in which cases the operation needs a second person.
            pub fn when(self) -> &'static str {
                match self { $(Need::$variant => concat!($($when),*).trim_start(),)* }
            }

            /// Says whether one of the two people must be a member of the election commission.
            pub fn is_of_commission(self) -> bool {
                match self { $(Need::$variant => $commission,)* }
            }

            /// Says whether this release of the program offers the operation.
            pub fn is_offered(self) -> bool {
                match self { $(Need::$variant => $offered,)* }
            }
        }
    };
}

needs! {
    /// a certificate of a further key, for an agency that has or had another one
    CertificateReplace = "certificate.replace", false, true;
    /// a code for an agency that has or had a certificate
    EnrolmentCode = "enrolment.code", false, true;
    /// more than the limit at once
    AgencyRecharge = "agency.recharge", false, true;
    /// a higher limit
    RechargeLimit = "recharge.limit", false, true;
    /// a user of privilege 2 or 3, or of the commission
    UserAdd = "user.add", false, true;
    /// a higher privilege, or another one for a Superviseur
    UserPrivilege = "user.privilege", false, true;
    /// the mark given
    UserCommission = "user.commission", false, true;
    /// an account for a user of privilege 2 or 3, or of the commission
    UserMap = "user.map", false, true;
    /// the account of a Superviseur
    UserUnmap = "user.unmap", false, true;
    /// always
    CertificateReissue = "certificate.reissue", false, false;
    /// always
    AgencyClose = "agency.close", false, false;
    /// always
    AgencyMerge = "agency.merge", false, false;
    /// more than 10 at once
    AgencyStatusOfMany = "agency.status_of_many", false, false;
    /// always
    CentreKeysRotate = "centre.rotate", false, false;
    /// always
    VoucherBatch = "voucher.batch", false, true;
    /// always
    TableLoad = "table.load", false, true;
    /// always: a letter is released, or refused
    HeldDecide = "held.decide", false, true;
    /// always, in tables marked `results`
    ResultRelease = "result.release", true, true;
    /// always, in tables marked `results`
    ResultCorrect = "result.correct", true, true;
    /// always
    ResultPublish = "result.publish", true, false;
}
