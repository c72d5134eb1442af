//! Benchmarks of the cryptography for one letter with one birth record, on one core. Each runs once for every kind of key that the agency
//! and the centre both use. The items that Divan counts are letters.

#![expect(clippy::expect_used, reason = "a benchmark whose sample fails ends at once")]

use agency::identity::Identity;
use benches::sample::{KeyKind, births};
use divan::Bencher;
use divan::counter::ItemsCount;
use sdc::cms::{self, ContentCipher};
use sdc::document::{Document, DocumentLimits};
use sdc::keys::{CentreKeys, RegisteredCertificate};
use sdc::payload::{PayloadLimits, write_letter};
use sdc::prescan::scan_enveloped;

const KINDS: [KeyKind; 3] = [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048];

fn main() {
    divan::main();
}

struct Post {
    office: Identity,
    centre: Identity,
    octets: Vec<u8>,
    text: Vec<u8>,
}

impl Post {
    fn new(kind: KeyKind) -> Post {
        let (office, centre) = (kind.identity(), kind.identity());
        let octets = write_letter(&births(42, 1, 1), &PayloadLimits::default()).expect("a letter");
        let text = seal(&octets, &office, &centre);
        Post { office, centre, octets, text }
    }

    fn keys(&self) -> CentreKeys {
        CentreKeys::new(vec![self.centre.key().clone()])
    }

    fn document(&self) -> Document {
        Document::parse(&self.text, &DocumentLimits::default()).expect("a document")
    }
}

fn seal(octets: &[u8], office: &Identity, centre: &Identity) -> Vec<u8> {
    let der = cms::seal(octets, office.key(), centre.certificate(), ContentCipher::Aes256Gcm);
    Document::render(&der.expect("a letter can be sealed"), None)
}

/// Measures all that the centre does with a letter before it reads the payload: it parses the document, scans the envelope, decrypts it and
/// verifies the signature.
#[divan::bench(args = KINDS, max_time = 2)]
fn open_and_verify(bencher: Bencher<'_, '_>, kind: KeyKind) {
    let post = Post::new(kind);
    let keys = post.keys();
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| {
        let opened = cms::open(&post.document(), &keys).expect("it opens");
        opened.verify(post.office.certificate()).expect("it is signed")
    });
}

/// Measures how long it takes to parse the document, scan the envelope and decrypt it. The verification of the signature is what
/// `open_and_verify` takes longer.
#[divan::bench(args = KINDS, max_time = 1)]
fn open(bencher: Bencher<'_, '_>, kind: KeyKind) {
    let post = Post::new(kind);
    let keys = post.keys();
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| cms::open(&post.document(), &keys).expect("it opens"));
}

/// Measures what a letter costs that is encrypted for another key than the centre's, as strangers may send it: the centre parses the
/// document, and after the scan of the envelope knows that it cannot be for it.
#[divan::bench(args = KINDS, max_time = 1)]
fn prescan(bencher: Bencher<'_, '_>, kind: KeyKind) {
    let post = Post::new(kind);
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| scan_enveloped(post.document().der()).expect("it is admitted").key_kind);
}

/// Measures signing and encrypting a letter, as an agency's office does before it sends the letter.
#[divan::bench(name = "seal", args = KINDS, max_time = 1)]
fn seal_letter(bencher: Bencher<'_, '_>, kind: KeyKind) {
    let post = Post::new(kind);
    bencher.counter(ItemsCount::new(1_u32)).bench_local(|| seal(&post.octets, &post.office, &post.centre));
}

/// Measures parsing a certificate. The centre caches parsed certificates, so each letter after an agency's first saves this time.
#[divan::bench(args = KINDS, max_time = 1)]
fn parse_certificate(bencher: Bencher<'_, '_>, kind: KeyKind) {
    let der = kind.identity().certificate().der().to_vec();
    bencher.bench_local(|| RegisteredCertificate::from_der(&der).expect("a certificate"));
}
