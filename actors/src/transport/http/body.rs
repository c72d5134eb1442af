//! Reads the document of a request, with deadlines and within the limits of memory.

use std::time::{Duration, Instant};

use actix_web::http::header::HeaderValue;
use actix_web::web;
use futures_util::StreamExt;
use mail::intake::places::SMALL_BYTES;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::http_server::Peer;

/// Longest time in which an office sends nothing of its document. The lines of some offices break for half a minute.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest time for a whole document. 64 KB take a minute at 9 600 bit/s.
const DOCUMENT_TIME_MAX: Duration = Duration::from_secs(600);
/// Longest time for receiving a large document. Meanwhile it holds one of the few places for large documents.
const LARGE_TIME_MAX: Duration = Duration::from_secs(60);
/// Longest wait for a place for a large document.
const LARGE_WAIT_MAX: Duration = Duration::from_secs(60);

/// A document that was read.
pub(super) struct Body {
    /// Octets of the document.
    pub(super) document: Vec<u8>,
    /// The place for a large document, held as long as the document is in memory.
    pub(super) _large: Option<OwnedSemaphorePermit>,
}

/// Why a document was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The document has more octets than allowed.
    TooLarge,
    /// The document did not arrive in time.
    TooSlow,
    /// The connection ended, or the request is not HTTP.
    Broken,
}

/// Reads a document of at most `bytes_max` octets. `announced` is the length that the head of the request states. If it is too large, the
/// document is refused without being read.
pub(super) async fn read(
    mut payload: web::Payload,
    announced: Option<&HeaderValue>,
    bytes_max: usize,
    peer: &Peer,
) -> Result<Body, Unread> {
    let length = announced.and_then(|length| length.to_str().ok()?.trim().parse::<u64>().ok());
    if length.is_some_and(|length| usize::try_from(length).unwrap_or(usize::MAX) > bytes_max) {
        return Err(Unread::TooLarge);
    }
    let mut until = Instant::now() + DOCUMENT_TIME_MAX;
    let (mut document, mut large) = (Vec::new(), None);
    loop {
        let patience = until.saturating_duration_since(Instant::now()).min(SILENCE_MAX);
        let piece = match timeout(patience, payload.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(_broken))) => return Err(Unread::Broken),
            Ok(None) => return Ok(Body { document, _large: large }),
            Err(_elapsed) => return Err(Unread::TooSlow),
        };
        if document.len() + piece.len() > bytes_max {
            return Err(Unread::TooLarge);
        }
        if document.len() + piece.len() > SMALL_BYTES && large.is_none() {
            // During the pause, the rest of the document stays with the client.
            peer.pause(true);
            large = timeout(LARGE_WAIT_MAX, peer.place.large()).await.ok().flatten();
            peer.pause(false);
            if large.is_none() {
                return Err(Unread::TooSlow);
            }
            until = until.min(Instant::now() + LARGE_TIME_MAX);
        }
        document.extend_from_slice(&piece);
    }
}
