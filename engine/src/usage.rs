//! The command line is parsed, explained and refused in the user's language; see [`face::usage`].

pub use face::usage::read;

#[cfg(test)]
mod tests;
