//! Free ports that stay reserved for a server.
//!
//! If a test finds a free port, closes it and gives the number to a server, another program may take the port in between. So here the port
//! stays bound, without listening, as long as the server is used. Linux lets a server with SO_REUSEADDR listen on the same port; Dovecot
//! and Postfix set this option. Linux never gives the port to a program that requests a free one. It refuses connections while the server
//! is down.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::net::TcpSocket;

/// A port of 127.0.0.1 that is reserved for a server.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _holder: TcpSocket,
}

impl Port {
    /// Reserves a free port.
    pub fn hold() -> Result<Port> {
        let holder = TcpSocket::new_v4()?;
        holder.set_reuseaddr(true)?;
        holder.bind((Ipv4Addr::LOCALHOST, 0).into()).context("no free port on 127.0.0.1")?;
        Ok(Port { address: holder.local_addr()?, _holder: holder })
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The port's number, as configuration files need it.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.port().fmt(f)
    }
}
