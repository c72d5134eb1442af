//! Serves the process's state: `GET /live`, `GET /ready`, `GET /accept/smtp`, `GET /accept/http` and `GET /metrics`, without a sign-in and
//! without personal data.
//!
//! Connections and their time are bounded. A request costs the database one short query at most.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, guard, web};
use actors::http_server::{self, Bounds};
use actors::metrics::Metrics;
use prometheus::{Encoder, Registry, TextEncoder};
use store::database::Database;
use tokio::net::TcpListener;

use crate::gauges::DatabaseGauges;
use crate::gauges::program::ProgramGauges;
use crate::ready::Readiness;
use crate::ready::acceptance::{Acceptance, Depth};
use crate::ready::key_watch::KeyWatch;

/// Largest number of connections that are served at the same time.
const CONNECTIONS_MAX: usize = 32;
/// Longest duration of a connection.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(30);

/// Everything that the HTTP server shows.
pub struct Observed {
    registry: Registry,
    readiness: Readiness,
    acceptance: Acceptance,
    http_acceptance: Acceptance,
    intakes: Vec<String>,
    https: Option<String>,
    metrics: Metrics,
    program: ProgramGauges,
    gauges: Option<DatabaseGauges>,
}

/// The database of a program that has one, and what is compared with it.
pub struct ObservedDatabase {
    /// The database.
    pub database: Database,
    /// The metrics that are read from the database.
    pub gauges: DatabaseGauges,
    /// The keys that the program runs with.
    pub keys: KeyWatch,
}

/// Parts of which [`Observed`] is made.
pub struct ObservedParts {
    /// The metrics of the process.
    pub registry: Registry,
    /// The metrics of the actors, registered in `registry`.
    pub metrics: Metrics,
    /// The database; `None` where the program has neither a database nor keys.
    pub database: Option<ObservedDatabase>,
    /// Names of the intakes, to which mail is pushed.
    pub intakes: Vec<String>,
    /// Name of the intake to which letters are posted over HTTPS, if there is one.
    pub https: Option<String>,
    /// The data folder.
    pub data_folder: PathBuf,
    /// Whether the private PostgreSQL is in the data folder: it fails when the disk is full, so its free space is checked.
    pub is_embedded: bool,
    /// Largest number of bytes of containers from unknown senders that the quarantine keeps for each reason.
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
            intakes,
            https,
            data_folder,
            is_embedded,
            quarantine_bytes_max,
        } = parts;
        let (compared, gauges) = match database {
            Some(ObservedDatabase { database, gauges, keys }) => (Some((database, keys)), Some(gauges)),
            None => (None, None),
        };
        let database = compared.as_ref().map(|(database, _)| database.clone());
        Ok(Observed {
            program: ProgramGauges::new(&registry, database, data_folder.clone(), quarantine_bytes_max)?,
            readiness: Readiness::new(metrics.clone(), compared, is_embedded.then_some(data_folder)),
            acceptance: Acceptance::new(!intakes.is_empty()),
            http_acceptance: Acceptance::new(https.is_some()),
            intakes,
            https,
            metrics,
            registry,
            gauges,
        })
    }

    /// Notes whether mail is being taken, and whether there is room for more; `/ready` and `/accept` show it.
    pub fn set_taking_mail(&self, is_taking_mail: bool, has_room: bool) {
        self.readiness.set_taking_mail(is_taking_mail);
        let listens = self.intakes.iter().all(|intake| self.metrics.is_reached(intake));
        let now = Instant::now();
        self.acceptance.note(listens, is_taking_mail, has_room, now);
        let listens = self.https.iter().all(|https| self.metrics.is_reached(https));
        self.http_acceptance.note(listens, is_taking_mail, has_room, now);
    }

    /// Notes that the program is about to stop: balancers should send mail elsewhere from now on.
    pub fn set_leaving(&self) {
        self.acceptance.leave();
        self.http_acceptance.leave();
    }

    /// Notes that the program is stopping, so that it takes no more mail.
    pub fn set_draining(&self) {
        self.readiness.set_draining();
    }

    async fn metrics(&self) -> HttpResponse {
        self.program.read();
        let mut families = self.registry.gather();
        if let Some(gauges) = &self.gauges {
            families.extend(gauges.gather().await);
        }
        let mut body = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&families, &mut body) {
            tracing::warn!(%error, "the metrics could not be written");
            return text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n");
        }
        HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(body)
    }
}

