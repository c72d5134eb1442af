//! Makes the faults of a cycle happen in the middle of a burst of letters. Each fault begins and ends, so that two can last at once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bounds::Longest;
use super::databases::{Databases, NODES};
use super::fault::{Fault, How, Lost};
use super::network::Machine;
use super::world::World;
use crate::nemesis::fault::Server;
use crate::servers::{pass_time, wait_within};

/// Longest wait until a replica comes to the place where it is to be killed, and until a COMMIT waits for the standbys.
const HIT_MAX: Duration = Duration::from_secs(3);
/// Longest time that a replica takes to drain.
const DRAIN_MAX: Duration = Duration::from_secs(90);
/// Time for which waiting COMMITs are cancelled, so that it hits several, and time for the senders to be answered afterwards.
const CANCELLING: Duration = Duration::from_millis(600);
const LOOK: Duration = Duration::from_millis(20);
/// Finds the process id of a session in PostgreSQL. A session with an open transaction is preferred.
const A_SESSION: &str = "SELECT pid::bigint FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY xact_start NULLS LAST LIMIT 1";
/// Cancels the COMMITs that wait for the standbys, and counts them.
const CANCEL: &str = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

/// The results of the faults of one cycle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toll {
    /// Number of replicas that were killed.
    pub kills: usize,
    /// Number of promotions.
    pub promotions: u64,
    /// Number of waiting COMMITs that were cancelled.
    pub cancelled: u64,
    /// Whether a fault could not happen, because no replica came to the place in time, or no COMMIT waited.
    pub is_missed: bool,
    /// Longest times of the letters that were settled during the faults.
    pub longest: Longest,
}

/// Sends a burst of `mails` letters, and makes the faults happen meanwhile.
///
/// # Errors
/// A server does not start, or cannot be reached.
pub fn strike(world: &mut World, faults: &[Fault], mails: usize) -> Result<Toll> {
    let mut toll = Toll::default();
    let first = mails / 2;
    for fault in faults {
        prepare(world, *fault)?;
    }
    let after =
        faults.iter().filter_map(|fault| if let Fault::Kill { after, .. } = fault { Some(*after) } else { None });
    pace(world, first, after.max().unwrap_or_default(), &mut toll)?;
    for fault in faults {
        begin(world, *fault, &mut toll)?;
    }
    toll.kills += world.dead()?;
    let away = faults.iter().map(Fault::away).max().unwrap_or_default();
    pace(world, mails - first, away, &mut toll)?;
    let mut ending = faults.to_vec();
    ending.sort_by_key(order);
    for fault in ending {
        end(world, fault, &mut toll)?;
    }
    world.revive()?;
    Ok(toll)
}

/// Standbys are back before a promotion, since the arbiter asks them all. Everything else lasts over it.
fn order(fault: &Fault) -> u8 {
    match fault {
        Fault::Standby { .. } | Fault::NoStandbys { .. } => 0,
        Fault::Primary { .. } | Fault::Cancel | Fault::PrimaryAway { .. } | Fault::PowerCut { .. } => 1,
        _ => 2,
    }
}

/// Sends this many letters, spread evenly over a time, and notes what their senders are told.
fn pace(world: &mut World, mails: usize, time: Duration, toll: &mut Toll) -> Result<()> {
    let began = Instant::now();
    for mail in 0..mails {
        world.offices.send(1, &world.dovecot)?;
        let due = time * u32::try_from(mail + 1)? / u32::try_from(mails)?;
        while began.elapsed() < due {
            toll.longest = toll.longest.max(world.offices.collect(&world.dovecot)?);
            pass_time(LOOK.min(due.saturating_sub(began.elapsed())));
        }
    }
    Ok(())
}

fn prepare(world: &mut World, fault: Fault) -> Result<()> {
    match fault {
        Fault::KillAt { point, pass } => world.tell(&format!("kill {point} {pass}")),
        Fault::Cancel => world.databases.part_standbys(true)?,
        _ => {}
    }
    Ok(())
}

