//! What a server tells of itself at its monitoring address: only there it says whether it syncs before it acknowledges.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fault::CarrierFault;

/// Longest wait for a server's answer.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Oldest version whose stream can be trusted with the only copy that the centre knows of.
const VERSION_MIN: (u32, u32) = (2, 12);

/// A server of the carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name of the server, as in its configuration.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Whether the server writes each message to disk before it acknowledges it.
    pub syncs_always: bool,
}

/// The members of `/varz` that are needed.
#[derive(Deserialize)]
struct Varz {
    server_name: String,
    version: String,
    #[serde(default)]
    jetstream: JetStreamVarz,
}

#[derive(Default, Deserialize)]
struct JetStreamVarz {
    #[serde(default)]
    config: JetStreamConfig,
}

#[derive(Default, Deserialize)]
struct JetStreamConfig {
    #[serde(default)]
    sync_always: bool,
}

impl Server {
    /// Asks the server whose monitoring address is `http://host:port`.
    ///
    /// # Errors
    /// [`CarrierFault::Away`], with the address.
    pub async fn ask(url: &str) -> Result<Server, CarrierFault> {
        let asked = timeout(WAIT_MAX, varz(url)).await.unwrap_or_else(|elapsed| Err(elapsed.to_string()));
        let varz = asked.map_err(|reason| CarrierFault::Away(format!("{url}/varz: {reason}")))?;
        let Varz { server_name: name, version, jetstream } = varz;
        Ok(Server { name, version, syncs_always: jetstream.config.sync_always })
    }

    /// Says whether the server's version is one that this program relies on.
    pub fn is_new_enough(&self) -> bool {
        let mut numbers = self.version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= VERSION_MIN
    }
}

async fn varz(url: &str) -> Result<Varz, String> {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let stream = TcpStream::connect(authority).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let request = Request::get("/varz").header("Host", authority).body(Empty::<Bytes>::new());
    let asking = async {
        let response = sender.send_request(request.map_err(|error| error.to_string())?).await;
        let body = response.map_err(|error| error.to_string())?.into_body();
        let read = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
        serde_json::from_slice(&read.to_bytes()).map_err(|error| error.to_string())
    };
    // The connection does its work only while it is polled. It may end together with the answer.
    let mut asking = std::pin::pin!(asking);
    tokio::select! {
        biased;
        answer = &mut asking => answer,
        // The server closes the connection as soon as it has answered.
        ended = connection => match ended {
            Ok(()) => asking.await,
            Err(error) => Err(error.to_string()),
        },
    }
}