/// Says whether letters should be sent to this program by one protocol.
fn accept(acceptance: &Acceptance, query: &str) -> HttpResponse {
    let depth = if query == "deep=1" { Depth::Deep } else { Depth::Shallow };
    match acceptance.look(depth, Instant::now()) {
        Ok(()) => text(StatusCode::OK, "accepting\n"),
        // The status is not 503, because HAProxy (disable-on-404) keeps the connections of a server that answers 404, and sends only new
        // ones elsewhere. It closes the connections of a server that is down.
        Err(elsewhere) => text(StatusCode::NOT_FOUND, format!("not accepting: {elsewhere}\n")),
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(body.into())
}

fn configure(routes: &mut web::ServiceConfig) {
    let read = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    routes
        .route("/live", read().to(async || text(StatusCode::OK, "live\n")))
        .route(
            "/ready",
            read().to(async |observed: web::Data<Observed>| match observed.readiness.look().await {
                Ok(()) => text(StatusCode::OK, "ready\n"),
                Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
            }),
        )
        .route(
            "/accept/smtp",
            read().to(async |request: HttpRequest, observed: web::Data<Observed>| {
                accept(&observed.acceptance, request.query_string())
            }),
        )
        .route(
            "/accept/http",
            read().to(async |request: HttpRequest, observed: web::Data<Observed>| {
                accept(&observed.http_acceptance, request.query_string())
            }),
        )
        .route("/metrics", read().to(async |observed: web::Data<Observed>| observed.metrics().await))
        .default_service(web::to(async |request: HttpRequest| match *request.method() {
            Method::GET | Method::HEAD => {
                text(StatusCode::NOT_FOUND, "there are /live, /ready, /accept/smtp, /accept/http and /metrics\n")
            }
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
        }));
}

/// Serves until the future is dropped. Returns only after a fault, with a sentence that describes it.
pub async fn serve(listener: std::net::TcpListener, observed: Arc<Observed>) -> String {
    http_server::on_own_thread("http", move || async move {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return error.to_string(),
        };
        let bounds =
            Bounds { tls: None, connections_max: CONNECTIONS_MAX, connection_time_max: Some(CONNECTION_TIME_MAX) };
        let data = web::Data::from(observed);
        http_server::serve(listener, bounds, |routes| configure(routes.app_data(data)), |_connections| {}).await
    })
    .await
}

#[cfg(test)]
mod tests {
    use diesel_async::SimpleAsyncConnection;
    use store::testing::TestCluster;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

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
            database: Some(ObservedDatabase {
                gauges: DatabaseGauges::new((&database, None), None, Duration::MAX).unwrap(),
                database,
                keys,
            }),
            intakes: vec!["lmtp".to_owned()],
            https: None,
            data_folder: std::env::temp_dir(),
            is_embedded: false,
            quarantine_bytes_max: 1,
        };
        let observed = Arc::new(Observed::new(parts).unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
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
                    INSERT INTO xm.outbox (agency, payload, transport) VALUES (3, 'x', 'http'), (4, 'x', 'http-parts');
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
            "xm_outbox_to_collect 2",
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
    async fn only_the_known_questions_are_answered() {
        let (address, _observed) = served(TestCluster::shared().await.database().await).await;
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));
        let posted =
            ask(address, "POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        assert!(posted.starts_with("HTTP/1.1 405"), "{posted}");
        // The server takes at most 96 header fields, and a head of at most 16 KB.
        let many = "X-Filler: y\r\n".repeat(97);
        let answer = ask(address, &format!("GET /live HTTP/1.1\r\n{many}\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        let long = "y".repeat(256 * 1024);
        let answer = ask(address, &format!("GET /live HTTP/1.1\r\nX-Filler: {long}\r\n\r\n")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}
