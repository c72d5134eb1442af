//! Fetches an office's answers from its maildrop. A mail is deleted only after its answers were handed over, and only if they are the
//! office's. Any other mail may be for a person who reads the same maildrop.

use mail::MailError;
use mail::extract::{MailLimits, extract};
use mail::pop3::{Mailbox, Outcome};

/// Size in bytes of the largest answer mail that is fetched whole.
const MAIL_BYTES_MAX: u64 = 4 << 20;

/// What to do with a mail after its containers were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The mail is the office's and has been handled: it is deleted.
    Delete,
    /// The mail is not the office's: it stays.
    Leave,
}

/// Result of one visit to a maildrop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Mails fetched and deleted.
    pub mails: usize,
    /// Mails fetched and not deleted.
    pub left: usize,
    /// Containers found in all fetched mails.
    pub documents: usize,
}

/// A mail that was fetched.
#[derive(Debug)]
pub struct Mail<'a> {
    /// Unique id of the mail in its mailbox; none where the server gives none.
    pub uidl: Option<&'a str>,
    /// Size of the mail in bytes.
    pub octets: u64,
    /// The containers in it.
    pub documents: Vec<Vec<u8>>,
}

/// Fetches every mail, hands the containers of each mail to `take`, deletes the mails for which `take` returns `Delete`, and signs off. A
/// mail without a container is not handed over and stays.
///
/// # Errors
/// The step that failed. Nothing was then deleted, so the containers are handed over again next time, and `take` must tolerate this.
pub async fn collect(
    mailbox: &Mailbox,
    mut take: impl AsyncFnMut(Vec<Vec<u8>>) -> Then,
) -> Result<Collected, MailError> {
    let taking =
        async |mail: Mail<'_>| if mail.documents.is_empty() { Then::Leave } else { take(mail.documents).await };
    collect_wanted(mailbox, |_| true, taking).await
}

/// Does what [`collect`] does for the mails that are wanted. `is_wanted` decides by the unique id in the mailbox, before a mail is fetched.
/// Mails without a container are handed over too, so that the caller can remember them; they stay, whatever `take` returns.
///
/// # Errors
/// Fails as [`collect`] does.
pub async fn collect_wanted(
    mailbox: &Mailbox,
    is_wanted: impl Fn(Option<&str>) -> bool,
    mut take: impl AsyncFnMut(Mail<'_>) -> Then,
) -> Result<Collected, MailError> {
    let mut session = mailbox.open().await?;
    let mut listing = session.listing().await?.mails;
    listing.retain(|listed| is_wanted(listed.uidl.as_deref()));
    let mut collected = Collected::default();
    let mut settled = Vec::with_capacity(listing.len());
    if !listing.is_empty() {
        let mut retrieval = session.retrieve(&listing, MAIL_BYTES_MAX).await?;
        while let Some(retrieved) = retrieval.next().await? {
            let Outcome::Mail(octets) = retrieved.outcome else { continue };
            // Octets that are no mail, and mails without a container, do not come from the centre.
            let documents = extract(&octets, &MailLimits::default()).map(|mail| mail.containers).unwrap_or_default();
            collected.documents += documents.len();
            let (uidl, has_documents) = (retrieved.listed.uidl.as_deref(), !documents.is_empty());
            let mail = Mail { uidl, octets: u64::try_from(octets.len()).unwrap_or(u64::MAX), documents };
            if take(mail).await == Then::Delete && has_documents {
                settled.push(retrieved.listed.number);
                collected.mails += 1;
            } else {
                collected.left += 1;
            }
        }
        drop(retrieval);
        session.delete(&settled).await?;
    }
    session.quit().await?;
    Ok(collected)
}
