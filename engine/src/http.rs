//! Serves the process's state: `GET /live`, `GET /ready`, `GET /accept/smtp` and `GET /metrics`, without a sign-in and without personal
//! data.
//!
//! Connections, headers and times are bounded. A request costs the database one short query at most.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actors::metrics::Metrics;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Encoder, Registry, TextEncoder};
use store::database::Database;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::gauges::DatabaseGauges;
use crate::gauges::program::ProgramGauges;
use crate::ready::Readiness;
use crate::ready::acceptance::{Acceptance, Depth};
use crate::ready::key_watch::KeyWatch;

/// Most connections that are served at the same time; further connections wait.
const CONNECTIONS_MAX: usize = 32;
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 16 * 1024;
const HEADER_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest duration of a connection.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);
/// Everything that the HTTP server shows.
pub struct Observed {
    registry: Registry,
    readiness: Readiness,
    acceptance: Acceptance,
    intakes: Vec<String>,
    metrics: Metrics,
    program: ProgramGauges,
    gauges: DatabaseGauges,
}

/// Parts of which [`Observed`] is made.
pub struct ObservedParts {
    /// The metrics of the process.
    pub registry: Registry,
    /// The metrics of the actors, registered in `registry`.
    pub metrics: Metrics,
    /// The database.
    pub database: Database,
    /// The metrics that are read from the database.
    pub gauges: DatabaseGauges,
    /// Names of the intakes, to which mail is pushed.
    pub intakes: Vec<String>,
    /// The keys that the program runs with.
    pub keys: KeyWatch,
    /// The data folder.
    pub data_folder: PathBuf,
    /// Whether the private PostgreSQL is in the data folder too.
    pub is_embedded: bool,
    /// Most bytes of containers from unknown senders that the quarantine keeps for each reason.
    pub quarantine_bytes_max: u64,
}

impl Observed {
    /// Makes what the HTTP server shows, and registers the metrics that only this server sets, such as the free space on the disk.
    ///
    /// # Errors
    /// Two metrics have the same name.
    pub fn new(parts: ObservedParts) -> prometheus::Result<Observed> {
        let ObservedParts {
            registry,
            metrics,
            database,
            gauges,
            intakes,
            keys,
            data_folder,
            is_embedded,
            quarantine_bytes_max,
        } = parts;
        Ok(Observed {
            program: ProgramGauges::new(&registry, database.clone(), data_folder.clone(), quarantine_bytes_max)?,
            readiness: Readiness::new(metrics.clone(), database, keys, is_embedded.then_some(data_folder)),
            acceptance: Acceptance::new(!intakes.is_empty()),
            intakes,
            metrics,
            registry,
            gauges,
        })
    }

    /// Sets whether mail is being taken, and whether there is room for more; `/ready` and `/accept/smtp` show it.
    pub fn set_taking_mail(&self, is_taking_mail: bool, has_room: bool) {
        self.readiness.set_taking_mail(is_taking_mail);
        let listens = self.intakes.iter().all(|intake| self.metrics.is_reached(intake));
        self.acceptance.note(listens, is_taking_mail, has_room, Instant::now());
    }

    /// Sets that the program is about to stop: balancers should send mail elsewhere from now on.
    pub fn set_leaving(&self) {
        self.acceptance.leave();
    }

    /// Sets that the program is stopping, so that it takes no more mail.
    pub fn set_draining(&self) {
        self.readiness.set_draining();
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match request.uri().path() {
            "/live" => text(StatusCode::OK, "live\n"),
            "/ready" => match self.readiness.look().await {
                Ok(()) => text(StatusCode::OK, "ready\n"),
                Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {reason}\n")),
            },
            "/accept/smtp" => {
                let depth = if request.uri().query() == Some("deep=1") { Depth::Deep } else { Depth::Shallow };
                match self.acceptance.look(depth, Instant::now()) {
                    Ok(()) => text(StatusCode::OK, "accepting\n"),
                    // Not 503: HAProxy (disable-on-404) leaves the connections of a server that answers 404 alone, and sends new ones
                    // elsewhere. It closes the connections of a server that does not answer.
                    Err(elsewhere) => text(StatusCode::NOT_FOUND, &format!("not accepting: {elsewhere}\n")),
                }
            }
            "/metrics" => self.metrics().await,
            _ => text(StatusCode::NOT_FOUND, "there are /live, /ready, /accept/smtp and /metrics\n"),
        }
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        self.program.read();
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

/// Serves until the task is dropped.
pub async fn serve(listener: TcpListener, observed: Arc<Observed>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed, so this call always returns a permit in the end, and never an error.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                // Most likely no file descriptor is free; after the pause other connections have ended and freed some.
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
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIME_MAX, connection).await {
        tracing::debug!(%error, "a connection to /metrics ended early");
    }
}

#[cfg(test)]
mod tests {
    use diesel_async::SimpleAsyncConnection;
    use store::testing::TestCluster;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::ready::key_watch::tests::watched;

