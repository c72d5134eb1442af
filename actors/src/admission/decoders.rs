//! Where mail in hand goes: to decoders, one per core.

use std::sync::Arc;

use crate::messages::Fetched;

/// Takes mails, each with the duty to settle it.
pub type Decoder = Box<dyn Fn(Fetched) + Send + Sync>;

/// The decoders of a process, or whatever a test puts in their place. Cheap to clone.
#[derive(Clone)]
pub struct Decoders(Arc<[Decoder]>);

impl Decoders {
    /// Joins decoders.
    pub fn new(decoders: impl IntoIterator<Item = Decoder>) -> Decoders {
        Decoders(decoders.into_iter().collect())
    }

    /// Hands a mail on to a decoder. All mail that claims one agency goes to the same decoder, so that the agency's letters keep their
    /// order. Mail that claims none is spread over the decoders by `spread`.
    pub fn hand_on(&self, fetched: Fetched, spread: u32) {
        let way = fetched.provenance.claim().map_or(spread, u32::from) as usize;
        if let Some(decoder) = self.0.get(way % self.0.len().max(1)) {
            decoder(fetched);
        }
    }
}
