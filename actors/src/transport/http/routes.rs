//! The routes of requests: offices post letters and collect answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use mail::intake::Outcome;
use mail::intake::places::Holding;
use sdc::digest::Digest;
use sdc::letter::Matricule;
use serde::Deserialize;
use store::database::fault::Fault;
use store::letters::collected::{AnsweredLetter, Which};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use uuid::Uuid;

use super::body::{self, Unread};
use super::{Shared, replies};
use crate::admission::lender::PushedMail;
use crate::custody::{AnswerSlot, Fate};
use crate::http_server::Peer;

/// Header field with the SHA-256 of a letter's signed octets, in hexadecimal digits.
const LETTER_DIGEST: HeaderName = HeaderName::from_static("x-letter-digest");
/// Header field in which a proxy names the address that it serves.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Pause that a client is asked to make after its letter could not be settled.
const LATER_WAIT: Duration = Duration::from_secs(15);
/// Longest wait for an answer that is requested by its letter's name.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// Pause before another try to get the answer to a settled letter.
const AGAIN_PAUSE: Duration = Duration::from_millis(200);
/// Pause that a client is asked to make when this program stops. Another program may take the letter soon.
const LEAVING_WAIT: Duration = Duration::from_secs(2);

pub(super) fn configure(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource("/v1/letters").route(web::post().to(post_letter)))
        .service(web::resource("/v1/answers/{matricule}/{letter}").route(web::get().to(get_answer)))
        .default_service(web::to(async || replies::told(replies::NO_ROUTE)));
}

async fn post_letter(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let Some(peer) = request.conn_data::<Peer>() else { return replies::told_at_last(replies::LATER, None) };
    if let Err(wait) = shared.addresses.take(address_of(&shared, peer, request.headers()), Instant::now().into()) {
        return replies::told_at_last(replies::TOO_MANY, Some(wait));
    }
    if shared.lender.is_draining() {
        return replies::told_at_last(replies::LEAVING, Some(LEAVING_WAIT));
    }
    let _expected = shared.lender.expect();
    peer.place.holds(Holding::Receives);
    let bytes_max = usize::try_from(shared.settings.document_size_max_bytes).unwrap_or(usize::MAX);
    let read = body::read(payload, request.headers().get(CONTENT_LENGTH), bytes_max, peer).await;
    let reply = match read {
        Ok(body) => {
            peer.has_read();
            peer.place.holds(Holding::Waits);
            settle(&shared, body).await
        }
        Err(Unread::TooLarge) => replies::told_at_last(replies::TOO_LARGE, None),
        Err(Unread::TooSlow | Unread::Broken) => replies::told_at_last(replies::TOO_SLOW, None),
    };
    peer.place.holds(Holding::Idle);
    reply
}

/// Lends a document to the actors, and replies according to the document's fate.
async fn settle(shared: &Shared, body: body::Body) -> HttpResponse {
    let arrived = Instant::now();
    let _held = shared.metrics.hold();
    let answer = AnswerSlot::default();
    let pushed =
        PushedMail { mail: body.document, over_size_bytes: None, answer: Some(Arc::clone(&answer)), origin: None };
    let outcome = match shared.lender.lend(pushed).await {
        Fate::Settled | Fate::Left => Outcome::Taken,
        _ if shared.lender.is_draining() => Outcome::Leaving,
        Fate::Deferred | Fate::Withheld | Fate::Returned | Fate::Suspect => Outcome::Later,
    };
    shared.metrics.answered(outcome);
    match (outcome, answer.get()) {
        (Outcome::Taken, Some(letter)) => match answers_to(shared, letter).await {
            Ok(text) if text.is_empty() => {
                replies::tick(arrived).await;
                replies::told(replies::RECEIVED)
            }
            Ok(text) => replies::documents(text),
            Err(fault) => {
                tracing::debug!(%fault, "a letter is settled, and its answer could not be handed out");
                replies::told_to_wait(replies::LATER, LATER_WAIT)
            }
        },
        (Outcome::Taken, None) => {
            replies::tick(arrived).await;
            replies::told(replies::RECEIVED)
        }
        (Outcome::Leaving, _) => replies::told_at_last(replies::LEAVING, Some(LEAVING_WAIT)),
        (Outcome::Later, _) => replies::told_to_wait(replies::LATER, LATER_WAIT),
    }
}

/// Waits for the answer to a settled letter. While the database cannot be reached, the sender waits, as it does before its letter is
/// settled.
async fn answers_to(shared: &Shared, letter: &AnsweredLetter) -> Result<Vec<u8>, Fault> {
    let until = Instant::now() + Duration::from_secs(shared.settings.hold_seconds_max);
    loop {
        let answers = timeout_at(until, shared.desk.answers_to(letter.clone())).await;
        match answers.unwrap_or_else(|_elapsed| Err(late())) {
            Err(fault) if fault.is_passing() && Instant::now() + AGAIN_PAUSE < until => sleep(AGAIN_PAUSE).await,
            answers => return answers,
        }
    }
}

fn late() -> Fault {
    Fault::Away("the answer did not come in time".to_owned())
}

/// The query string of a request for an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    attempt: Option<i16>,
    part: Option<i16>,
}

async fn get_answer(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let arrived = Instant::now();
    let Some(peer) = request.conn_data::<Peer>() else { return replies::told_at_last(replies::LATER, None) };
    if let Err(wait) = shared.addresses.take(address_of(&shared, peer, request.headers()), arrived.into()) {
        return replies::told_at_last(replies::TOO_MANY, Some(wait));
    }
    let answer = match wanted(&request) {
        Some((agency, letter_id, digest, which)) => {
            let answer = shared.desk.answer(agency, letter_id, digest, which);
            timeout(ANSWER_WAIT_MAX, answer).await.unwrap_or_else(|_elapsed| Err(late()))
        }
        None => Ok(None),
    };
    match answer {
        Ok(Some(document)) => replies::documents(document.to_vec()),
        Ok(None) => {
            replies::tick(arrived).await;
            replies::told(replies::NO_ANSWER)
        }
        Err(fault) => {
            tracing::debug!(%fault, "an answer could not be read");
            replies::told_to_wait(replies::LATER, LATER_WAIT)
        }
    }
}

/// Parses a request for an answer; returns `None` where a part of it is missing or malformed.
fn wanted(request: &HttpRequest) -> Option<(Matricule, Uuid, Digest, Which)> {
    let agency = request.match_info().get("matricule")?.parse::<u32>().ok()?.try_into().ok()?;
    let letter_id = Uuid::try_parse(request.match_info().get("letter")?).ok()?;
    let digest = Digest::parse(request.headers().get(LETTER_DIGEST)?.to_str().ok()?)?;
    let Asked { attempt, part } = web::Query::<Asked>::from_query(request.query_string()).ok()?.into_inner();
    Some((agency, letter_id, digest, Which { attempt, part }))
}

/// Returns the address whose allowance a request uses: the address of the connection or, if that is a trusted proxy, the last address that
/// the proxy names.
fn address_of(shared: &Shared, peer: &Peer, headers: &HeaderMap) -> IpAddr {
    let is_proxy = shared.settings.proxies.contains(&peer.address.to_canonical());
    let named = || {
        let last = headers.get_all(FORWARDED_FOR).last()?.to_str().ok()?.rsplit(',').next()?;
        last.trim().parse().ok()
    };
    is_proxy.then(named).flatten().unwrap_or(peer.address)
}
