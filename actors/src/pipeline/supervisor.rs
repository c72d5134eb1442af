//! Keeps each actor alive on its arbiter for as long as the pipeline lives.

use std::time::Duration;

use actix::{Actor, Addr, Arbiter, Context, Handler};
use store::database::Database;
use store::letters::in_hand;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::at_work::{AtWork, MailName};
use crate::stop::Stop;
use crate::supervision::{Escalation, Guard, Heartbeat, Link, Policy, supervise};

/// Longest wait for the database when a mail is set aside: the process ends whatever it says.
const SET_ASIDE_MAX: Duration = Duration::from_secs(5);
const NOT_SET_ASIDE: &str = "the mail could not be set aside: it is tried again, alone";

/// Keeps every actor of a pipeline alive, and tells when one cannot be.
#[derive(Clone)]
pub(super) struct Supervisor {
    pub(super) policy: Policy,
    pub(super) ending: Stop,
    pub(super) escalate: UnboundedSender<Escalation>,
    pub(super) database: Database,
    pub(super) database_runtime: Handle,
    pub(super) process: Uuid,
}

impl Supervisor {
    /// Keeps one actor alive on an arbiter for as long as the pipeline lives.
    pub(super) fn keep<A>(
        &self,
        link: &Link<A>,
        (arbiter, at_work): (&Arbiter, &AtWork),
        make: impl Fn(Guard) -> A + Clone + Send + 'static,
    ) where
        A: Actor<Context = Context<A>> + Handler<Heartbeat> + Send,
    {
        let handle = arbiter.handle();
        let build = move |guard: Guard| -> Addr<A> {
            let make = make.clone();
            A::start_in_arbiter(&handle, move |_| make(guard))
        };
        let (policy, ending, link) = (self.policy.clone(), self.ending.clone(), link.clone());
        let (supervisor, at_work) = (self.clone(), at_work.clone());
        actix_rt::spawn(async move {
            if let Err(escalation) = supervise(policy, link, ending, &at_work, build).await {
                if let Escalation::Hung { mail: Some(mail), .. } = &escalation {
                    supervisor.set_aside(mail.clone()).await;
                }
                // Nobody listens only when the pipeline is gone, and the process with it.
                drop(supervisor.escalate.send(escalation));
            }
        });
    }

    /// Writes down over which mail the process hangs, before it ends.
    async fn set_aside(&self, mail: MailName) {
        let (database, process, name) = (self.database.clone(), self.process, mail.clone());
        let written = self.database_runtime.spawn(async move {
            let mut connection = database.get().await?;
            in_hand::set_aside(&mut connection, process, &name.mailbox, &name.uidl).await
        });
        match tokio::time::timeout(SET_ASIDE_MAX, written).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(fault))) => tracing::error!(%mail, %fault, "{NOT_SET_ASIDE}"),
            Ok(Err(_)) | Err(_) => tracing::error!(%mail, "{NOT_SET_ASIDE}"),
        }
    }
}
