//! The life of a program's actors, from the moment at which letters are taken until the last one in hand is settled.

use std::process::ExitCode;
use std::time::Duration;

use actors::pipeline::{Pipeline, ReceptionPipeline};
use actors::supervision::Escalation;

use super::READINESS_INTERVAL;
use super::reread::{Named, reread};
use super::service::ServiceManager;
use super::stops::{Asked, Stops};
use crate::configuration::Configuration;
use crate::failure::Exit;
use crate::http::Observed;

/// The actors of a program, whatever its role.
pub(super) trait Actors {
    /// Waits until the supervisor gives an actor up.
    async fn escalation(&mut self) -> Option<Escalation>;
    /// Says whether every actor is watched.
    fn is_supervised(&self) -> bool;
    /// Says whether letters may be taken now.
    fn is_taking_mail(&self) -> bool;
    /// Says whether there is room for one more mail.
    fn has_room(&self) -> bool;
    /// Drains the actors. Returns whether everything in hand was settled before the deadline.
    async fn drain(self, deadline: Duration) -> bool;
}

impl Actors for Pipeline {
    async fn escalation(&mut self) -> Option<Escalation> {
        Pipeline::escalation(self).await
    }

    fn is_supervised(&self) -> bool {
        Pipeline::is_supervised(self)
    }

    fn is_taking_mail(&self) -> bool {
        Pipeline::is_taking_mail(self)
    }

    fn has_room(&self) -> bool {
        Pipeline::has_room(self)
    }

    async fn drain(self, deadline: Duration) -> bool {
        tracing::info!(mails_in_hand = self.mails_in_hand(), "stopping: no more mail is fetched");
        Pipeline::drain(self, deadline).await
    }
}

impl Actors for ReceptionPipeline {
    async fn escalation(&mut self) -> Option<Escalation> {
        ReceptionPipeline::escalation(self).await
    }

    fn is_supervised(&self) -> bool {
        ReceptionPipeline::is_supervised(self)
    }

    fn is_taking_mail(&self) -> bool {
        ReceptionPipeline::is_taking_mail(self)
    }

    fn has_room(&self) -> bool {
        ReceptionPipeline::has_room(self)
    }

    async fn drain(self, deadline: Duration) -> bool {
        tracing::info!("stopping: no more mail is taken");
        ReceptionPipeline::drain(self, deadline).await
    }
}

/// What the life of the actors needs beside them.
pub(super) struct Surroundings<'a> {
    pub(super) configuration: &'a Configuration,
    pub(super) observed: &'a Observed,
    pub(super) certificates: Vec<Named>,
    pub(super) manager: ServiceManager,
    pub(super) stops: Stops,
}

impl Surroundings<'_> {
    /// Keeps the actors running until a signal stops them, then drains them. Returns the program's exit code.
    pub(super) async fn live(mut self, mut actors: impl Actors) -> ExitCode {
        self.manager.is_ready();
        if let Some(code) = self.until_stopped(&mut actors).await {
            return code;
        }
        self.manager.stops();
        self.observed.set_leaving();
        if self.configuration.has_pushed() {
            self.give_notice(&mut actors).await;
        }
        self.observed.set_draining();
        self.drain(actors).await;
        ExitCode::SUCCESS
    }

    /// Waits for a signal that stops the program. Returns an exit code if the actors were given up before.
    async fn until_stopped(&mut self, actors: &mut impl Actors) -> Option<ExitCode> {
        let mut looks = tokio::time::interval(READINESS_INTERVAL);
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    self.observed.set_taking_mail(actors.is_taking_mail(), actors.has_room());
                    self.manager.report(actors.is_supervised());
                }
                escalation = actors.escalation() => {
                    let reason = escalation.map_or_else(|| "its supervisors are gone".to_owned(), |it| it.to_string());
                    tracing::error!("the centre stops, to be started again: {reason}");
                    return Some(Exit::Escalated.into());
                }
                asked = self.stops.asked() => match asked {
                    Asked::Stop => return None,
                    Asked::Reread => {
                        self.manager.rereads();
                        reread(self.configuration, &self.certificates);
                        self.manager.is_ready();
                    }
                },
            }
        }
    }

    /// Waits for a short time, so that balancers can see that they should send mail elsewhere. If the program stopped at once, balancers
    /// would still send mail to it, and the senders would have to send that mail again.
    async fn give_notice(&mut self, actors: &mut impl Actors) {
        let seconds = self.configuration.server.drain_notice_seconds;
        tracing::info!(seconds, "stopping soon: balancers that ask /accept send letters elsewhere");
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
            // The program stops in any case. Its exit code is that of an ordinary stop, because no service manager needs to start it again.
            _ = actors.escalation() => {}
            () = self.stops.told() => {}
        }
    }

    async fn drain(&mut self, actors: impl Actors) {
        let deadline = Duration::from_secs(self.configuration.server.shutdown_seconds_max);
        tokio::select! {
            came_back = actors.drain(deadline) => match came_back {
                true => tracing::info!("stopped: everything in hand was settled"),
                false => tracing::warn!("stopped at the deadline: what was not settled is in its mailbox still"),
            },
            () = self.stops.told() => tracing::warn!("stopped at once: what was not settled is in its mailbox still"),
        }
    }
}