fn begin(world: &mut World, fault: Fault, toll: &mut Toll) -> Result<()> {
    let primary = world.databases.primary;
    match fault {
        Fault::Kill { replica, .. } => {
            if world.replicas[replica].0.is_started() {
                world.replicas[replica].0.kill()?;
            }
        }
        Fault::KillAt { point, .. } => {
            toll.is_missed |= wait_within(HIT_MAX, "a replica dies", || Ok(world.dead()? > 0)).is_err();
            world.tell(&format!("off {point}"));
        }
        Fault::Freeze { replica, .. } => signal(world, replica, Signal::SIGSTOP)?,
        Fault::Drain { replica } if !world.replicas[replica].0.is_started() => toll.is_missed = true,
        Fault::Drain { replica } => {
            // A program that has just been started does not handle SIGTERM yet, so the test first waits until it answers over HTTP.
            let engine = &mut world.replicas[replica].0;
            engine.wait_until("it listens", |engine| Ok(engine.get("/live").starts_with("HTTP/1.1 ")))?;
            engine.signal(Signal::SIGTERM)?;
        }
        Fault::Cut { replica, lost, .. } => cut(world, replica, lost, true)?,
        Fault::Primary { how } => lose(&mut world.databases, primary, how)?,
        Fault::PrimaryAway { .. } => lose(&mut world.databases, primary, How::Kill)?,
        Fault::PowerCut { .. } => (0..NODES).try_for_each(|node| world.databases.kill(node))?,
        Fault::Standby { number, how, .. } => {
            let standby = world.databases.standby(number);
            lose(&mut world.databases, standby, how)?;
        }
        Fault::NoStandbys { .. } => world.databases.part_standbys(true)?,
        Fault::Cancel => {
            toll.cancelled += cancel(world)?;
            toll.is_missed |= toll.cancelled == 0;
            lose(&mut world.databases, primary, How::Kill)?;
        }
        Fault::Session { is_killed } => {
            let id: i32 = world.databases.ask(A_SESSION)?.parse().unwrap_or_default();
            toll.is_missed |= id == 0;
            if is_killed && id != 0 {
                kill(Pid::from_raw(id), Signal::SIGKILL)?;
            } else if id != 0 {
                world.databases.ask(&format!("SELECT pg_terminate_backend({id})"))?;
            }
        }
        Fault::Balancer { number, how, .. } => {
            let (balancer, machine) = &mut world.balancers[number];
            match how {
                How::Kill => balancer.kill(),
                How::Freeze => balancer.signal(Signal::SIGSTOP)?,
                How::Cut => machine.pull()?,
            }
        }
        Fault::Mail { server: Server::Dovecot, is_killed: true, .. } => world.dovecot.kill(),
        Fault::Mail { server: Server::Dovecot, is_killed: false, .. } => world.dovecot.stop()?,
        Fault::Mail { server: Server::Postfix, is_killed: true, .. } => world.postfix.kill(),
        Fault::Mail { server: Server::Postfix, is_killed: false, .. } => world.postfix.stop()?,
    }
    Ok(())
}

