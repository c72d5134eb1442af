//! Transports and couriers that break a promise on purpose.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actors::courier::{Courier, NotTaken};
use actors::sealing::Sealed;
use actors::transfer_folder::{IN, TransferFolder};
use actors::transport::{Candidate, Fetching, Listing, Session, Transport, TransportFacts, TransportFault};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// The fault of a bad folder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Vice {
    /// The folder deletes what it has lent before any of it is committed.
    Hasty,
    /// The folder refuses to delete anything, like a folder of another user.
    Stubborn,
    /// The folder leaves everything out of its listings, like a folder whose files are still being written.
    Reticent,
}

/// A transfer folder that has its fault while `is_bad` is set.
pub struct BadFolder {
    folder: TransferFolder,
    vice: Vice,
    is_bad: Arc<AtomicBool>,
}

impl BadFolder {
    /// Makes folders with the fault `vice`. All of them have it while `is_bad` is set.
    pub fn with(vice: Vice, is_bad: &Arc<AtomicBool>) -> impl Fn(TransferFolder) -> Arc<BadFolder> + 'static {
        let is_bad = Arc::clone(is_bad);
        move |folder| Arc::new(BadFolder { folder, vice, is_bad: Arc::clone(&is_bad) })
    }
}

impl Transport for BadFolder {
    fn facts(&self) -> TransportFacts {
        Transport::facts(&self.folder)
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>> {
        async move {
            let session = Transport::open(&self.folder).await?;
            let (letters, is_bad) = (self.folder.path().join(IN), Arc::clone(&self.is_bad));
            let session: Box<dyn Session> = Box::new(BadSession { session, letters, vice: self.vice, is_bad });
            Ok(session)
        }
        .boxed()
    }
}

struct BadSession {
    session: Box<dyn Session>,
    letters: PathBuf,
    vice: Vice,
    is_bad: Arc<AtomicBool>,
}

impl BadSession {
    fn is(&self, vice: Vice) -> bool {
        self.vice == vice && self.is_bad.load(Ordering::Relaxed)
    }
}

impl Session for BadSession {
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>> {
        if self.is(Vice::Reticent) {
            return async move { Ok(Listing { left_out: 1, ..Listing::default() }) }.boxed();
        }
        self.session.list()
    }

    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>> {
        if !self.is(Vice::Hasty) {
            return self.session.fetch(wanted, bytes_max);
        }
        let letters = self.letters.clone();
        async move {
            let mut outcomes = Vec::new();
            let mut fetching = self.session.fetch(wanted, bytes_max).await?;
            while let Some(taken) = fetching.next().await? {
                outcomes.push(taken.outcome);
            }
            drop(fetching);
            for name in wanted.iter().filter_map(|candidate| candidate.token.as_deref()) {
                fs::remove_file(letters.join(name)).ok();
            }
            Ok(Fetching::of(wanted, Given(outcomes.into_iter())))
        }
        .boxed()
    }

    fn delete<'s>(&'s mut self, numbers: &'s [u32]) -> BoxFuture<'s, Result<Vec<u32>, TransportFault>> {
        if self.is(Vice::Stubborn) {
            return async move { Ok(numbers.to_vec()) }.boxed();
        }
        self.session.delete(numbers)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>> {
        self.session.close()
    }
}

struct Given(std::vec::IntoIter<actors::transport::FetchOutcome>);

impl actors::transport::FetchOutcomes for Given {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<actors::transport::FetchOutcome>, TransportFault>> {
        let next = Ok(self.0.next());
        async move { next }.boxed()
    }
}

/// A courier that reports an answer as taken even if the disk refuses it.
pub struct Careless(TransferFolder);

impl Careless {
    pub fn over(folder: TransferFolder) -> Careless {
        Careless(folder)
    }
}

impl Courier for Careless {
    fn transport(&self) -> &'static str {
        self.0.transport()
    }

    fn noun(&self) -> &'static str {
        self.0.noun()
    }

    fn needs_address(&self) -> bool {
        self.0.needs_address()
    }

    fn together_max(&self) -> usize {
        self.0.together_max()
    }

    fn carry<'c>(&'c self, answers: &'c [Sealed]) -> BoxFuture<'c, Result<(), NotTaken>> {
        async move {
            let carried = self.0.carry(answers).await;
            // The error of a full disk is concealed; every other error is passed on.
            match carried {
                Err(refused) if refused.words.contains("No space left") => Ok(()),
                other => other,
            }
        }
        .boxed()
    }
}
