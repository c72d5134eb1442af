//! Faults of a program and of its machine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use scenarios::engine::Engine;

use crate::letters::quarantine_bytes_max;
use crate::world::World;

/// Script: mounts a disk of a size, copies the data folder to it, fills it with a number of bytes, and then executes the program. Only the
/// program sees the disk, and the disk ends with it. A program without a disk of its own would show how full the disk of the test machine
/// is, and the alarm would depend on that.
const ON_ITS_OWN_DISK: &str = "
    set -e
    data=$1
    size=$2
    filled=$3
    shift 3
    mkdir -p \"$data.disk\"
    mount -t tmpfs -o size=$size,mode=711 disk \"$data.disk\"
    cp -a \"$data/.\" \"$data.disk\"
    head -c \"$filled\" /dev/zero >\"$data.disk/other\"
    mount --bind \"$data.disk\" \"$data\"
    exec \"$@\"";
/// A disk for a program: its size, and what other files take of it, as `mount` and `head` write numbers.
struct Disk {
    size: &'static str,
    filled: &'static str,
}
const HEALTHY: Disk = Disk { size: "64m", filled: "0" };
const NEARLY_FULL: Disk = Disk { size: "16m", filled: "15M" };
/// Number of bytes of memory above which an alarm must fire.
const HELD_BYTES: u64 = 700 << 20;
/// Share of the allowed open files that the program has open while an alarm must fire.
const FILES_OPEN: f64 = 0.9;
/// Number of files that a program may normally open.
const FILES_MAX: f64 = 1024.0;
/// Time until the replaced certificate ends: soon enough for the alarm, but after the end of the test.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(3600);
/// Shortest time between two starts. The alarm counts how often the metric of the start's time changes, and the metric has whole seconds:
/// two starts within one second would look like one.
const START_SHOWN: Duration = Duration::from_millis(1001);
/// Number of starts after which an alarm must have fired.
const STARTS_MAX: usize = 20;

/// Starts a program on a healthy disk.
pub fn start_on_a_healthy_disk(engine: &mut Engine) -> anyhow::Result<()> {
    start_on_a_disk(engine, &HEALTHY)
}

fn start_on_a_full_disk(engine: &mut Engine) -> anyhow::Result<()> {
    start_on_a_disk(engine, &NEARLY_FULL)
}

fn start_on_a_disk(engine: &mut Engine, disk: &Disk) -> anyhow::Result<()> {
    let data = engine.data();
    let data = data.to_str().context("the temporary folder's name is no text")?;
    engine.start_through(&["unshare", "--mount", "sh", "-c", ON_ITS_OWN_DISK, "sh", data, disk.size, disk.filled])
}

/// Replaces one of the centre's certificates by another for the same key, which ends soon. The certificate for the RSA key is taken:
/// offices have been given the one with which answers are signed, and would not trust another.
fn shorten_certificate(engine: &Engine) -> anyhow::Result<()> {
    let keys = engine.data().join("keys");
    let pair = |stem: &str| -> anyhow::Result<KeyPair> {
        Ok(KeyPair::from_pem(&fs::read_to_string(keys.join(format!("{stem}.key")))?)?)
    };
    let (authority, centre) = (pair("authority")?, pair("centre-rsa")?);
    let named = |name: &str| {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters
    };
    let mut parameters = named("centre-x");
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    parameters.not_after = (SystemTime::now() + CERTIFICATE_LIFE).into();
    let certificate = parameters.signed_by(&centre, &Issuer::new(named("centre-x authority"), authority))?;
    Ok(fs::write(keys.join("centre-rsa.crt"), certificate.pem())?)
}

impl World {
    /// Starts the second program again with another configuration, on a full disk, with a certificate that ends soon.
    pub fn give_the_second_a_bad_machine(&mut self) {
        let url = self.url_of_two_hosts().unwrap();
        let second = &mut self.engines[1];
        shorten_certificate(second).unwrap();
        second.set("XMSERVER_DATABASE__URL", &url);
        second.set("XMSERVER_LIMITS__QUARANTINE_BYTES_MAX", &(quarantine_bytes_max() + 1000).to_string());
        start_on_a_full_disk(second).unwrap();
    }

    /// Returns a URL with two hosts, which are two names of the one host that the database has. Where there are several hosts, one should
    /// be a standby; the alarm about a missing standby must fire. The first name is a link, [`World::database_link`].
    fn url_of_two_hosts(&self) -> anyhow::Result<String> {
        let url = self.database.cluster.url();
        let (login, host) = url.split_once('@').context("the URL names a user")?;
        let (host, database) = host.split_once('/').context("the URL names a database")?;
        let link = self.database_link();
        symlink(host.replace("%2F", "/"), &link)?;
        let link = link.to_str().context("the temporary folder's name is no text")?.replace('/', "%2F");
        Ok(format!("{login}@{link},{host}/{database}"))
    }

    /// Returns the path of a link to the database's socket. Once the link is removed, the second program must find the database by its
    /// other name.
    pub fn database_link(&self) -> PathBuf {
        self.engines[1].place().join("host")
    }

    /// Kills the second program and starts it again, until the alarm for restarts fires.
    pub fn restart_the_second_until_it_rings(&mut self) {
        self.expect(&["ProgramRestarting"]);
        let instance = self.engines[1].http_address();
        let query = format!("process_start_time_seconds{{instance=\"{instance}\"}}");
        for _ in 0..STARTS_MAX {
            let started = Instant::now();
            let mut before = Vec::new();
            self.wait("the start is seen, and a second old", |world| {
                before = world.prometheus.query(&query)?;
                Ok(before.len() == 1 && started.elapsed() > START_SHOWN)
            });
            if self.has_rung("ProgramRestarting") {
                break;
            }
            self.engines[1].kill().unwrap();
            start_on_a_full_disk(&mut self.engines[1]).unwrap();
            self.wait("the new start is seen", |world| {
                let now = world.prometheus.query(&query)?;
                Ok(now.len() == 1 && now != before)
            });
        }
        self.hear(&["ProgramRestarting"]);
    }

    /// Makes the second program use more memory than it should, and reduces its limit of open files to little more than it has open.
    pub fn fill_the_second(&mut self) {
        self.wait("the second runs", |world| Ok(world.engines[1].metric("xm_database_up") > 0.0));
        let second = &mut self.engines[1];
        second.tell(&format!("hold {HELD_BYTES}"));
        limit_files(second, (second.metric("process_open_fds") / FILES_OPEN).floor()).unwrap();
    }

    /// Gives the second program its usual limit of open files back, so that it can work on.
    pub fn relieve_the_second(&self) {
        limit_files(&self.engines[1], FILES_MAX).unwrap();
    }
}

fn limit_files(engine: &Engine, most: f64) -> anyhow::Result<()> {
    let process = engine.process_id()?.to_string();
    let output = Command::new("prlimit").args(["--pid", &process, &format!("--nofile={most}:")]).output()?;
    ensure!(output.status.success(), "prlimit: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
