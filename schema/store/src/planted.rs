//! Places where tests make the program fail, and bugs that tests must find. A normal build contains neither: a place is an empty function,
//! and no bug is active.

/// Marks a place where a test can make the thread panic or the process exit; see the crate `fail`.
#[inline]
pub fn point(name: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(name);
    #[cfg(not(feature = "failpoints"))]
    let _unused = name;
}

/// Says whether a test makes the step with this name fail, as a full disk would.
#[inline]
pub fn is_made_to_fail(name: &str) -> bool {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(name, |_| true);
    #[cfg(not(feature = "failpoints"))]
    let _unused = name;
    false
}

/// A bug that breaks one of the promises. The test program nemesis must find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Mail is deleted as soon as it is passed on, before its letters are committed, so that a crash loses them.
    DeleteBeforeCommit,
    /// The key of letters is not unique: settling does not search for an earlier letter with the same key, and the database has no
    /// constraint.
    NoUniqueKey,
    /// A letter is charged in a transaction after the one that settles it, so that a crash between the two leaves it without a charge.
    ChargeOutside,
    /// The sender of a pushed mail is told that its mail is settled as soon as the mail is passed on, before its letters are committed.
    AnswerBeforeCommit,
    /// A COMMIT that stopped waiting for the standby is believed: PostgreSQL's notice that says so is ignored.
    NoticeIgnored,
    /// The lease of a mailbox is taken for a proof: whoever gets it takes the mails that its former holder had in hand for settled.
    LeaseTakenForProof,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Bug; 6] = [
        Bug::DeleteBeforeCommit,
        Bug::NoUniqueKey,
        Bug::ChargeOutside,
        Bug::AnswerBeforeCommit,
        Bug::NoticeIgnored,
        Bug::LeaseTakenForProof,
    ];

    /// Returns the bug's name, which is a value of [`BUG_VARIABLE`].
    pub fn as_str(self) -> &'static str {
        match self {
            Bug::DeleteBeforeCommit => "delete-before-commit",
            Bug::NoUniqueKey => "no-unique-key",
            Bug::ChargeOutside => "charge-outside",
            Bug::AnswerBeforeCommit => "answer-before-commit",
            Bug::NoticeIgnored => "notice-ignored",
            Bug::LeaseTakenForProof => "lease-taken-for-proof",
        }
    }
}

/// Name of the environment variable that selects the bug, in a build with the feature `planted-bugs`.
pub const BUG_VARIABLE: &str = "XM_PLANTED_BUG";

/// Says whether the environment variable selects this bug.
#[cfg(feature = "planted-bugs")]
#[expect(clippy::disallowed_methods, reason = "a bug is no configuration, and is in no build that anybody runs")]
pub fn has(bug: Bug) -> bool {
    std::env::var(BUG_VARIABLE).is_ok_and(|name| name == bug.as_str())
}

/// Returns `false`: a build without the feature `planted-bugs` has no bug.
#[cfg(not(feature = "planted-bugs"))]
#[inline]
pub const fn has(_bug: Bug) -> bool {
    false
}
