//! Strikes: lets one fault happen in the middle of a burst of letters.

use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::fault::{DatabaseEnd, Fault, Line, Server};
use super::world::World;
use crate::engine::Engine;
use crate::proxy::{Break, Proxy};
use crate::servers::{pass_time, wait_within};

/// Longest wait for an engine to come to the place where it dies, or for a line to break.
const HIT_MAX: Duration = Duration::from_secs(3);
/// Times that leases are lost in a burst.
const LOSSES: usize = 4;
/// Mails sent before each loss.
const LOST_MAILS: usize = 3;
/// Time over which these mails are spread.
const LOSS_PAUSE: Duration = Duration::from_millis(150);
/// Finds a session of an engine, one at work if there is any.
const A_SESSION: &str = "SELECT pid::bigint FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY xact_start NULLS LAST LIMIT 1";
/// Lets every lease run out at once, as time does where an engine no longer renews anything: that takes half a minute for a mailbox, two
/// minutes for answers.
const LET_LEASES_RUN_OUT: &str =
    "WITH l AS (UPDATE xm.leases SET held_until = now() - interval '1 second' RETURNING 1),
    o AS (UPDATE xm.outbox SET claimed_until = now() - interval '1 second' WHERE claimed_until IS NOT NULL RETURNING 1)
    SELECT (SELECT count(*) FROM l) + (SELECT count(*) FROM o)";

/// What a strike did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Toll {
    /// Engines killed.
    pub kills: usize,
    /// Actors that panicked.
    pub panics: usize,
    /// Whether the fault found nothing to strike: the place was not passed, the line not used.
    pub is_missed: bool,
}

/// Sends a burst of so many mails, and lets the fault happen in it.
///
/// # Errors
/// Something that nemesis needs is gone.
pub fn strike(world: &mut World, fault: Fault, mails: usize) -> Result<Toll> {
    let (first, rest) = match fault {
        // The whole burst is sent first, since the place may be passed late in it.
        Fault::KillAt { .. } | Fault::KillAtDot { .. } | Fault::PanicAt { .. } | Fault::Cut { .. } => (mails, 0),
        _ => (mails / 2, mails - mails / 2),
    };
    let rebuilds = if matches!(fault, Fault::PanicAt { .. }) { world.rebuilds() } else { 0.0 };
    prepare(world, fault);
    match fault {
        // The mails are sent one by one until that moment, so that the engines are at work in it.
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

/// Sends so many mails, spread over a time.
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
        // A slow line stays slow until the burst is settled.
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
                // Nobody knows which engine's line it is: all die, as when the machine does.
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
            // A program that has just been started does not listen to signals yet.
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
            // A break after many bytes may need more traffic than this burst has.
            let longest = if matches!(at, Break::BeforeDot | Break::AfterDot) { HIT_MAX } else { HIT_MAX / 3 };
            let line = line(world, cut);
            toll.is_missed = wait_within(longest, "the line breaks", || Ok(line.has_broken())).is_err();
        }
        Fault::Slow { .. } => {}
    }
    Ok(toll)
}

/// Waits until an actor is rebuilt after a panic, and says whether one was.
fn panics(world: &mut World, rebuilds: f64) -> Result<bool> {
    let escalations = world.escalations;
    let hit = wait_within(HIT_MAX, "an actor is rebuilt", || {
        pass_time(Duration::from_millis(25));
        // An engine that escalates begins to count its rebuilds anew.
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
