//! Makes one fault happen in the middle of a burst of letters.

use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::fault::{DatabaseEnd, Fault, Line, Server};
use super::world::World;
use crate::engine::Engine;
use crate::proxy::{Break, Proxy};
use crate::servers::{pass_time, wait_within};

/// Longest wait until an engine comes to the place where it is to be killed, or until a connection breaks.
const HIT_MAX: Duration = Duration::from_secs(3);
/// Number of times that all leases run out in one burst.
const LOSSES: usize = 4;
/// Number of mails that are sent before the leases run out each time.
const LOST_MAILS: usize = 3;
/// Time over which the mails before each loss of the leases are spread.
const LOSS_PAUSE: Duration = Duration::from_millis(150);
/// Finds the process id of an engine's session in PostgreSQL. A session with an open transaction is preferred.
const A_SESSION: &str = "SELECT pid::bigint FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY xact_start NULLS LAST LIMIT 1";
/// Makes all leases of mailboxes and answers run out at once. An engine that is frozen does not renew its leases, but they last for half a
/// minute (mailbox) or two minutes (answers), and nemesis would have to wait for that.
const LET_LEASES_RUN_OUT: &str =
    "WITH l AS (UPDATE xm.leases SET held_until = now() - interval '1 second' RETURNING 1),
    o AS (UPDATE xm.outbox SET claimed_until = now() - interval '1 second' WHERE claimed_until IS NOT NULL RETURNING 1)
    SELECT (SELECT count(*) FROM l) + (SELECT count(*) FROM o)";

/// The results of one fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toll {
    /// Number of engines that were killed.
    pub kills: usize,
    /// Number of actors that panicked.
    pub panics: usize,
    /// Whether the fault could not happen, because no engine came to the place or used the connection in time.
    pub is_missed: bool,
}

/// Sends a burst of `mails` mails, and makes the fault happen meanwhile.
///
/// # Errors
/// A server does not start, or cannot be reached.
pub fn strike(world: &mut World, fault: Fault, mails: usize) -> Result<Toll> {
    let (first, rest) = match fault {
        // The whole burst is sent before the fault, because an engine may come to the place only with a late letter of the burst.
        Fault::KillAt { .. } | Fault::KillAtDot { .. } | Fault::PanicAt { .. } | Fault::Cut { .. } => (mails, 0),
        _ => (mails / 2, mails - mails / 2),
    };
    let rebuilds = if matches!(fault, Fault::PanicAt { .. }) { world.rebuilds() } else { 0.0 };
    prepare(world, fault);
    match fault {
        // The mails are sent one by one until the moment of the fault, so that the engines are processing letters at that moment.
        Fault::Kill { after, .. } | Fault::Freeze { after, .. } => pace(world, first, after)?,
        Fault::LeaseLost => {}
        _ => world.offices.send(first, &world.dovecot)?,
    }
    let mut toll = act(world, fault, rebuilds)?;
    toll.kills += world.dead()?;
    world.offices.send(rest, &world.dovecot)?;
    mend(world, fault);
    world.revive()?;
    Ok(toll)
}

/// Sends this many mails, spread evenly over a time.
fn pace(world: &mut World, mails: usize, time: Duration) -> Result<()> {
    for _ in 0..mails {
        world.offices.send(1, &world.dovecot)?;
        pass_time(time / u32::try_from(mails)?);
    }
    Ok(())
}

fn line(world: &World, line: Line) -> &Proxy {
    match line {
        Line::Pop3 => &world.pop3,
        Line::Smtp => &world.smtp,
    }
}

fn prepare(world: &mut World, fault: Fault) {
    match fault {
        Fault::KillAt { point, pass } => world.tell(&format!("kill {point} {pass}")),
        Fault::PanicAt { point, pass } => world.tell(&format!("panic {point} {pass}")),
        Fault::KillAtDot { dot } => world.smtp.plan(dot, true),
        Fault::Cut { line: cut, at } => line(world, cut).plan(at, false),
        Fault::Slow { line: slow, delay } => line(world, slow).delay(delay),
        _ => {}
    }
}

fn mend(world: &mut World, fault: Fault) {
    match fault {
        Fault::KillAt { point, .. } | Fault::PanicAt { point, .. } => world.tell(&format!("off {point}")),
        // A slow connection is not in this list: it stays slow until the whole burst is settled, and is then mended with all else.
        Fault::KillAtDot { .. } => world.smtp.mend(),
        Fault::Cut { line: cut, .. } => line(world, cut).mend(),
        _ => {}
    }
}

