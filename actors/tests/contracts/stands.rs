//! The sources whose contract is checked: a mailbox at the in-memory post office, a transfer folder in a temporary directory, and a pushed
//! source in memory.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actors::admission::lender::{Lender, PushedMail};
use actors::answer_desk::AnswerDesk;
use actors::custody::Fate;
use actors::transfer_folder::{IN, OUT, TransferFolder};
use actors::transport::pushed::Pushed;
use actors::transport::{Form, Transport, TransportFacts, TransportFault};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use mail::pop3::Mailbox;
use mail::settings::{MailboxSettings, Secret, Security};
use simulation::post_office::{PostOffice, PostOfficeSettings};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};

use super::transports::{Stand, Way, World};

const ADDRESS: &str = "centre@example.org";
/// How long a sender waits before it sends the mail again.
const SENDER_PAUSE: Duration = Duration::from_millis(10);

/// How long an impatient sender waits for an answer. The answer takes longer, since it needs several statements of the database.
const IMPATIENCE: Duration = Duration::from_millis(1);

/// A mailbox, read by POP3.
pub struct Pop3Stand(PostOffice);

impl Pop3Stand {
    pub fn new() -> Pop3Stand {
        Pop3Stand(PostOffice::start(PostOfficeSettings::default()).unwrap())
    }
}

impl Stand for Pop3Stand {
    fn put(&self, mail: &[u8]) {
        self.0.deliver(ADDRESS, mail).unwrap();
    }

    fn held(&self) -> usize {
        self.0.count(ADDRESS)
    }

    fn cut(&self) {
        self.0.go_away();
    }

    fn mend(&self) {
        self.0.come_back();
    }

    fn way(&self) -> Way {
        let mut settings = MailboxSettings::new("127.0.0.1", ADDRESS);
        settings.port = Some(self.0.pop3_address().port());
        settings.security = Security::None;
        settings.password = Some(Secret::new("secret"));
        settings.read_timeout_seconds = 5;
        Way::Listed(Arc::new(Mailbox::new(settings).unwrap()))
    }
}

/// A transfer folder with its transport, or with a bad transport. Each process has a transport of its own, made by `process`.
pub struct FolderStand {
    place: TempDir,
    process: Box<dyn Fn() -> Arc<dyn Transport>>,
    written: AtomicUsize,
}

impl FolderStand {
    pub fn new<T: Transport>(world: &World, make: impl Fn(TransferFolder) -> Arc<T> + 'static) -> FolderStand {
        let place = tempfile::tempdir().unwrap();
        [IN, OUT].iter().for_each(|name| fs::create_dir(place.path().join(name)).unwrap());
        let (path, runtime) = (place.path().to_owned(), world.runtime.handle().clone());
        let process =
            move || -> Arc<dyn Transport> { make(TransferFolder::new(path.clone(), runtime.clone(), Duration::ZERO)) };
        FolderStand { place, process: Box::new(process), written: AtomicUsize::new(0) }
    }

    fn letters(&self) -> PathBuf {
        [IN, "away"].map(|name| self.place.path().join(name)).into_iter().find(|path| path.exists()).unwrap()
    }
}

impl Stand for FolderStand {
    fn put(&self, mail: &[u8]) {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let part = self.letters().join(format!("{number}.sdc.part"));
        fs::write(&part, mail).unwrap();
        fs::rename(&part, part.with_extension("")).unwrap();
    }

    fn held(&self) -> usize {
        fs::read_dir(self.letters()).unwrap().count()
    }

    fn cut(&self) {
        fs::rename(self.letters(), self.place.path().join("away")).unwrap();
    }

    fn mend(&self) {
        fs::rename(self.letters(), self.place.path().join(IN)).unwrap();
    }

    fn way(&self) -> Way {
        Way::Listed((self.process)())
    }
}

/// A pushed source whose senders keep their mail until they get a positive answer.
pub struct PushedStand(Arc<Senders>);

