//! Free ports of 127.0.0.1 that stay reserved for a server.
//!
//! A program may find a free port, close it and give the number to a server. But in between another program may take the port, as every
//! outgoing connection takes one. So a [`Port`] stays bound, without listening, as long as the server is used. Linux lets a server with
//! SO_REUSEADDR listen on the same port; PostgreSQL, Dovecot, Postfix, HAProxy and every listener of Rust's libraries set this option. To a
//! program that requests any free port, Linux never gives this one. While the server is down, Linux refuses connections to the port, as if
//! nobody had it.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of 127.0.0.1 that is reserved for a server.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _holder: TcpSocket,
}

impl Port {
    /// Reserves a free port.
    ///
    /// # Errors
    /// No port is free.
    pub fn hold() -> io::Result<Port> {
        let holder = TcpSocket::new_v4()?;
        holder.set_reuseaddr(true)?;
        holder.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Port { address: holder.local_addr()?, _holder: holder })
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the port's number.
    pub fn number(&self) -> u16 {
        self.address.port()
    }
}

/// The port's number, as configuration files need it.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}
