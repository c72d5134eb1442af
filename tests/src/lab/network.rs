//! The network of the lab: a bridge in the lab's own namespace, and a namespace for each machine, with a cable to the bridge. Cables can be
//! pulled, and two machines can be made unable to reach each other while each still reaches the others.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::servers::{Place, wait_until};

/// Name of the bridge.
const BRIDGE: &str = "xmlab";
/// First three octets of every address.
const NETWORK: [u8; 3] = [10, 99, 0];
/// Last octet of the address of the lab itself.
const LAB: u8 = 1;
/// Hardware address that no machine has. Packets to it are lost.
const NOBODY: &str = "02:00:00:00:00:99";

/// Makes the bridge, and gives the lab its address on it.
///
/// # Errors
/// The lab is not in a namespace of its own.
pub fn make() -> Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    ip(&["address", "add", &format!("{}/24", address(LAB)), "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up"])
}

fn address(number: u8) -> IpAddr {
    let [a, b, c] = NETWORK;
    Ipv4Addr::new(a, b, c, number).into()
}

/// A machine: a network namespace with an address. Everything in it shares the other resources of the lab.
#[derive(Debug)]
pub struct Machine {
    name: String,
    number: u8,
    /// The process that keeps the namespace.
    keeper: Child,
}

impl Machine {
    /// Makes a machine whose address ends with `number`, and connects it to the bridge.
    ///
    /// # Errors
    /// There is no bridge, or another machine has this name.
    pub fn make(name: &str, number: u8) -> Result<Machine> {
        let keeper = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "unshare", "--net", "sleep", "infinity"])
            .stdin(Stdio::null())
            .spawn()
            .context("starting unshare by setpriv")?;
        let machine = Machine { name: name.to_owned(), number, keeper };
        let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let ours = namespace(std::process::id());
        wait_until("the namespace is there", || Ok(namespace(machine.keeper.id()) != ours))?;
        let (cable, end, keeper) = (machine.cable(), format!("e-{name}"), machine.keeper.id().to_string());
        ip(&["link", "add", &cable, "type", "veth", "peer", "name", &end])?;
        ip(&["link", "set", &cable, "master", BRIDGE, "up"])?;
        ip(&["link", "set", &end, "netns", &keeper])?;
        machine.ip(&["link", "set", "lo", "up"])?;
        machine.ip(&["link", "set", &end, "name", "eth0"])?;
        machine.ip(&["address", "add", &format!("{}/24", machine.address()), "dev", "eth0"])?;
        machine.ip(&["link", "set", "eth0", "up"])?;
        Ok(machine)
    }

    /// Returns the place of servers that run on this machine.
    pub fn place(&self) -> Place {
        Place { launcher: self.launcher(), address: self.address() }
    }

    /// Returns the command that executes the command in its last arguments on this machine.
    pub fn launcher(&self) -> Vec<String> {
        ["nsenter".to_owned(), format!("--net=/proc/{}/ns/net", self.keeper.id()), "--".to_owned()].into()
    }

    /// Returns the machine's address.
    pub fn address(&self) -> IpAddr {
        address(self.number)
    }

    /// Returns the machine's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Pulls the machine's cable: nobody reaches it, and it reaches nobody. Connections stay open, and are silent.
    ///
    /// # Errors
    /// The system's own.
    pub fn pull(&self) -> Result<()> {
        ip(&["link", "set", &self.cable(), "down"])
    }

    /// Plugs the machine's cable in.
    ///
    /// # Errors
    /// The system's own.
    pub fn plug(&self) -> Result<()> {
        ip(&["link", "set", &self.cable(), "up"])
    }

    /// Makes this machine and another one lose all packets to each other.
    ///
    /// # Errors
    /// The system's own.
    pub fn part_from(&self, other: &Machine) -> Result<()> {
        self.lose(other)?;
        other.lose(self)
    }

    /// Ends what [`Machine::part_from`] began, on this machine and on the other one.
    ///
    /// # Errors
    /// The system's own.
    pub fn rejoin(&self, other: &Machine) -> Result<()> {
        self.find(other)?;
        other.find(self)
    }

    fn lose(&self, other: &Machine) -> Result<()> {
        let to = other.address().to_string();
        self.ip(&["neighbour", "replace", &to, "lladdr", NOBODY, "dev", "eth0", "nud", "permanent"])
    }

    fn find(&self, other: &Machine) -> Result<()> {
        self.ip(&["neighbour", "del", &other.address().to_string(), "dev", "eth0"])
    }

    fn cable(&self) -> String {
        format!("v-{}", self.name)
    }

    fn ip(&self, arguments: &[&str]) -> Result<()> {
        let launcher = self.launcher();
        let (first, rest) = launcher.split_first().context("a launcher has a first word")?;
        run(Command::new(first).args(rest).arg("ip").args(arguments))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // With the keeper and the servers, the kernel removes the namespace and its cable.
        self.keeper.kill().unwrap_or_default();
        self.keeper.wait().map(drop).unwrap_or_default();
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    run(Command::new("ip").args(arguments))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