struct Senders {
    waiting: Mutex<VecDeque<Vec<u8>>>,
    /// Mails that are being pushed.
    pushing: AtomicUsize,
    changed: Notify,
    is_cut: watch::Sender<bool>,
    /// Says whether a sender gets a positive answer for a fate.
    is_done: fn(Fate) -> bool,
    /// Whether the senders break the contract: each waits only for `IMPATIENCE`, takes a missing answer for a positive one, and discards
    /// its mail.
    is_impatient: bool,
}

/// A mail that is being pushed. If it is dropped before the sender got a positive answer, the sender keeps it.
struct Pushing<'s> {
    senders: &'s Senders,
    mail: Option<Vec<u8>>,
}

impl Drop for Pushing<'_> {
    fn drop(&mut self) {
        if let Some(mail) = self.mail.take() {
            self.senders.waiting.lock().unwrap().push_back(mail);
        }
        self.senders.pushing.fetch_sub(1, Ordering::SeqCst);
        self.senders.changed.notify_one();
    }
}

impl PushedStand {
    pub fn new(is_done: fn(Fate) -> bool) -> PushedStand {
        PushedStand::of(is_done, false)
    }

    pub fn impatient() -> PushedStand {
        PushedStand::of(|fate| fate == Fate::Settled, true)
    }

    fn of(is_done: fn(Fate) -> bool, is_impatient: bool) -> PushedStand {
        PushedStand(Arc::new(Senders {
            waiting: Mutex::default(),
            pushing: AtomicUsize::new(0),
            changed: Notify::new(),
            is_cut: watch::Sender::new(false),
            is_done,
            is_impatient,
        }))
    }
}

impl Stand for PushedStand {
    fn put(&self, mail: &[u8]) {
        self.0.waiting.lock().unwrap().push_back(mail.to_vec());
        self.0.changed.notify_one();
    }

    fn held(&self) -> usize {
        // A thread that moves a mail between `waiting` and `pushing` either holds the lock, or adds the mail to one before it removes it
        // from the other. So no mail is missed here.
        let waiting = self.0.waiting.lock().unwrap();
        waiting.len() + self.0.pushing.load(Ordering::SeqCst)
    }

    fn cut(&self) {
        self.0.is_cut.send_replace(true);
    }

    fn mend(&self) {
        self.0.is_cut.send_replace(false);
    }

    fn way(&self) -> Way {
        Way::Pushed(Arc::clone(&self.0) as Arc<dyn Pushed>)
    }
}

impl Senders {
    fn begin(&self) -> Option<Pushing<'_>> {
        let mut waiting = self.waiting.lock().unwrap();
        let mail = waiting.pop_front()?;
        self.pushing.fetch_add(1, Ordering::SeqCst);
        Some(Pushing { senders: self, mail: Some(mail) })
    }

    async fn push(&self, mut pushing: Pushing<'_>, lender: &Lender) {
        let mail = pushing.mail.clone().unwrap_or_default();
        let lent = lender.lend(PushedMail { mail, over_size_bytes: None, answer: None, origin: None });
        let fate = if self.is_impatient {
            tokio::time::timeout(IMPATIENCE, lent).await.unwrap_or(Fate::Settled)
        } else {
            lent.await
        };
        if (self.is_done)(fate) {
            pushing.mail = None;
        } else {
            tokio::time::sleep(SENDER_PAUSE).await;
        }
    }
}

impl Pushed for Senders {
    fn facts(&self) -> TransportFacts {
        TransportFacts { answers_by: "mail", noun: "pushed source", form: Form::Mail }
    }

    fn listen(&self, lender: Lender, _desk: AnswerDesk) -> BoxFuture<'_, TransportFault> {
        async move {
            let mut cut = self.is_cut.subscribe();
            let mut sessions = FuturesUnordered::new();
            loop {
                if *cut.borrow() {
                    return TransportFault { step: "tcp", words: "the line is cut".to_owned() };
                }
                while let Some(pushing) = self.begin() {
                    sessions.push(self.push(pushing, &lender));
                }
                tokio::select! {
                    _ = cut.changed() => {}
                    () = self.changed.notified() => {}
                    Some(()) = sessions.next() => {}
                }
            }
        }
        .boxed()
    }
}
