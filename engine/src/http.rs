//! What the process shows of itself: `GET /live`, `GET /ready`, `GET /metrics`. No sign-in, no personal data.
//!
//! Everything is bounded: connections, headers, times. A request costs the database one short query at most.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Encoder, IntGauge, Registry, TextEncoder};
use store::database::Database;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::gauges::DatabaseGauges;

/// Connections served at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 32;
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADER_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest life of a connection.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest that readiness waits for the database.
const DATABASE_PATIENCE: Duration = Duration::from_secs(2);

/// What is shown, and from where.
pub struct Observed {
    registry: Registry,
    database: Database,
    gauges: DatabaseGauges,
    memory: IntGauge,
    is_taking_mail: AtomicBool,
}

impl Observed {
    /// Makes it from the metrics of the process and those of the database.
    ///
    /// # Errors
    /// A name registered twice.
    pub fn new(registry: Registry, database: Database, gauges: DatabaseGauges) -> prometheus::Result<Observed> {
        let memory = IntGauge::new("process_resident_memory_bytes", "Resident memory size")?;
        registry.register(Box::new(memory.clone()))?;
        Ok(Observed { registry, database, gauges, memory, is_taking_mail: AtomicBool::new(false) })
    }

    /// Says whether mail is being taken; readiness tells it on.
    pub fn set_taking_mail(&self, is_taking_mail: bool) {
        self.is_taking_mail.store(is_taking_mail, Ordering::Relaxed);
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match request.uri().path() {
            "/live" => text(StatusCode::OK, "live\n"),
            "/ready" => match self.unready().await {
                None => text(StatusCode::OK, "ready\n"),
                Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {reason}\n")),
            },
            "/metrics" => self.metrics().await,
            _ => text(StatusCode::NOT_FOUND, "there are /live, /ready and /metrics\n"),
        }
    }

    /// Says why no letter can be taken now.
    async fn unready(&self) -> Option<&'static str> {
        if !self.is_taking_mail.load(Ordering::Relaxed) {
            return Some("no mail is taken");
        }
        let ask = async {
            self.database.get().await?.batch_execute("SELECT 1").await?;
            Ok::<_, store::fault::Fault>(())
        };
        match tokio::time::timeout(DATABASE_PATIENCE, ask).await {
            Ok(Ok(())) => None,
            _ => Some("the database does not answer"),
        }
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes);
        }
        let mut families = self.registry.gather();
        families.extend(self.gauges.gather().await);
        let mut body = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&families, &mut body) {
            tracing::warn!(%error, "the metrics could not be written");
            return text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n");
        }
        let mut response = Response::new(Full::new(Bytes::from(body)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(prometheus::TEXT_FORMAT));
        response
    }
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Returns the memory that this process holds, as far as the system tells.
pub fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Serves until the task is dropped.
pub async fn serve(listener: TcpListener, observed: Arc<Observed>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed, so a place always comes.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: waiting frees some.
                tracing::warn!(%error, "a connection to /metrics could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let observed = Arc::clone(&observed);
        tokio::spawn(async move {
            converse(stream, observed).await;
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, observed: Arc<Observed>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let observed = Arc::clone(&observed);
        async move { Ok::<_, Infallible>(observed.answer(&request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIME_MAX, connection).await {
        Ok(Err(error)) => tracing::debug!(%error, "a connection to /metrics ended early"),
        Ok(Ok(())) | Err(_) => {}
    }
}
