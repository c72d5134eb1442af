//! Faults of a program and of its machine.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use scenarios::engine::Engine;

use crate::letters::quarantine_bytes_max;
use crate::world::World;

/// Puts a copy of the data folder on a disk of its own that is nearly full, and becomes the program. The disk is there for
/// this process alone, and gone with it.
const ON_A_FULL_DISK: &str = "
    set -e
    data=$1
    shift
    mkdir -p \"$data.disk\"
    mount -t tmpfs -o size=16m,mode=711 disk \"$data.disk\"
    cp -a \"$data/.\" \"$data.disk\"
    head -c 15M /dev/zero >\"$data.disk/other\"
    mount --bind \"$data.disk\" \"$data\"
    exec \"$@\"";
/// Bytes of memory that are more than a program may hold before somebody is told.
const HELD_BYTES: u64 = 700 << 20;
/// Share of the files that a program may open which it has open, while somebody is to be told.
const FILES_OPEN: f64 = 0.9;
/// Files that a program may open otherwise.
const FILES_MAX: f64 = 1024.0;
/// Time until the shortened certificate ends: soon, but not before the test does.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(3600);
/// Least time between two starts: they are shown in whole seconds, and must differ.
const START_SHOWN: Duration = Duration::from_millis(1001);
/// Starts until somebody must have been told of them.
const STARTS_MAX: usize = 20;

fn start_on_a_full_disk(engine: &mut Engine) -> anyhow::Result<()> {
    let data = engine.data();
    let data = data.to_str().context("the temporary folder's name is no text")?;
    engine.start_through(&["unshare", "--mount", "sh", "-c", ON_A_FULL_DISK, "sh", data])
}

/// Makes a certificate of the centre anew, for the same key, that ends soon. Not the one that answers are signed with: offices
/// know it.
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
        let second = &mut self.engines[1];
        shorten_certificate(second).unwrap();
        second.set("XMSERVER_LIMITS__QUARANTINE_BYTES_MAX", &(quarantine_bytes_max() + 1000).to_string());
        start_on_a_full_disk(second).unwrap();
    }

    /// Kills the second program and starts it again, so often that somebody should look.
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

    /// Makes the second program hold more memory than it should, and lets it open hardly more files than it has open.
    pub fn fill_the_second(&mut self) {
        self.wait("the second runs", |world| Ok(world.engines[1].metric("xm_database_up") > 0.0));
        let second = &mut self.engines[1];
        second.tell(&format!("hold {HELD_BYTES}"));
        limit_files(second, (second.metric("process_open_fds") / FILES_OPEN).floor()).unwrap();
    }

    /// Lets the second program open as many files as before.
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
