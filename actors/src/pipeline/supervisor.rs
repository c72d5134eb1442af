//! Keeps each actor alive on its arbiter for as long as the pipeline lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, Context, Handler};
use store::letters::in_hand;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::at_work::{AtWork, MailName};
use crate::database_tasks::{DatabaseTasks, Undone};
use crate::stop::Stop;
use crate::supervision::{Escalation, Guard, Heartbeat, Link, Policy, supervise};

/// Longest wait for the database when the token of a mail is recorded before the process ends.
const SET_ASIDE_MAX: Duration = Duration::from_secs(5);
const NOT_SET_ASIDE: &str = "the mail could not be set aside: it is tried again, alone";

/// Keeps every actor of a pipeline alive, and reports an actor that cannot be kept alive.
#[derive(Clone)]
pub(super) struct Supervisor {
    pub(super) policy: Policy,
    pub(super) ending: Stop,
    pub(super) escalate: UnboundedSender<Escalation>,
    /// Where the mail is recorded that made a thread hang, and by which process; `None` where there is no database, and no mail is opened.
    pub(super) records: Option<(DatabaseTasks, Uuid)>,
    /// Set once a supervising task has ended before the pipeline did: an actor is then watched by nobody.
    pub(super) is_lost: Arc<AtomicBool>,
}

/// Held by a supervising task for as long as it runs.
struct Duty {
    is_lost: Arc<AtomicBool>,
    ending: Stop,
}

impl Drop for Duty {
    fn drop(&mut self) {
        // A task is dropped by its end, and by a panic in it as well.
        if !self.ending.is_told() {
            self.is_lost.store(true, Ordering::Relaxed);
        }
    }
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
        let duty = Duty { is_lost: Arc::clone(&self.is_lost), ending: self.ending.clone() };
        actix_rt::spawn(async move {
            let _duty = duty;
            if let Err(escalation) = supervise(policy, link, ending, &at_work, build).await {
                if let Escalation::Hung { mail: Some(mail), .. } = &escalation {
                    supervisor.set_aside(mail.clone()).await;
                }
                // The channel is closed only when the pipeline, and with it the process, has ended.
                drop(supervisor.escalate.send(escalation));
            }
        });
    }

    /// Records in the database, before the process ends, which mail made its thread hang.
    async fn set_aside(&self, mail: MailName) {
        let Some((tasks, process)) = self.records.clone() else { return };
        let (database, name) = (tasks.database.clone(), mail.clone());
        let writing = async move {
            let mut connection = database.get().await?;
            in_hand::set_aside(&mut connection, process, &name.mailbox, &name.uidl).await
        };
        match tasks.call_within(SET_ASIDE_MAX, writing).await {
            Ok(()) => {}
            Err(Undone::Fault(fault)) => tracing::error!(%mail, %fault, "{NOT_SET_ASIDE}"),
            Err(Undone::LeftBehind) => tracing::error!(%mail, "{NOT_SET_ASIDE}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop::stop;

    #[test]
    fn a_supervisor_that_ends_before_the_pipeline_is_missed() {
        let (end, ending) = stop();
        let duty = |is_lost: &Arc<AtomicBool>| Duty { is_lost: Arc::clone(is_lost), ending: ending.clone() };
        let is_lost = Arc::<AtomicBool>::default();
        let lost = duty(&is_lost);
        assert!(
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _lost = lost;
                std::panic::resume_unwind(Box::new("a supervisor panics"));
            }))
            .is_err()
        );
        assert!(is_lost.load(Ordering::Relaxed));

        let is_lost = Arc::<AtomicBool>::default();
        end.tell();
        drop(duty(&is_lost));
        assert!(!is_lost.load(Ordering::Relaxed), "all end with their pipeline");
    }
}
