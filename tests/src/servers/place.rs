//! Where a server runs: on the loopback of the test's process, or in a network namespace that stands for another machine.

use std::net::{IpAddr, Ipv4Addr};

/// Where a server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Command that executes the command in its last arguments there. It is empty where a server is started as it is.
    pub launcher: Vec<String>,
    /// Address at which the server listens.
    pub address: IpAddr,
}

/// The loopback of the test's own process.
impl Default for Place {
    fn default() -> Place {
        Place { launcher: Vec::new(), address: Ipv4Addr::LOCALHOST.into() }
    }
}
