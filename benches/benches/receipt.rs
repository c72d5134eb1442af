//! Benchmark of one receipt: the centre writes it, signs it with its P-256 key and encrypts it for the office. The items that Divan counts
//! are receipts.

#![expect(clippy::expect_used, reason = "a benchmark whose sample fails ends at once")]

use benches::sample::{KeyKind, answer, births};
use divan::Bencher;
use divan::counter::ItemsCount;
use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::payload::{PayloadForm, write_answer};

fn main() {
    divan::main();
}

#[divan::bench(args = [KeyKind::P256, KeyKind::Rsa2048], max_time = 2)]
fn seal(bencher: Bencher<'_, '_>, recipient: KeyKind) {
    let (centre, office) = (KeyKind::P256.identity(), recipient.identity());
    let answer = answer(&births(42, 1, 1));
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let octets = write_answer(&answer, PayloadForm::Frame { dictionary: 1 });
        let der = cms::seal(&octets, centre.key(), office.certificate(), ContentCipher::Aes256Gcm);
        Document::render(&der.expect("an answer can be sealed"), None)
    });
}
