//! Checks the receipts that came with the replies over HTTPS.

use std::collections::BTreeMap;

use agency::identity::Identity;
use anyhow::{Context, Result, ensure};
use sdc::answer::CentreLetter;
use sdc::answer::receipt::Verdict;
use sdc::cms;
use sdc::document::{Document, DocumentLimits};
use sdc::keys::{CentreKeys, RegisteredCertificate};
use sdc::payload::PayloadLimits;

use crate::stock::{Stock, container_of};

/// Reads every body as one document, and opens the answers to those agencies whose keys the stock has kept. `answers` has the position of
/// each letter with the body of the reply to it. Returns the number of documents read and the number of answers opened.
///
/// # Errors
/// A body is no document; a receipt cannot be opened by its agency, does not accept its letter, or is for another letter.
pub(super) fn check(stock: &Stock, answers: &[(usize, Vec<u8>)]) -> Result<(u64, u64)> {
    let (agencies, signers, keys) = (stock.first_agencies()?, stock.signers()?, stock.keys()?);
    let mut letters = BTreeMap::new();
    stock.for_each_mail(agencies.len(), |at, mail| {
        letters.insert(at, container_of(mail)?);
        Ok(())
    })?;
    let mut opened = 0;
    for (at, body) in answers {
        let document = Document::parse(body, &DocumentLimits::default())
            .with_context(|| format!("the reply to letter {at} is no document: {}", String::from_utf8_lossy(body)))?;
        if let Some((agency, letter)) = agencies.get(*at).zip(letters.get(at)) {
            open(&document, agency, &signers, digest_of(letter, agency, &keys)?)
                .with_context(|| format!("the receipt of letter {at}"))?;
            opened += 1;
        }
    }
    Ok((answers.len() as u64, opened))
}

/// Returns the digest of a letter's signed octets, by which its receipt names the letter.
fn digest_of(letter: &[u8], agency: &Identity, keys: &CentreKeys) -> Result<String> {
    let document = Document::parse(letter, &DocumentLimits::default())?;
    Ok(cms::open(&document, keys)?.verify(agency.certificate())?.digest().to_string())
}

fn open(document: &Document, agency: &Identity, signers: &[RegisteredCertificate], digest: String) -> Result<()> {
    let opened = cms::open(document, agency.opening())?;
    let signer = signers.iter().find(|signer| signer.signer_ids().contains(opened.signer()));
    let verified = opened.verify(signer.context("the centre did not sign it")?)?;
    let CentreLetter::Answer(answer) = verified.centre_letter(&PayloadLimits::default())? else {
        anyhow::bail!("it is no answer");
    };
    ensure!(answer.receipt.verdict == Verdict::Accepted, "the letter was not accepted: {:?}", answer.receipt);
    ensure!(answer.receipt.digest == digest, "it is for another letter: {}", answer.receipt.digest);
    Ok(())
}