fn end(world: &mut World, fault: Fault, toll: &mut Toll) -> Result<()> {
    match fault {
        Fault::Kill { .. } | Fault::KillAt { .. } => {}
        Fault::Freeze { replica, .. } => signal(world, replica, Signal::SIGCONT)?,
        Fault::Drain { replica } => drained(world, replica, toll)?,
        Fault::Cut { replica, lost, .. } => cut(world, replica, lost, false)?,
        Fault::Primary { how } => promote(world, how, toll)?,
        Fault::PrimaryAway { .. } => {
            world.databases.revive(world.databases.primary)?;
            world.databases.rebuild_standbys()?;
        }
        Fault::PowerCut { .. } => {
            (0..NODES).try_for_each(|node| world.databases.revive(node))?;
            world.databases.rebuild_standbys()?;
        }
        Fault::Standby { number, how, .. } => {
            let node = world.databases.standby(number);
            match how {
                How::Kill => world.databases.revive(node)?,
                How::Freeze => world.databases.freeze(node, false),
                How::Cut => world.databases.machines[node].plug()?,
            }
        }
        Fault::NoStandbys { .. } => world.databases.part_standbys(false)?,
        Fault::Cancel => {
            world.databases.part_standbys(false)?;
            promote(world, How::Kill, toll)?;
        }
        Fault::Session { .. } => world.databases.wait_for_primary()?,
        Fault::Balancer { number, how, .. } => {
            let (balancer, machine) = &mut world.balancers[number];
            match how {
                How::Kill => balancer.start_again()?,
                How::Freeze => balancer.signal(Signal::SIGCONT)?,
                How::Cut => machine.plug()?,
            }
        }
        Fault::Mail { server: Server::Dovecot, .. } => world.dovecot.start_again()?,
        Fault::Mail { server: Server::Postfix, .. } => world.postfix.start_again()?,
    }
    Ok(())
}

fn signal(world: &mut World, replica: usize, signal: Signal) -> Result<()> {
    let engine = &mut world.replicas[replica].0;
    if engine.is_started() { engine.signal(signal) } else { Ok(()) }
}

/// Waits until a replica has drained. One that cannot, because something that it needs is away, is killed.
fn drained(world: &mut World, replica: usize, toll: &mut Toll) -> Result<()> {
    let waited = wait_within(DRAIN_MAX, "a replica has drained", || {
        toll.longest = toll.longest.max(world.offices.collect(&world.dovecot)?);
        let engine = &mut world.replicas[replica].0;
        pass_time(LOOK);
        Ok(!engine.is_started() || engine.ended()?.is_some())
    });
    if waited.is_err() {
        println!("a replica did not drain within {} s, and is killed", DRAIN_MAX.as_secs());
        world.replicas[replica].0.kill()?;
    }
    Ok(())
}

fn cut(world: &World, replica: usize, lost: Lost, is_cut: bool) -> Result<()> {
    let machine = &world.replicas[replica].1;
    let part = |other: &Machine| if is_cut { machine.part_from(other) } else { machine.rejoin(other) };
    match lost {
        Lost::All => {
            if is_cut {
                machine.pull()
            } else {
                machine.plug()
            }
        }
        Lost::Databases => world.databases.machines.iter().try_for_each(part),
        Lost::Balancers => world.balancers.iter().map(|(_, machine)| machine).try_for_each(part),
    }
}

fn lose(databases: &mut Databases, node: usize, how: How) -> Result<()> {
    match how {
        How::Kill => databases.kill(node),
        How::Freeze => {
            databases.freeze(node, true);
            Ok(())
        }
        How::Cut => databases.machines[node].pull(),
    }
}

/// Cancels COMMITs that wait for the standbys. Returns their number.
fn cancel(world: &World) -> Result<u64> {
    let (began, mut cancelled) = (Instant::now(), 0);
    while began.elapsed() < CANCELLING || (cancelled == 0 && began.elapsed() < HIT_MAX) {
        cancelled += world.databases.ask(CANCEL)?.parse::<u64>().unwrap_or_default();
        pass_time(LOOK);
    }
    pass_time(CANCELLING);
    Ok(cancelled)
}

/// Promotes a standby while the former primary is lost, and lets the former primary go on before it becomes a standby.
fn promote(world: &mut World, how: How, toll: &mut Toll) -> Result<()> {
    let former = world.databases.primary;
    world.databases.fail_over().context("promoting a standby")?;
    toll.promotions += 1;
    match how {
        How::Kill => {}
        How::Freeze => world.databases.freeze(former, false),
        How::Cut => world.databases.machines[former].plug()?,
    }
    world.databases.rebuild_standbys().context("making the former primary a standby")
}
