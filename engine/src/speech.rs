//! What the program says to people, in their language; see [`face::speech`].

use std::ffi::OsString;
use std::path::Path;

pub(crate) use face::said;
pub use face::speech::{heading, read_language, sentences, with_options_named, words};

use crate::configuration::SYSTEM_FOLDER;

/// Chooses the language by the command line and the environment. Only the first call has an effect.
pub fn begin(arguments: &[OsString]) {
    face::speech::begin(arguments, &Path::new(SYSTEM_FOLDER).join("words"));
}
