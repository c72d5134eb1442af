//! Tests of connecting to a server, before any command is sent.

use super::*;
use simulation::scripted::{Peer, serve};

/// With Nagle's algorithm each final dot would wait for a delayed acknowledgement, which adds 40 ms to every mail.
#[tokio::test]
async fn nothing_is_held_for_an_acknowledgement() {
    let (port, _script) = serve(async |tcp| Peer::new(tcp).hear().await).await;
    let dialer = Dialer::new(("127.0.0.1", port), Security::None, None, 60).unwrap();
    let Stream::Plain(tcp) = dialer.dial(&mut TestReport::default()).await.unwrap() else { panic!("no TLS here") };
    assert!(tcp.nodelay().unwrap());
}
