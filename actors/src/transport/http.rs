//! An address at which offices post their letters over HTTPS, and collect the answers.

mod addresses;
mod body;
mod replies;
mod routes;
mod settings;

use std::sync::Arc;

use actix_web::web;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mail::intake::tls::Certificate;
use tokio::net::TcpListener;

use super::pushed::Pushed;
use super::{Form, TransportFacts, TransportFault};
use crate::admission::lender::Lender;
use crate::answer_desk::AnswerDesk;
use crate::http_server::{self, Bounds};
use crate::metrics::IntakeMetrics;
use addresses::Addresses;
pub use settings::HttpSettings;

/// An address at which offices post letters.
pub struct HttpIntake {
    settings: HttpSettings,
    certificate: Option<Arc<Certificate>>,
}

impl HttpIntake {
    /// Prepares to listen. Nothing is opened yet.
    pub fn new(settings: HttpSettings) -> HttpIntake {
        HttpIntake { certificate: settings.certificate(), settings }
    }

    /// Returns the certificate that new connections get, so that it can be read again; `None` where connections are not protected.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }
}

/// Everything that the handlers of all requests share.
struct Shared {
    lender: Lender,
    desk: AnswerDesk,
    metrics: IntakeMetrics,
    settings: HttpSettings,
    certificate: Option<Arc<Certificate>>,
    addresses: Addresses,
}

impl Pushed for HttpIntake {
    fn facts(&self) -> TransportFacts {
        TransportFacts { answers_by: "http", noun: "intake", form: Form::Document }
    }

    fn listen(&self, lender: Lender, desk: AnswerDesk) -> BoxFuture<'_, TransportFault> {
        async move {
            let HttpIntake { settings, certificate } = self;
            let shared = Arc::new(Shared {
                metrics: lender.metrics().intake(&settings.name),
                addresses: Addresses::new(settings.requests_per_minute_max),
                settings: settings.clone(),
                certificate: certificate.clone(),
                lender,
                desk,
            });
            let words = http_server::on_own_thread(&settings.name, move || serve(shared)).await;
            TransportFault { step: "tcp", words: format!("{}: {words}", settings.name) }
        }
        .boxed()
    }
}

/// Listens and serves connections. Returns only after a fault, with a sentence that describes it.
async fn serve(shared: Arc<Shared>) -> String {
    let settings = &shared.settings;
    let tls = match shared.certificate.as_ref().map(Certificate::acceptor).transpose() {
        Ok(tls) => tls,
        Err(problem) => return problem,
    };
    let listen = settings.listen;
    let listener = match TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(error) => return format!("listen: cannot listen at {listen}: {error}"),
    };
    let bounds = Bounds { tls, connections_max: settings.connections_max, connection_time_max: None };
    let (data, metrics) = (web::Data::from(Arc::clone(&shared)), shared.metrics.clone());
    let configure = |routes: &mut web::ServiceConfig| routes::configure(routes.app_data(data));
    shared.lender.listens();
    http_server::serve(listener, bounds, configure, move |connections| metrics.connections(connections)).await
}
