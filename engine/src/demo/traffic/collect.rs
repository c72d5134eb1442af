//! Agencies collect their answers and verify them as real offices do: an answer must be signed with a pinned certificate and must answer a
//! letter of this agency. An answer that comes again is not counted again.

use agency::collect::{Then, collect};
use futures_util::{StreamExt, TryStreamExt, stream};
use simulation::lock::lock;
use simulation::post_office::PostOffice;
use simulation::town::Resident;

use super::shared::Shared;

/// The number of maildrops that are emptied at the same time.
const SIDE_BY_SIDE: usize = 4;

/// Empties every maildrop that holds mail.
///
/// # Errors
/// The post office fails.
pub async fn collect_all(shared: &Shared, post_office: &PostOffice) -> anyhow::Result<()> {
    let full: Vec<_> =
        shared.town.residents.iter().filter(|resident| post_office.count(&resident.address) > 0).collect();
    stream::iter(full).map(|resident| collect_one(shared, resident)).buffer_unordered(SIDE_BY_SIDE).try_collect().await
}

async fn collect_one(shared: &Shared, resident: &Resident) -> anyhow::Result<()> {
    let read = async |documents: Vec<Vec<u8>>| {
        for document in documents {
            let received = resident.receive(&document);
            let mut record = lock(&shared.record);
            match received {
                Ok(received) => record.note(&received),
                Err(error) => record.memory.disbelieve(format!("agency {}: {error}", resident.matricule)),
            }
        }
        // The mail is deleted even if the agency rejected the answer in it: no other program reads this maildrop, and the record keeps
        // rejected answers.
        Then::Delete
    };
    collect(&resident.maildrop, read).await?;
    Ok(())
}
