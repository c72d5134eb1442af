//! Serves HTTP applications of actix-web over a bounded number of connections, plain or with TLS.
//!
//! When the bound is reached, the connection that has been idle for longest is closed to make room for a new one. The rules are those of
//! pushed mail (`mail::intake::places`). actix-web's own server has no such rule: a stranger who opens as many idle connections as it
//! allows would keep all others out.

mod connection;
mod turns;

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_http::ConnectionType;
use actix_http::HttpService;
use actix_http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_service::{Service, ServiceFactory, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::{App, web};
use mail::intake::places::Places;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

use connection::Connection;
pub use connection::Peer;
use turns::Announced;

/// Longest time for the TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Longest time for the head of a request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest time that a connection stays open after a reply, waiting for the next request.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Longest time from the last reply of a connection until its end, and longest time for shutting a connection down.
const CLOSE_MAX: Duration = Duration::from_secs(5);
/// Pause after a connection could not be accepted because the system had no resources for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the connections of a server are protected and bounded.
#[derive(Clone)]
pub struct Bounds {
    /// Certificate and key for TLS; `None` for plain connections.
    pub tls: Option<TlsAcceptor>,
    /// Largest number of connections at once.
    pub connections_max: usize,
    /// Longest lifetime of a connection; `None` for no limit. An idle connection may always be closed to make room for a new one.
    pub connection_time_max: Option<Duration>,
}

/// Runs a server on a thread of its own, since the futures of actix-web cannot move between threads. `serving` makes the server's future,
/// whose result is returned. When the returned future is dropped, the thread and all its connections end.
pub async fn on_own_thread<F>(name: &str, serving: impl FnOnce() -> F + Send + 'static) -> String
where
    F: Future<Output = String> + 'static,
{
    let (ended, words) = oneshot::channel();
    let (_keeps, dropped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ended.send(format!("no runtime: {error}"))),
        };
        LocalSet::new().block_on(&runtime, async move {
            tokio::select! {
                words = serving() => drop(ended.send(words)),
                _ = dropped => {}
            }
        });
    });
    match thread {
        Ok(_detached) => words.await.unwrap_or_else(|_gone| "the server has panicked".to_owned()),
        Err(error) => format!("no thread: {error}"),
    }
}

/// Serves an application until the future is dropped; see [`on_own_thread`]. `count` is called with the number of connections whenever it
/// changes. Handlers find the [`Peer`] of their connection in the connection's data.
pub async fn serve(
    listener: TcpListener,
    bounds: Bounds,
    configure: impl FnOnce(&mut web::ServiceConfig),
    count: impl Fn(usize) + Clone + 'static,
) -> String {
    let factory = HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIME_MAX)
        .client_disconnect_timeout(CLOSE_MAX)
        .on_connect_ext(|connection: &Connection, data| drop(data.insert(connection.peer())))
        .h1(map_config(App::new().wrap_fn(in_turn).configure(configure), |()| AppConfig::default()));
    let Ok(service) = factory.new_service(()).await else { return "the routes cannot be served".to_owned() };
    let service = Rc::new(service);
    let places = Places::new(bounds.connections_max);
    loop {
        count(places.taken());
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // If all places are taken and no connection may be closed, the new connection is closed here. Its client tries again.
        let Some(place) = places.take(Instant::now()).map(Rc::new) else { continue };
        let (service, bounds, count, places) = (Rc::clone(&service), bounds.clone(), count.clone(), places.clone());
        tokio::task::spawn_local(async move {
            let conversation = async {
                let stream = protected(stream, bounds.tls).await?;
                let connection = Connection::new(stream, Rc::clone(&place), peer.ip());
                let requests = Rc::clone(&connection.peer().requests);
                let served = service.call((connection, Some(peer)));
                let over = async {
                    requests.is_cut().await;
                    tokio::time::sleep(CLOSE_MAX).await;
                };
                tokio::select! {
                    served = served => served.map_err(|error| io::Error::other(error.to_string())),
                    () = over => Ok(()),
                }
            };
            let bounded = timeout(bounds.connection_time_max.unwrap_or(Duration::MAX), conversation);
            let ended = tokio::select! {
                ended = bounded => ended.unwrap_or(Ok(())),
                () = place.told() => Ok(()),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
            count(places.taken());
        });
    }
}

/// Answers a request, unless the connection has already had its last reply. A request whose body was not read to its end is the last one of
/// its connection: the rest of the body must not be taken for another request, and must not be read for ever.
fn in_turn<S, B>(
    request: ServiceRequest,
    routes: &S,
) -> impl Future<Output = Result<ServiceResponse<B>, actix_web::Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    let requests = request.conn_data::<Peer>().map(|peer| Rc::clone(&peer.requests)).unwrap_or_default();
    let length = || request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok();
    let body = match request.headers().contains_key(TRANSFER_ENCODING) {
        true => Announced::Chunks,
        false => Announced::Octets(length().unwrap_or(0)),
    };
    let is_closed_by_peer = request.head().connection_type() == ConnectionType::Close;
    let called = requests.begin(body).then(|| routes.call(request));
    async move {
        let Some(called) = called else { return std::future::pending().await };
        let mut response = called.await?;
        let head = response.response_mut().head_mut();
        if body != Announced::Octets(0) && !requests.is_read() {
            head.set_connection_type(ConnectionType::Close);
        }
        let is_closed = head.connection_type() == ConnectionType::Close;
        if is_closed {
            requests.cut();
        }
        match is_closed || is_closed_by_peer {
            true => requests.end(),
            false => requests.answered(),
        }
        Ok(response)
    }
}

async fn protected(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) -> io::Result<Either<TcpStream, tokio_rustls::server::TlsStream<TcpStream>>> {
    // Without this option, a reply would wait until the client has acknowledged the previous reply.
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Either::Left(stream)) };
    let agreed = timeout(HANDSHAKE_MAX, tls.accept(stream)).await;
    agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(Either::Right)
}
