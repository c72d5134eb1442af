//! Tests of TLS from the first octet and by STLS: the client never accepts an unknown certificate, and never continues without TLS.

use super::*;

#[tokio::test]
async fn tls_needs_the_right_name_and_a_trusted_issuer() {
    for (name, trusted, fits) in
        [("127.0.0.1", true, true), ("elsewhere.example", true, false), ("127.0.0.1", false, false)]
    {
        let (file, acceptor) = certificate(&[name]);
        let (port, _task) = serve(move |tcp| async move {
            let Ok(tls) = acceptor.accept(tcp).await else { return Vec::new() };
            let mut peer = Peer::new(tls);
            peer.say("+OK\r\n").await;
            peer.answer(&[("CAPA", POOR), ("", "+OK\r\n")]).await;
            peer.heard
        })
        .await;
        let mut settings = settings(port);
        settings.security = Security::Tls;
        settings.ca_file = trusted.then(|| file.path().into());
        match Mailbox::new(settings).unwrap().open().await {
            Ok(session) if fits => session.quit().await.unwrap(),
            Err(error) if !fits => assert_eq!(error.step, Step::Tls, "{error}"),
            other => panic!("{name} {trusted}: {:?}", other.err()),
        }
    }
}

async fn stls(script: impl AsyncFnOnce(&mut Peer<TcpStream>)) -> (MailError, Vec<String>) {
    let (file, _acceptor) = certificate(&["127.0.0.1"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(listener.local_addr().unwrap().port());
    settings.security = Security::Starttls;
    settings.ca_file = Some(file.path().into());
    let server = async {
        let mut peer = Peer::new(listener.accept().await.unwrap().0);
        peer.say("+OK\r\n").await;
        script(&mut peer).await;
        // The server records everything that the client still sends in plain text.
        while !peer.hear().await.is_empty() {}
        peer.heard
    };
    let (client, heard) = tokio::join!(async { open(&settings).await.err().unwrap() }, server);
    (client, heard)
}

#[tokio::test]
async fn stls_is_never_done_without() {
    let (error, heard) = stls(async |peer| {
        peer.hear().await;
        peer.say("+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n").await;
    })
    .await;
    assert!(matches!((error.step, error.cause), (Step::Tls, Cause::Unsupported("STLS"))));
    assert_eq!(heard, ["CAPA"]);

    let (error, heard) = stls(async |peer| {
        peer.hear().await;
        peer.say(CAPABLE).await;
        peer.hear().await;
        peer.say("-ERR no TLS today\r\n").await;
    })
    .await;
    assert!(matches!((error.step, error.cause), (Step::Tls, Cause::Refused(_))));
    assert_eq!(heard, ["CAPA", "STLS"]);
}

#[tokio::test]
async fn plain_text_injected_behind_the_stls_answer_ends_the_session() {
    let (error, heard) = stls(async |peer| {
        peer.hear().await;
        peer.say(CAPABLE).await;
        peer.hear().await;
        peer.say("+OK begin\r\n+OK\r\nSASL PLAIN\r\n.\r\n").await;
    })
    .await;
    assert_eq!((error.step, error.to_string().contains("plain text after the answer to STLS")), (Step::Tls, true));
    assert_eq!(heard, ["CAPA", "STLS"]);
}