fn act(world: &mut World, fault: Fault, rebuilds: f64) -> Result<Toll> {
    let mut toll = Toll::default();
    match fault {
        Fault::Kill { engine, .. } => world.engines[engine].kill()?,
        Fault::KillAt { .. } => {
            toll.is_missed = wait_within(HIT_MAX, "an engine dies", || Ok(world.dead()? > 0)).is_err();
        }
        Fault::KillAtDot { .. } => {
            toll.is_missed = wait_within(HIT_MAX, "a final dot", || Ok(world.smtp.has_broken())).is_err();
            if !toll.is_missed {
                // The proxy does not know whose connection has come to the dot. So all engines are killed, as if their machine had crashed.
                world.engines.iter_mut().try_for_each(Engine::kill)?;
            }
        }
        Fault::PanicAt { .. } => {
            toll.is_missed = !panics(world, rebuilds)?;
            toll.panics = usize::from(!toll.is_missed);
        }
        Fault::Freeze { engine, away, lease_passes, .. } => {
            world.engines[engine].signal(Signal::SIGSTOP)?;
            if lease_passes {
                world.ask(LET_LEASES_RUN_OUT)?;
            }
            pass_time(away);
            world.engines[engine].signal(Signal::SIGCONT)?;
        }
        Fault::LeaseLost => {
            for _ in 0..LOSSES {
                pace(world, LOST_MAILS, LOSS_PAUSE)?;
                world.ask(LET_LEASES_RUN_OUT)?;
            }
        }
        Fault::Drain { engine } => {
            // SIGTERM would simply kill an engine that was started a moment ago and does not handle signals yet. So nemesis waits until it
            // answers over HTTP: then SIGTERM drains it.
            let is_up = |engine: &Engine| Ok(engine.get("/live").starts_with("HTTP/1.1 "));
            world.engines[engine].wait_until("it listens", is_up)?;
            world.engines[engine].stop()?;
            world.engines[engine].start()?;
        }
        Fault::Database { end, away } => {
            end_database(world, end)?;
            pass_time(away);
            world.runtime.block_on(world.database.cluster.restart())?;
        }
        Fault::Session { is_killed } => {
            let id = world.ask(A_SESSION)?;
            toll.is_missed = id == 0;
            if is_killed && id != 0 {
                kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGKILL)?;
            } else if id != 0 {
                world.ask(&format!("SELECT pg_terminate_backend({id})::integer::bigint"))?;
            }
        }
        Fault::Mail { server, is_killed, away } => {
            end_mail_server(world, server, is_killed)?;
            pass_time(away);
            match server {
                Server::Dovecot => world.dovecot.start_again()?,
                Server::Postfix => world.postfix.start_again()?,
            }
        }
        Fault::Cut { line: cut, at } => {
            // A final dot comes with every mail, so a break around it is sure to happen. A break after many bytes may never come, because
            // the burst may have too little traffic; so the wait for it is shorter.
            let longest = if matches!(at, Break::BeforeDot | Break::AfterDot) { HIT_MAX } else { HIT_MAX / 3 };
            let line = line(world, cut);
            toll.is_missed = wait_within(longest, "the line breaks", || Ok(line.has_broken())).is_err();
        }
        Fault::Slow { .. } => {}
    }
    Ok(toll)
}

/// Waits until an engine rebuilds an actor after a panic, or ends because of the panic. Returns false if neither happens in time.
fn panics(world: &mut World, rebuilds: f64) -> Result<bool> {
    let escalations = world.escalations;
    let hit = wait_within(HIT_MAX, "an actor is rebuilt", || {
        pass_time(Duration::from_millis(25));
        // The panic may be one too many, so that the engine ends instead of rebuilding the actor. The engine that is started in its place
        // counts rebuilt actors from 0, so the number does not show the panic; the engine's end does.
        Ok(world.dead()? > 0 || world.escalations > escalations || world.rebuilds() > rebuilds)
    });
    Ok(hit.is_ok())
}

fn end_database(world: &mut World, end: DatabaseEnd) -> Result<()> {
    match end {
        DatabaseEnd::Fast => world.runtime.block_on(world.database.cluster.stop()),
        DatabaseEnd::PowerCut => world.runtime.block_on(world.database.cluster.kill()),
        DatabaseEnd::Immediate => {
            if let Some(postmaster) = world.database.cluster.pid() {
                kill(Pid::from_raw(postmaster), Signal::SIGQUIT)?;
                let cluster = &world.database.cluster;
                wait_within(HIT_MAX, "the postmaster has ended", || Ok(cluster.pid().is_none()))?;
            }
        }
    }
    Ok(())
}

fn end_mail_server(world: &mut World, server: Server, is_killed: bool) -> Result<()> {
    match (server, is_killed) {
        (Server::Dovecot, true) => world.dovecot.kill(),
        (Server::Dovecot, false) => world.dovecot.stop()?,
        (Server::Postfix, true) => world.postfix.kill(),
        (Server::Postfix, false) => world.postfix.stop()?,
    }
    Ok(())
}
