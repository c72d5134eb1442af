//! Runs work with the database on a runtime that outlives every actor. A transaction runs to its end even if the actor that began it ends,
//! and connections stay open: a connection made on an actor's thread would end with that thread.
//!
//! A task's result reaches the actor like a message: it is handled under the actor's guard. A panic in a task is treated as a panic of the
//! actor.

use std::future::Future;
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, Context, ContextFutureSpawner, WrapFuture};
use store::database::Database;
use store::database::fault::Fault;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};

use crate::supervision::{Guard, Guarded};

/// The database, and the runtime on which work with it runs. Cheap to clone.
#[derive(Clone)]
pub struct DatabaseTasks {
    /// The database. Its connections belong to `runtime`.
    pub database: Database,
    /// A runtime that outlives every actor.
    pub runtime: Handle,
}

/// Why work has no result for its caller.
#[derive(Debug)]
pub enum Undone {
    /// The database has failed.
    Fault(Fault),
    /// The work took too long or panicked, or the process is ending.
    LeftBehind,
}

impl DatabaseTasks {
    /// Runs work to its end, even if the actor ends before it. Hands the result to the actor if the actor is still alive.
    pub fn run<A: Guarded, T: Send + 'static>(
        &self,
        actor: &A,
        context: &mut Context<A>,
        work: impl Future<Output = T> + Send + 'static,
        then: impl FnOnce(&mut A, T, &mut Context<A>) + 'static,
    ) {
        hand_back(actor, context, self.runtime.spawn(work), then);
    }

    /// Runs work as [`DatabaseTasks::run`] does, but cancels it when the actor ends.
    pub fn run_while_alive<A: Guarded, T: Send + 'static>(
        &self,
        actor: &A,
        context: &mut Context<A>,
        work: impl Future<Output = T> + Send + 'static,
        then: impl FnOnce(&mut A, T, &mut Context<A>) + 'static,
    ) {
        // A `JoinSet` with one task is used because, unlike a join handle, it cancels its task when it is dropped.
        let mut tasks = JoinSet::new();
        tasks.spawn_on(work, &self.runtime);
        let task = async move {
            match tasks.join_next().await {
                Some(done) => done,
                // The set holds exactly one task, so `None` does not occur.
                None => std::future::pending().await,
            }
        };
        hand_back(actor, context, task, then);
    }

    /// Runs work and waits for its result. A panic of the work continues in the caller.
    ///
    /// # Errors
    /// The errors of the work; [`Fault::Away`] where the process is ending.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        match self.runtime.spawn(work).await {
            Ok(outcome) => outcome,
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Err(_cancelled) => Err(Fault::Away("the process is ending".to_owned())),
        }
    }

    /// Runs work and waits for its result, for `longest` at most. After that time the caller continues without it.
    ///
    /// # Errors
    /// Why there is no result.
    pub async fn call_within<T: Send + 'static>(
        &self,
        longest: Duration,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Undone> {
        match tokio::time::timeout(longest, self.runtime.spawn(work)).await {
            Ok(Ok(outcome)) => outcome.map_err(Undone::Fault),
            Ok(Err(_)) | Err(_) => Err(Undone::LeftBehind),
        }
    }
}

/// Hands a task's result to the actor that waits for it, and records the task's time as waiting time. A task that was cancelled has no
/// result, because the process is ending.
fn hand_back<A: Guarded, T: 'static>(
    actor: &A,
    context: &mut Context<A>,
    task: impl Future<Output = Result<T, JoinError>> + 'static,
    then: impl FnOnce(&mut A, T, &mut Context<A>) + 'static,
) {
    let began = Instant::now();
    task.into_actor(actor)
        .map(move |done, actor, context| {
            let guard: Guard = actor.guard().clone();
            guard.metrics.waited(began.elapsed());
            match done {
                Ok(result) => guard.run(context, |context| then(actor, result, context)),
                Err(failed) if failed.is_panic() => guard.end_after_panic(context, failed.into_panic().as_ref()),
                Err(_cancelled) => {}
            }
        })
        .spawn(context);
}