    async fn served(database: Database) -> (std::net::SocketAddr, Arc<Observed>) {
        let registry = Registry::new();
        let recorded = database.get().await.is_ok().then_some(&database);
        let (folder, keys) = watched(recorded).await;
        // The folder must stay until the test ends.
        let _kept = folder.keep();
        let parts = ObservedParts {
            metrics: Metrics::new(&registry).unwrap(),
            registry,
            gauges: DatabaseGauges::new((&database, None), None, Duration::MAX).unwrap(),
            database,
            intakes: vec!["lmtp".to_owned()],
            keys,
            data_folder: std::env::temp_dir(),
            is_embedded: false,
            quarantine_bytes_max: 1,
        };
        let observed = Arc::new(Observed::new(parts).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::clone(&observed)));
        (address, observed)
    }

    async fn ask(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // After a refused request the server may reset the connection once the answer is read, so an error here means nothing.
        stream.read_to_end(&mut answer).await.unwrap_or_default();
        String::from_utf8(answer).unwrap()
    }

    async fn get(address: std::net::SocketAddr, path: &str) -> String {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    #[tokio::test]
    async fn readiness_is_a_database_that_answers_and_mail_that_is_taken() {
        let (address, observed) = served(TestCluster::shared().await.database().await).await;
        assert!(get(address, "/live").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/ready").await.ends_with("not ready: no mail is taken: the program is starting\n"));
        observed.set_taking_mail(true, true);
        assert!(get(address, "/ready").await.ends_with("\r\n\r\nready\n"));

        let nowhere = store::database::DatabaseSettings::new("postgresql://xmserver@127.0.0.1:1/x");
        let (address, observed) = served(Database::new(nowhere).unwrap()).await;
        observed.set_taking_mail(true, true);
        let answer = get(address, "/ready").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("the database does not answer"), "{answer}");
        let metrics = get(address, "/metrics").await;
        assert!(
            metrics.contains("process_resident_memory_bytes") && !metrics.contains("xm_outbox_waiting"),
            "{metrics}"
        );
        for shown in ["process_start_time_seconds", "process_open_fds", "xm_data_folder_free_bytes"] {
            let value = metrics.lines().find_map(|line| line.strip_prefix(shown)).unwrap_or_else(|| panic!("{shown}"));
            assert!(value.trim().parse::<f64>().unwrap() > 0.0, "{shown}{value}");
        }
        assert!(metrics.contains("xm_database_connections{state=\"used\"} 0"), "{metrics}");
    }

    #[tokio::test]
    async fn metrics_of_the_database_are_read_from_it() {
        let database = TestCluster::shared().await.database().await;
        let fill = "INSERT INTO xm.outbox (agency, payload, transport, queued_at)
                    VALUES (1, 'x', 'mail', now() - interval '1 hour');
                    INSERT INTO xm.outbox (agency, payload, transport, failed_at) VALUES (2, 'x', 'mail', now());
                    INSERT INTO xm.quarantine_usage VALUES ('unreadable', 4096);
                    INSERT INTO xm.agencies (matricule, name, email, status)
                    VALUES (1, 'a', 'a@x', 3), (2, 'b', 'b@x', 3), (3, 'c', 'c@x', 3), (4, 'd', 'd@x', 0);
                    INSERT INTO xm.accounts (kind, agency, balance)
                    VALUES ('agency', 1, -5), ('agency', 2, 7), ('agency', 3, 0), ('agency', 4, -6);
                    INSERT INTO xm.journal (received_at, agency, outcome, transport, mailbox, container_bytes)
                    VALUES (now(), 1, 'accepted', 'mail', 'm', 1), (now(), 1, 'accepted', 'mail', 'm', 1),
                           (now() - interval '25 hours', 2, 'accepted', 'mail', 'm', 1),
                           (now(), 3, 'not_unique', 'mail', 'm', 1), (now(), 4, 'accepted', 'mail', 'm', 1)";
        database.get().await.unwrap().batch_execute(fill).await.unwrap();
        let (address, _observed) = served(database).await;
        let metrics = get(address, "/metrics").await;
        for line in [
            "xm_outbox_waiting 1",
            "xm_outbox_failed 1",
            "xm_ledger_difference 18",
            "xm_agencies{status=\"0\"} 1",
            "xm_agencies{status=\"1\"} 0",
            "xm_agencies{status=\"3\"} 3",
            "xm_agencies_settled 1",
            "xm_agencies_silent{for=\"7d\"} 1",
            "xm_agencies_without_certificate 3",
            "xm_agencies_certificate_ending{within=\"14d\"} 0",
            "xm_accounts_owing 2",
            "xm_accounts_owed_minor_units 11",
            "xm_letters_unanswered_oldest_seconds 0",
            "xm_quarantine_open{reason=\"unreadable\"} 0",
            "xm_quarantine_bytes{reason=\"unreadable\"} 4096",
            "xm_quarantine_open{reason=\"poison\"} 0",
        ] {
            assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
        }
        let oldest = metrics.lines().find_map(|line| line.strip_prefix("xm_outbox_oldest_seconds ")).unwrap();
        assert!(oldest.parse::<f64>().unwrap() >= 3600.0, "{oldest}");
    }

    /// Each case has an agency's status, its certificates, and what the metrics must count: an agency without a valid certificate, an
    /// agency whose last certificate ends within 14 days, or neither. A certificate has the days until it begins, the days until it ends,
    /// and whether it is revoked.
    #[tokio::test]
    async fn agencies_without_a_certificate_or_a_successor_are_told_of() {
        type Certificates = &'static [(i32, i32, bool)];
        let agencies: [(i16, Certificates, &str); 11] = [
            (3, &[], "without"),
            (0, &[], "suspended"),
            (3, &[(-9, 100, false)], "well"),
            (3, &[(-9, 100, true)], "without"),
            (2, &[(-9, -1, false)], "without"),
            (3, &[(5, 100, false)], "without"),
            (1, &[(-9, 5, false)], "ending"),
            (3, &[(-9, 5, false), (-1, 100, false)], "well"),
            (3, &[(-9, 5, false), (4, 100, false)], "well"),
            (3, &[(-9, 5, false), (-1, 100, true)], "ending"),
            (0, &[(-9, 5, false)], "suspended"),
        ];
        let database = TestCluster::shared().await.database().await;
        let mut fill = String::new();
        for (number, (status, certificates, _)) in (1..).zip(agencies) {
            fill.push_str(&format!(
                "INSERT INTO xm.agencies (matricule, name, email, status) VALUES ({number}, 'a', 'a@x', {status});"
            ));
            for (at, (from, to, is_revoked)) in (0..).zip(certificates) {
                let revoked = if *is_revoked { "now()" } else { "NULL" };
                // Each certificate belongs to a key of its own, because revoking a certificate revokes its key.
                let hash = format!("decode(lpad('{}', 64, '0'), 'hex')", number * 10 + at);
                fill.push_str(&format!(
                    "INSERT INTO xm.agency_keys (spki_sha256, agency) VALUES ({hash}, {number});
                     INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm,
                                                  not_before, not_after, revoked_at)
                     VALUES ({number}, {hash}, 'k', 'i', 's', 'd', {hash}, 'P-256',
                             now() + interval '{from} days', now() + interval '{to} days', {revoked});"
                ));
            }
        }
        database.get().await.unwrap().batch_execute(&fill).await.unwrap();
        let (address, _observed) = served(database).await;
        let metrics = get(address, "/metrics").await;
        let expected = |what: &str| agencies.iter().filter(|(_, _, becomes)| *becomes == what).count();
        for line in [
            format!("xm_agencies_without_certificate {}", expected("without")),
            format!("xm_agencies_certificate_ending{{within=\"14d\"}} {}", expected("ending")),
        ] {
            assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
        }
    }

    #[tokio::test]
    async fn only_three_questions_are_answered() {
        let (address, _observed) = served(TestCluster::shared().await.database().await).await;
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));
        let posted =
            ask(address, "POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
        let many = "X-Filler: y\r\n".repeat(HEADERS_MAX + 1);
        let answer = ask(address, &format!("GET /live HTTP/1.1\r\n{many}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let long = "y".repeat(2 * HEADER_BYTES_MAX);
        let answer = ask(address, &format!("GET /live HTTP/1.1\r\nX-Filler: {long}\r\n\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}
