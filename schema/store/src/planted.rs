//! Named places where tests make the program fail, and bugs planted for tests to find. Nothing is left of either in a
//! normal build: a place is an empty function, and no bug is ever there.

/// A place that a test can make panic or the process die; see the crate `fail`.
#[inline]
pub fn point(name: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(name);
    #[cfg(not(feature = "failpoints"))]
    let _unused = name;
}

/// Says whether a test makes the step at this place fail, as a full disk does.
#[inline]
pub fn is_made_to_fail(name: &str) -> bool {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(name, |_| true);
    #[cfg(not(feature = "failpoints"))]
    let _unused = name;
    false
}

/// A bug that breaks one of the promises, for nemesis to catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Mail is deleted as soon as it is handed on, before anything of it is committed.
    DeleteBeforeCommit,
    /// Letters have no unique key: neither is a letter looked up by it, nor does the database know it.
    NoUniqueKey,
    /// A letter is charged in a transaction of its own, after that of its effects.
    ChargeOutside,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Bug; 3] = [Bug::DeleteBeforeCommit, Bug::NoUniqueKey, Bug::ChargeOutside];

    /// Names the bug, as in [`BUG_VARIABLE`].
    pub fn as_str(self) -> &'static str {
        match self {
            Bug::DeleteBeforeCommit => "delete-before-commit",
            Bug::NoUniqueKey => "no-unique-key",
            Bug::ChargeOutside => "charge-outside",
        }
    }
}

/// Environment variable that picks the bug, in a build with the feature `planted-bugs`.
pub const BUG_VARIABLE: &str = "XM_PLANTED_BUG";

/// Says whether this process has a bug.
#[cfg(feature = "planted-bugs")]
#[expect(clippy::disallowed_methods, reason = "a bug is no configuration, and is in no build that anybody runs")]
pub fn has(bug: Bug) -> bool {
    std::env::var(BUG_VARIABLE).is_ok_and(|name| name == bug.as_str())
}

/// Says whether this process has a bug: it has none.
#[cfg(not(feature = "planted-bugs"))]
#[inline]
pub const fn has(_bug: Bug) -> bool {
    false
}
