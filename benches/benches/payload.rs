//! Benchmarks of reading and writing the payload of a letter, for several numbers of rows. The items that Divan counts are rows.

#![expect(clippy::expect_used, reason = "a benchmark whose sample fails ends at once")]

use benches::sample::births;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use sdc::payload::{PayloadLimits, read_letter, write_letter};

const ROWS: [usize; 3] = [1, 100, 1000];

fn main() {
    divan::main();
}

#[divan::bench(args = ROWS, max_time = 2)]
fn decode(bencher: Bencher<'_, '_>, rows: usize) {
    let limits = PayloadLimits::default();
    let letter = births(42, 1, rows);
    let json_bytes = serde_json::to_vec(&letter).expect("a letter has a JSON form").len();
    let octets = write_letter(&letter, &limits).expect("a letter");
    bencher
        .counter(ItemsCount::new(rows))
        .counter(BytesCount::new(json_bytes))
        .bench_local(|| read_letter(&octets, &limits).expect("a letter"));
}

#[divan::bench(args = ROWS, max_time = 2)]
fn encode(bencher: Bencher<'_, '_>, rows: usize) {
    let limits = PayloadLimits::default();
    let letter = births(42, 1, rows);
    bencher.counter(ItemsCount::new(rows)).bench_local(|| write_letter(&letter, &limits).expect("a letter"));
}
