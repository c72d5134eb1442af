//! Named places where tests make the program fail. Nothing is left of them in a normal build.

/// A place that a test can make panic or the process die; see the crate `fail`.
#[inline]
pub fn point(name: &str) {
    #[cfg(feature = "failpoints")]
    fail::fail_point!(name);
    #[cfg(not(feature = "failpoints"))]
    let _unused = name;
}
