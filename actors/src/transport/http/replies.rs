//! The replies to requests. A sender without a registered key learns nothing from the reply to its document: neither the reply's octets nor
//! its time depend on the document.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder};
use tokio::time::Instant;

/// Media type of documents: the text of an SDC, or of several one after another.
const DOCUMENTS: &str = "text/plain; charset=us-ascii";
/// A document that is not verified is answered a whole number of these intervals after its last octet came. The work on any document fits
/// into one interval, unless the machine is overloaded.
const TICK: Duration = Duration::from_millis(250);

/// Content of a reply without documents: a code for programs, and a sentence for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    status: StatusCode,
    code: &'static str,
    english: &'static str,
    french: &'static str,
}

/// The document was received. Its sender gets no other answer over this connection, whatever the document is.
pub(super) const RECEIVED: Told = Told {
    status: StatusCode::ACCEPTED,
    code: "received",
    english: "The document was received. If it is a letter with an answer, ask for the answer at /v1/answers.",
    french: "Le document est reçu. Si c’est une lettre qui a une réponse, demandez la réponse à /v1/answers.",
};
/// The document is not settled. Its sender keeps the document.
pub(super) const LATER: Told = Told {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "later",
    english: "The letter could not be settled now. Keep it and send the same octets again later.",
    french: "La lettre n’a pas pu être réglée maintenant. Gardez-la et renvoyez plus tard les mêmes octets.",
};
/// The program is stopping.
pub(super) const LEAVING: Told = Told {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "leaving",
    english: "This server is stopping. Keep the letter and send the same octets again.",
    french: "Ce serveur s’arrête. Gardez la lettre et renvoyez les mêmes octets.",
};
/// The address has made too many requests.
pub(super) const TOO_MANY: Told = Told {
    status: StatusCode::TOO_MANY_REQUESTS,
    code: "too_many",
    english: "Too many requests came from this address. Wait for the time in Retry-After.",
    french: "Trop de requêtes viennent de cette adresse. Attendez le temps donné par Retry-After.",
};
/// The document is larger than this address accepts.
pub(super) const TOO_LARGE: Told = Told {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    code: "too_large",
    english: "The document is larger than this server takes. Send its records in several letters.",
    french: "Le document dépasse la taille admise par ce serveur. Envoyez ses actes en plusieurs lettres.",
};
/// The document did not arrive in time.
pub(super) const TOO_SLOW: Told = Told {
    status: StatusCode::REQUEST_TIMEOUT,
    code: "too_slow",
    english: "The document did not come in time. Send it again.",
    french: "Le document n’est pas arrivé à temps. Renvoyez-le.",
};
/// There is no such answer, or the digest is not that of its letter.
pub(super) const NO_ANSWER: Told = Told {
    status: StatusCode::NOT_FOUND,
    code: "no_answer",
    english: "There is no answer for this letter and digest. Send the letter again if it has no receipt.",
    french: "Il n’y a pas de réponse pour cette lettre et cette empreinte. Renvoyez la lettre si elle n’a pas d’accusé.",
};
/// The path or the method is not known.
pub(super) const NO_ROUTE: Told = Told {
    status: StatusCode::NOT_FOUND,
    code: "no_route",
    english: "There are POST /v1/letters and GET /v1/answers/{matricule}/{letter id}.",
    french: "Il y a POST /v1/letters et GET /v1/answers/{matricule}/{numéro de lettre}.",
};

/// Replies with documents.
pub(super) fn documents(text: Vec<u8>) -> HttpResponse {
    let mut response = begun(StatusCode::OK);
    response.insert_header((CONTENT_TYPE, DOCUMENTS)).body(text)
}

/// Replies without documents.
pub(super) fn told(told: Told) -> HttpResponse {
    closing(told, None, false)
}

/// Replies without documents, and asks the client to wait before the next try.
pub(super) fn told_to_wait(told: Told, wait: Duration) -> HttpResponse {
    closing(told, Some(wait), false)
}

/// Replies without documents, and closes the connection. Otherwise octets of the request that were not read would be taken for another
/// request.
pub(super) fn told_at_last(told: Told, wait: Option<Duration>) -> HttpResponse {
    closing(told, wait, true)
}

fn closing(told: Told, wait: Option<Duration>, closes: bool) -> HttpResponse {
    let Told { status, code, english, french } = told;
    let mut response = begun(status);
    if let Some(wait) = wait {
        response.insert_header((RETRY_AFTER, wait.as_secs().max(1)));
    }
    if closes {
        response.force_close();
    }
    response.json(serde_json::json!({ "code": code, "en": english, "fr": french }))
}

fn begun(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    // An answer for one office must not stay in a proxy's cache.
    response.insert_header((CACHE_CONTROL, "no-store"));
    response
}

/// Waits for the next tick after `began`.
pub(super) async fn tick(began: Instant) {
    tokio::time::sleep_until(began + next_tick(began.elapsed())).await;
}

/// Returns the first tick after a time.
fn next_tick(passed: Duration) -> Duration {
    let ticks = passed.as_millis() / TICK.as_millis() + 1;
    TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_any_length_below_a_tick_ends_at_the_same_time() {
        for (worked, replied) in [(0, 250), (1, 250), (249, 250), (250, 500), (251, 500), (600, 750)] {
            assert_eq!(next_tick(Duration::from_millis(worked)), Duration::from_millis(replied), "after {worked} ms");
        }
    }
}
