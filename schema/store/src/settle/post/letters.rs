//! Writes the verdicts on letters, and the highest sequence numbers of their installations.

use sdc::payload;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, unnested};
use crate::letters::{notices, outbox};
use crate::settle::verdict::VerdictRow;
use crate::settle::written::Written;

impl Written {
    pub(super) async fn insert_letters(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let has_row = |verdict: &&VerdictRow| {
            !verdict.key.is_of_first_attempt()
                && self.standing.known_by_id(verdict.agency, verdict.key.letter_id).is_some()
        };
        let verdicts: Vec<&VerdictRow> = verdicts.iter().filter(|verdict| !has_row(verdict)).collect();
        if verdicts.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Matricules(verdicts.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Uuids(verdicts.iter().map(|verdict| Some(verdict.key.letter_id)).collect()),
            Bind::Texts(verdicts.iter().map(|verdict| Some(verdict.key.installation.as_str())).collect()),
            Bind::Bigints(verdicts.iter().map(|verdict| verdict.key.sequence).collect()),
            Bind::Byteas(verdicts.iter().map(|verdict| Some(verdict.digest.as_slice())).collect()),
            Bind::Texts(verdicts.iter().map(|verdict| Some(verdict.outcome.as_str())).collect()),
            Bind::Texts(verdicts.iter().map(|verdict| Some(verdict.transport)).collect()),
            Bind::Integers(verdicts.iter().map(|verdict| Some(verdict.certificate_id)).collect()),
            Bind::Byteas(verdicts.iter().map(|verdict| Some(verdict.receipt.as_slice())).collect()),
            Bind::Timestamptzs(verdicts.iter().map(|verdict| Some(verdict.received_at)).collect()),
            Bind::Texts(verdicts.iter().map(|verdict| outbox::kept_cipher(verdict.cipher)).collect()),
        ];
        let text = format!(
            "INSERT INTO xm.letters (agency, letter_id, installation, sequence, digest, verdict, transport, certificate,
                                     receipt, received_at, cipher)
             SELECT {}",
            unnested(binds.len())
        );
        self.execute(&text, &binds).await?;
        Ok(())
    }

    /// Raises the highest number of each installation, and stores when, and by which transport, in which cipher and form, the letter with
    /// this number came. Notices of the centre to the installation get the same transport, cipher and form.
    ///
    /// The rhythm is a mean of the days between two days with letters, in which the last such pause counts a quarter. It is counted in
    /// days of UTC, because the letters of one day say nothing about the next day.
    pub(super) async fn raise_sequences(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let numbered: Vec<&VerdictRow> = verdicts.iter().filter(|verdict| verdict.key.sequence.is_some()).collect();
        if numbered.is_empty() {
            return Ok(());
        }
        // Notices to the installation will have the form of this letter. The receipt is packed in the same form, so the form is read from
        // it.
        let dictionary = |verdict: &VerdictRow| notices::kept_dictionary(payload::form(&verdict.receipt));
        let binds = [
            Bind::Matricules(numbered.iter().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Texts(numbered.iter().map(|verdict| Some(verdict.key.installation.as_str())).collect()),
            Bind::Bigints(numbered.iter().map(|verdict| verdict.key.sequence).collect()),
            Bind::Texts(numbered.iter().map(|verdict| Some(verdict.transport)).collect()),
            Bind::Texts(numbered.iter().map(|verdict| outbox::kept_cipher(verdict.cipher)).collect()),
            Bind::Bigints(numbered.iter().map(|verdict| dictionary(verdict)).collect()),
            Bind::Integers(numbered.iter().map(|verdict| Some(verdict.certificate_id)).collect()),
            Bind::Timestamptzs(numbered.iter().map(|verdict| Some(verdict.received_at)).collect()),
        ];
        let text = "
            UPDATE xm.installations i
               SET sequence_highest = n.sequence, transport = n.transport, cipher = n.cipher, dictionary = n.dictionary,
                   certificate = n.certificate, heard_at = greatest(i.heard_at, n.received_at),
                   rhythm_days = CASE WHEN n.day > (i.heard_at AT TIME ZONE 'UTC')::date
                       THEN coalesce(i.rhythm_days * 0.75 + (n.day - (i.heard_at AT TIME ZONE 'UTC')::date) * 0.25,
                                     n.day - (i.heard_at AT TIME ZONE 'UTC')::date)
                       ELSE i.rhythm_days END
              FROM (SELECT DISTINCT ON (agency, name) *, (received_at AT TIME ZONE 'UTC')::date AS day
                      FROM unnest(?, ?, ?, ?, ?, ?, ?, ?)
                           AS s (agency, name, sequence, transport, cipher, dictionary, certificate, received_at)
                     ORDER BY agency, name, sequence DESC) n
             WHERE i.agency = n.agency AND i.name = n.name AND i.sequence_highest < n.sequence";
        self.execute(text, &binds).await?;
        Ok(())
    }

    /// Marks the notices that offices have seen. A centre that was restored from a backup has forgotten the last notices that it sent, so
    /// an office may have seen a higher number than the centre knows. New notices then get numbers above that one: under an old number, the
    /// office would take a new notice for one that it has already.
    pub(super) async fn acknowledge(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let saying = || verdicts.iter().filter(|verdict| verdict.key.sequence.is_some() && verdict.seen.is_some());
        if saying().next().is_none() {
            return Ok(());
        }
        let binds = [
            Bind::Bigint(notices::NUMBERS_LOST_MAX),
            Bind::Matricules(saying().map(|verdict| Some(verdict.agency)).collect()),
            Bind::Texts(saying().map(|verdict| Some(verdict.key.installation.as_str())).collect()),
            Bind::Bigints(saying().map(|verdict| verdict.seen).collect()),
        ];
        let text = "UPDATE xm.installations i
                       SET notice_seen = least(n.seen, i.notice_highest + n.lost_max),
                           notice_highest = greatest(i.notice_highest, least(n.seen, i.notice_highest + n.lost_max))
                      FROM (SELECT agency, name, max(seen) AS seen, ? AS lost_max
                              FROM unnest(?, ?, ?) AS s (agency, name, seen) GROUP BY agency, name) n
                     WHERE i.agency = n.agency AND i.name = n.name AND i.notice_seen < least(n.seen, i.notice_highest + n.lost_max)";
        self.execute(text, &binds).await?;
        Ok(())
    }
}
