//! Free ports that stay ours.
//!
//! Asking for a free port, closing it and telling a server its number leaves a moment in which somebody else can take
//! it. Here the port stays bound, without listening, as long as the server is used: Linux lets a server with
//! SO_REUSEADDR, as Dovecot and Postfix set it, listen beside it, never hands the number to anyone who asks for a free
//! one, and refuses connections while the server is down.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::net::TcpSocket;

/// A port of 127.0.0.1 held for a server.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    _holder: TcpSocket,
}

impl Port {
    /// Holds a free port.
    pub(super) fn hold() -> Result<Port> {
        let holder = TcpSocket::new_v4()?;
        holder.set_reuseaddr(true)?;
        holder.bind((Ipv4Addr::LOCALHOST, 0).into()).context("no free port on 127.0.0.1")?;
        Ok(Port { address: holder.local_addr()?, _holder: holder })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The number, as configuration files want it.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.port().fmt(f)
    }
}
