//! An actor whose whole life is one piece of work with a source. It gets no messages except heartbeats, and runs until the process drains.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use actix::{Actor, ActorFutureExt, Context, ContextFutureSpawner, Handler, WrapFuture};
use futures_util::FutureExt;

use crate::supervision::{Guard, Heartbeat};

/// The parts that a [`Lifelong`] actor is built from, and the work that it does.
pub trait LifeWork: Clone + Unpin + 'static {
    /// Works until the process drains. A panic ends the actor, which is then rebuilt.
    fn work(self, guard: Guard) -> impl Future<Output = ()> + 'static;
}

/// An actor that does one piece of work until the process drains.
pub struct Lifelong<W> {
    parts: W,
    guard: Guard,
}

impl<W: LifeWork> Lifelong<W> {
    /// Makes the actor.
    pub fn new(parts: W, guard: Guard) -> Lifelong<W> {
        Lifelong { parts, guard }
    }
}

impl<W: LifeWork> Actor for Lifelong<W> {
    type Context = Context<Lifelong<W>>;

    fn started(&mut self, context: &mut Context<Lifelong<W>>) {
        AssertUnwindSafe(self.parts.clone().work(self.guard.clone()))
            .catch_unwind()
            .into_actor(self)
            .map(|ended, actor, context| {
                if let Err(panic) = ended {
                    actor.guard.clone().end_after_panic(context, panic.as_ref());
                }
            })
            .spawn(context);
    }
}

impl<W: LifeWork> Handler<Heartbeat> for Lifelong<W> {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<Lifelong<W>>) {}
}
