//! A simulated line to a distant server: a proxy that passes octets on in both directions after a fixed delay, with no limit on octets a
//! second.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

const CHUNK_BYTES: usize = 16 * 1024;
/// The number of chunks that one direction of the line can hold. TCP lets a sender have only so much under way (the window), which is less.
/// So the sender never waits for room in the line: the line delays, but limits no speed.
const CHUNKS_MAX: usize = 1024;

/// Listens on a free port of 127.0.0.1, and passes each connection on to `server` with a delay of half of `round_trip` in each direction.
/// Returns the address of that port.
///
/// # Errors
/// No port is free.
pub async fn start(server: SocketAddr, round_trip: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port on 127.0.0.1")?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, server, round_trip / 2));
        }
    });
    Ok(address)
}

async fn carry(client: TcpStream, server: SocketAddr, one_way: Duration) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _no_nagle = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // When either direction ends, the other is dropped. That closes both connections, to the client and to the server.
    tokio::select! {
        () = one_direction(from_client, to_server, one_way) => {}
        () = one_direction(from_server, to_client, one_way) => {}
    }
}

async fn one_direction(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, one_way: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_MAX);
    let read = async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(bytes @ 1..) = from.read(&mut chunk).await {
            if sender.send((Instant::now() + one_way, chunk[..bytes].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = receiver.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn much_takes_as_long_as_little() {
        const BYTES: usize = 4 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = start(listener.local_addr().unwrap(), Duration::from_millis(200)).await.unwrap();
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut request = [0; 1];
            client.read_exact(&mut request).await.unwrap();
            client.write_all(&vec![b'x'; BYTES]).await.unwrap();
        });
        let begun = Instant::now();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"?").await.unwrap();
        let mut answer = vec![0; BYTES];
        client.read_exact(&mut answer[..1]).await.unwrap();
        let first = begun.elapsed();
        client.read_exact(&mut answer[1..]).await.unwrap();
        let all = begun.elapsed();
        assert!(first >= Duration::from_millis(200), "{first:?}");
        assert!(all < first * 3, "{first:?} for the first octet, {all:?} for all");
    }
}
