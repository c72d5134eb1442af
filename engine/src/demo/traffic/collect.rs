//! Agencies fetch their answers and verify them, as offices do: pinned certificate, own letter, never counted twice.

use agency::collect::{Then, collect};
use futures_util::{StreamExt, TryStreamExt, stream};
use simulation::lock::lock;
use simulation::post_office::PostOffice;
use simulation::town::Resident;

use super::shared::Shared;

/// Maildrops looked into at the same time.
const SIDE_BY_SIDE: usize = 4;

/// Empties every maildrop in which something lies.
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
            let opened = resident.open(&document);
            let mut record = lock(&shared.record);
            match opened {
                Ok(answered) => record.note(&answered),
                Err(error) => record.memory.disbelieve(format!("agency {}: {error}", resident.matricule)),
            }
        }
        // Nobody else reads this maildrop. Answers that were not believed are in the record by now.
        Then::Delete
    };
    collect(&resident.maildrop, read).await?;
    Ok(())
}
