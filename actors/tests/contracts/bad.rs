//! Transports and couriers that break a promise on purpose.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actors::courier::{Courier, NotTaken, Sealed};
use actors::transfer_folder::{IN, TransferFolder};
use actors::transport::{Candidate, Facts, Fetching, Listing, Session, Transport, TransportFault};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Deletes what it has given out, before anything of it is committed.
pub struct Hasty(TransferFolder);

impl Hasty {
    pub fn over(folder: TransferFolder) -> Hasty {
        Hasty(folder)
    }
}

impl Transport for Hasty {
    fn facts(&self) -> Facts {
        Transport::facts(&self.0)
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>> {
        async move {
            let session = Transport::open(&self.0).await?;
            let session: Box<dyn Session> = Box::new(HastySession { session, letters: self.0.path().join(IN) });
            Ok(session)
        }
        .boxed()
    }
}

struct HastySession {
    session: Box<dyn Session>,
    letters: PathBuf,
}

impl Session for HastySession {
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>> {
        self.session.list()
    }

    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>> {
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
        self.session.delete(numbers)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>> {
        self.session.close()
    }
}

/// Refuses to delete anything while it is told to, as a folder of another user does.
pub struct Stubborn {
    folder: TransferFolder,
    refuses: Arc<AtomicBool>,
}

impl Stubborn {
    pub fn over(folder: TransferFolder, refuses: Arc<AtomicBool>) -> Stubborn {
        Stubborn { folder, refuses }
    }
}

impl Transport for Stubborn {
    fn facts(&self) -> Facts {
        Transport::facts(&self.folder)
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>> {
        async move {
            let session = Transport::open(&self.folder).await?;
            let session: Box<dyn Session> = Box::new(StubbornSession { session, refuses: Arc::clone(&self.refuses) });
            Ok(session)
        }
        .boxed()
    }
}

struct StubbornSession {
    session: Box<dyn Session>,
    refuses: Arc<AtomicBool>,
}

impl Session for StubbornSession {
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>> {
        self.session.list()
    }

    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>> {
        self.session.fetch(wanted, bytes_max)
    }

    fn delete<'s>(&'s mut self, numbers: &'s [u32]) -> BoxFuture<'s, Result<Vec<u32>, TransportFault>> {
        if self.refuses.load(Ordering::Relaxed) {
            return async move { Ok(numbers.to_vec()) }.boxed();
        }
        self.session.delete(numbers)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>> {
        self.session.close()
    }
}

/// Leaves everything out of its listings while it is told to, as a folder does whose files are still written.
pub struct Reticent {
    folder: TransferFolder,
    hides: Arc<AtomicBool>,
}

impl Reticent {
    pub fn over(folder: TransferFolder, hides: Arc<AtomicBool>) -> Reticent {
        Reticent { folder, hides }
    }
}

impl Transport for Reticent {
    fn facts(&self) -> Facts {
        Transport::facts(&self.folder)
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>> {
        async move {
            let session = Transport::open(&self.folder).await?;
            let session: Box<dyn Session> = Box::new(ReticentSession { session, hides: Arc::clone(&self.hides) });
            Ok(session)
        }
        .boxed()
    }
}

struct ReticentSession {
    session: Box<dyn Session>,
    hides: Arc<AtomicBool>,
}

impl Session for ReticentSession {
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>> {
        if self.hides.load(Ordering::Relaxed) {
            return async move { Ok(Listing { left_out: 1, ..Listing::default() }) }.boxed();
        }
        self.session.list()
    }

    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>> {
        self.session.fetch(wanted, bytes_max)
    }

    fn delete<'s>(&'s mut self, numbers: &'s [u32]) -> BoxFuture<'s, Result<Vec<u32>, TransportFault>> {
        self.session.delete(numbers)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>> {
        self.session.close()
    }
}

struct Given(std::vec::IntoIter<actors::transport::Outcome>);

impl actors::transport::Outcomes for Given {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<actors::transport::Outcome>, TransportFault>> {
        let next = Ok(self.0.next());
        async move { next }.boxed()
    }
}

/// Says that an answer is taken, whatever the disk says.
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
            // Only a folder that is not there is told of.
            match carried {
                Err(refused) if refused.words.contains("No space left") => Ok(()),
                other => other,
            }
        }
        .boxed()
    }
}
