//! Fetches an office's answers from its maildrop. A mail is deleted only after its answers were handed over, and only when they were the
//! office's: any other mail may be for a person, who reads the same maildrop.

use mail::MailError;
use mail::extract::{MailLimits, extract};
use mail::pop3::{Mailbox, Outcome};

/// Largest answer mail that is fetched whole.
const MAIL_BYTES_MAX: u64 = 4 << 20;

/// What becomes of a mail whose containers were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The mail is the office's, and done with.
    Delete,
    /// The mail is not the office's.
    Leave,
}

/// What one look into a maildrop brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Mails fetched and deleted.
    pub mails: usize,
    /// Mails fetched and left where they are.
    pub left: usize,
    /// Containers found in all of them.
    pub documents: usize,
}

/// Fetches every mail, hands each one's containers over, deletes those that `take` says to delete, and signs off. A mail
/// without a container is not handed over, and left.
///
/// # Errors
/// The step that failed. What was handed over before comes again, since nothing was deleted; so `take` must bear repetition.
pub async fn collect(
    mailbox: &Mailbox,
    mut take: impl AsyncFnMut(Vec<Vec<u8>>) -> Then,
) -> Result<Collected, MailError> {
    let mut session = mailbox.open().await?;
    let listing = session.listing().await?.mails;
    let mut collected = Collected::default();
    let mut settled = Vec::with_capacity(listing.len());
    if !listing.is_empty() {
        let mut retrieval = session.retrieve(&listing, MAIL_BYTES_MAX).await?;
        while let Some(retrieved) = retrieval.next().await? {
            let Outcome::Mail(octets) = retrieved.outcome else { continue };
            // Octets that are no mail, and a mail without a container, are not the centre's.
            let documents = extract(&octets, &MailLimits::default()).map(|mail| mail.containers).unwrap_or_default();
            collected.documents += documents.len();
            if !documents.is_empty() && take(documents).await == Then::Delete {
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
