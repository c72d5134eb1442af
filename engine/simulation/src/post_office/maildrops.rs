//! The maildrops of a post office: the mails of each address, held in memory. The total size never exceeds a limit.
//!
//! A mail is stored once, even where several recipients or sessions have it. A unique id is never used twice in any maildrop, so an empty
//! maildrop needs no entry.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Octets that each stored mail counts in addition to its own size. So the limit also stops a flood of empty mails.
const OVERHEAD_BYTES: u64 = 256;

/// One mail as it lies in a maildrop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The path of `MAIL FROM`, empty for the null sender and for mail delivered directly.
    pub envelope_sender: String,
    /// The octets, header and body, ending in CRLF.
    pub bytes: Arc<[u8]>,
}

/// The error that a mail would exceed the limit of the post office.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the post office holds {stored_bytes} of at most {stored_bytes_max} bytes: collect mail, then deliver again")]
pub struct Full {
    /// The octets held, with the overhead of each mail.
    pub stored_bytes: u64,
    /// Largest number of octets that may be held.
    pub stored_bytes_max: u64,
}

/// A mail with its number, which no other mail of the post office has.
pub(super) type Numbered = (u64, Arc<Mail>);

#[derive(Debug)]
pub(super) struct Maildrops {
    inner: Mutex<Inner>,
    arrivals: watch::Sender<u64>,
    stored_bytes_max: u64,
    /// A number that differs from run to run, so that a unique id of an earlier run is not used again.
    epoch: u64,
}

#[derive(Debug, Default)]
struct Inner {
    mails: HashMap<String, BTreeMap<u64, Arc<Mail>>>,
    locked: HashSet<String>,
    last_id: u64,
    stored_bytes: u64,
}

/// An exclusive lock of one maildrop. Dropping it unlocks the maildrop.
#[derive(Debug)]
pub(super) struct MaildropLock {
    maildrops: Arc<Maildrops>,
    address: String,
}

impl Drop for MaildropLock {
    fn drop(&mut self) {
        self.maildrops.lock().locked.remove(&self.address);
    }
}

impl Maildrops {
    pub(super) fn new(stored_bytes_max: u64) -> Maildrops {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Maildrops { inner: Mutex::default(), arrivals: watch::Sender::new(0), stored_bytes_max, epoch }
    }

    /// Stores one mail for all recipients. Where the limit leaves no room for all, it is stored for none.
    pub(super) fn deliver(&self, recipients: &[String], mail: Mail) -> Result<(), Full> {
        let copies = u64::try_from(recipients.len()).unwrap_or(u64::MAX);
        let cost = copies.saturating_mul(cost(&mail));
        let mail = Arc::new(mail);
        let mut inner = self.lock();
        if inner.stored_bytes.saturating_add(cost) > self.stored_bytes_max {
            return Err(Full { stored_bytes: inner.stored_bytes, stored_bytes_max: self.stored_bytes_max });
        }
        inner.stored_bytes += cost;
        for recipient in recipients {
            inner.last_id += 1;
            let id = inner.last_id;
            inner.mails.entry(folded(recipient)).or_default().insert(id, mail.clone());
        }
        drop(inner);
        self.arrivals.send_modify(|arrivals| *arrivals += 1);
        Ok(())
    }

    /// Lists a maildrop in the order of arrival.
    pub(super) fn list(&self, address: &str) -> Vec<Numbered> {
        let inner = self.lock();
        let mails = inner.mails.get(&folded(address));
        mails.map(|mails| mails.iter().map(|(id, mail)| (*id, mail.clone())).collect()).unwrap_or_default()
    }

    /// Deletes mails by id, and ignores ids that are no longer there. Returns the number of mails deleted.
    pub(super) fn delete(&self, address: &str, ids: impl IntoIterator<Item = u64>) -> usize {
        let address = folded(address);
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(mails) = inner.mails.get_mut(&address) else { return 0 };
        let mut deleted = 0;
        for mail in ids.into_iter().filter_map(|id| mails.remove(&id)) {
            inner.stored_bytes -= cost(&mail);
            deleted += 1;
        }
        if mails.is_empty() {
            inner.mails.remove(&address);
        }
        deleted
    }

    /// Removes all mails from a maildrop and returns them.
    pub(super) fn take(&self, address: &str) -> Vec<Mail> {
        let mut inner = self.lock();
        let mails = inner.mails.remove(&folded(address)).unwrap_or_default();
        inner.stored_bytes -= mails.values().map(|mail| cost(mail)).sum::<u64>();
        drop(inner);
        mails.into_values().map(Arc::unwrap_or_clone).collect()
    }

    pub(super) fn count(&self, address: &str) -> usize {
        self.lock().mails.get(&folded(address)).map_or(0, BTreeMap::len)
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.lock().stored_bytes
    }

    /// Returns a receiver whose value changes with every delivery.
    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Locks a maildrop for one session. Returns `None` while another session has the lock.
    pub(super) fn lock_maildrop(self: &Arc<Self>, address: &str) -> Option<MaildropLock> {
        let address = folded(address);
        let locked = self.lock().locked.insert(address.clone());
        locked.then(|| MaildropLock { maildrops: self.clone(), address })
    }

    /// Writes a mail's unique id as UIDL tells it.
    pub(super) fn uidl(&self, id: u64) -> String {
        format!("{:08x}{id:08x}", self.epoch)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns an address in lower case: as all common mail servers do, the post office ignores case in addresses.
pub(super) fn folded(address: &str) -> String {
    address.to_ascii_lowercase()
}

fn cost(mail: &Mail) -> u64 {
    u64::try_from(mail.bytes.len() + mail.envelope_sender.len()).unwrap_or(u64::MAX).saturating_add(OVERHEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str) -> Mail {
        Mail { envelope_sender: String::new(), bytes: text.as_bytes().into() }
    }

    #[test]
    fn the_total_is_never_passed_and_comes_back_to_nothing() {
        let maildrops = Maildrops::new(3 * (OVERHEAD_BYTES + 3));
        let two = ["a@x".to_owned(), "B@x".to_owned()];
        maildrops.deliver(&two, mail("one")).unwrap();
        let full = maildrops.deliver(&two, mail("two")).unwrap_err();
        assert_eq!(full.stored_bytes, 2 * (OVERHEAD_BYTES + 3));
        assert_eq!((maildrops.count("a@x"), maildrops.count("b@X")), (1, 1), "all recipients or none");
        let ids = maildrops.list("a@x").into_iter().map(|(id, _)| id);
        assert_eq!(maildrops.delete("a@x", ids.clone()), 1);
        assert_eq!(maildrops.delete("a@x", ids), 0, "deleted twice");
        assert_eq!(maildrops.take("b@x"), [mail("one")]);
        assert_eq!(maildrops.stored_bytes(), 0);
        assert!(maildrops.lock().mails.is_empty());
    }

    #[test]
    fn a_maildrop_has_one_holder_at_a_time() {
        let maildrops = Arc::new(Maildrops::new(1000));
        let held = maildrops.lock_maildrop("a@x").unwrap();
        assert!(maildrops.lock_maildrop("A@x").is_none());
        assert!(maildrops.lock_maildrop("b@x").is_some());
        drop(held);
        assert!(maildrops.lock_maildrop("a@x").is_some());
    }
}
