//! Fetched mail is handed to decoders. There is one decoder per core.

use std::sync::Arc;

use crate::messages::Fetched;

/// Function that takes one fetched mail, together with the duty to report the mail's fate.
pub type Decoder = Box<dyn Fn(Fetched) + Send + Sync>;

/// The decoders of a process. A test may set up substitutes. Cheap to clone.
#[derive(Clone)]
pub struct Decoders(Arc<[Decoder]>);

impl Decoders {
    /// Makes a set of these decoders.
    pub fn new(decoders: impl IntoIterator<Item = Decoder>) -> Decoders {
        Decoders(decoders.into_iter().collect())
    }

    /// Hands a mail on to a decoder. All mail that claims one agency goes to the same decoder, so that the agency's letters keep their
    /// order. A mail without a claim goes to the decoder that `spread` selects, a number that differs from mail to mail.
    pub fn hand_on(&self, fetched: Fetched, spread: u32) {
        let way = fetched.provenance.claim().map_or(spread, u32::from) as usize;
        if let Some(decoder) = self.0.get(way % self.0.len().max(1)) {
            decoder(fetched);
        }
    }
}
