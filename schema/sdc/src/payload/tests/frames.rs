//! Frames made by hand, octet by octet (RFC 8878, 3.1.1): which frames are unpacked, and why the others are refused.

use zstd::zstd_safe::CParameter;

use super::*;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const RAW: usize = 0;
const REPEATED: usize = 1;
const BLOCK_BYTES_MAX: usize = 128 << 10;
/// A window of 8 MiB: 2 to the power of 10 + 13.
const WINDOW_8_MIB: u8 = 13 << 3;

fn frame(header: &[u8], blocks: &[Vec<u8>]) -> Vec<u8> {
    [MAGIC.as_slice(), header, &blocks.concat()].concat()
}

fn block(kind: usize, length: usize, is_last: bool, content: &[u8]) -> Vec<u8> {
    let header = usize::from(is_last) | kind << 1 | length << 3;
    [&u32::try_from(header).unwrap().to_le_bytes()[..3], content].concat()
}

fn raw(content: &[u8]) -> Vec<u8> {
    block(RAW, content.len(), true, content)
}

/// Makes blocks that unpack to `count` spaces. Each block takes four octets for up to 128 KiB.
fn spaces(count: usize) -> Vec<Vec<u8>> {
    let lengths = (0..count).step_by(BLOCK_BYTES_MAX).map(|at| (count - at).min(BLOCK_BYTES_MAX));
    let blocks = lengths.map(|length| block(REPEATED, length, false, b" "));
    blocks.chain([raw(b"")]).collect()
}

/// Makes blocks that unpack to `count` spaces, of which 40 000 are not compressed.
fn ballast(count: usize) -> Vec<Vec<u8>> {
    let ballast = block(RAW, 40_000, false, &[b' '; 40_000]);
    [vec![ballast], spaces(count - 40_000)].concat()
}

fn single_segment(length: u64) -> Vec<u8> {
    [[0xe0].as_slice(), &length.to_le_bytes()].concat()
}

fn encoded(json: &[u8], parameters: &[CParameter], dictionary: &[u8]) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(3, dictionary).unwrap();
    parameters.iter().for_each(|parameter| compressor.set_parameter(*parameter).unwrap());
    compressor.compress(json).unwrap()
}

fn letter_frame() -> Vec<u8> {
    encoded(LETTER.as_bytes(), &[], dictionary::NEWEST.octets)
}

#[test]
fn every_plain_form_of_a_frame_is_read() {
    let (json, length) = (LETTER.as_bytes(), LETTER.len());
    let two = u16::try_from(length - 256).unwrap().to_le_bytes();
    let four = u32::try_from(length).unwrap().to_le_bytes();
    let frames = [
        ("size in two octets", frame(&[&[0x60], two.as_slice()].concat(), &[raw(json)])),
        ("size in four octets", frame(&[&[0xa0], four.as_slice()].concat(), &[raw(json)])),
        ("size in eight octets", frame(&single_segment(length.try_into().unwrap()), &[raw(json)])),
        ("no size, the largest window", frame(&[0, WINDOW_8_MIB], &[raw(json)])),
        ("dictionary named, not used", frame(&[&[0x61, 1], two.as_slice()].concat(), &[raw(json)])),
        ("dictionary in two octets", frame(&[&[0x62, 1, 0], two.as_slice()].concat(), &[raw(json)])),
        ("dictionary in four octets", frame(&[&[0x63, 1, 0, 0, 0], two.as_slice()].concat(), &[raw(json)])),
        ("two blocks", frame(&[0, 0], &[block(RAW, 10, false, &json[..10]), raw(&json[10..])])),
        ("ours", pack(json)),
        ("dictionary 1", letter_frame()),
        ("no dictionary", encoded(json, &[], b"")),
        ("no size", encoded(json, &[CParameter::ContentSizeFlag(false)], dictionary::NEWEST.octets)),
        ("a checksum", encoded(json, &[CParameter::ChecksumFlag(true)], dictionary::NEWEST.octets)),
    ];
    for (what, frame) in frames {
        let read = unpack(&frame, &LIMITS).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
        assert!(read == json, "{what}");
    }
    assert_eq!(letter_frame()[5], 1, "the dictionary's number takes one octet");
}

#[test]
fn a_frame_may_be_as_large_as_the_limits_and_no_larger() {
    let (free, size) = (64 << 10, 4 << 20);
    let declared = |length: usize, blocks: &[Vec<u8>]| frame(&single_segment(length.try_into().unwrap()), blocks);
    let undeclared = |blocks: &[Vec<u8>]| frame(&[0, WINDOW_8_MIB], blocks);
    // A frame of 40 000 octets may unpack to 200 times as many, which is more than 4 MiB. So for these frames the limit of 4 MiB decides,
    // not the ratio.
    for (what, frame) in [
        ("free, declared", declared(free, &spaces(free))),
        ("free, undeclared", undeclared(&spaces(free))),
        ("all, declared", declared(size, &ballast(size))),
        ("all, undeclared", undeclared(&ballast(size))),
    ] {
        let json = unpack(&frame, &LIMITS).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
        assert!(json.iter().all(|octet| *octet == b' '), "{what}");
    }
    let window = |header: &[u8]| frame(header, &[raw(b"{}")]);
    let cases = [
        (declared(free + 1, &spaces(free + 1)), "ratio", "200"),
        (undeclared(&spaces(free + 1)), "ratio", "200"),
        (undeclared(&spaces(1 << 28)), "ratio", "200"),
        (undeclared(&spaces(1 << 30)), "size", "4194304"),
        (declared(size + 1, &ballast(size + 1)), "size", "4194304"),
        (undeclared(&ballast(size + 1)), "size", "4194304"),
        (declared(8 << 20, &[raw(b"{}")]), "ratio", "200"),
        (declared((8 << 20) + 1, &[raw(b"{}")]), "window", "8388608"),
        (frame(&single_segment(u64::MAX), &[raw(b"{}")]), "window", "8388608"),
        (window(&[0, WINDOW_8_MIB | 1]), "window", "8388608"),
        (window(&[0, 0xff]), "window", "8388608"),
        (window(&[&[0xc0, 0][..], &u64::MAX.to_le_bytes()].concat()), "ratio", "200"),
    ];
    for (number, (frame, limit, expected)) in cases.iter().enumerate() {
        let refusal = refused(frame);
        assert_eq!(refusal.code, RefusalCode::CompressionMalformed, "{number}: {refusal}");
        assert_eq!((parameter(&refusal, "limit"), parameter(&refusal, "expected")), (*limit, *expected), "{number}");
    }
}

#[test]
fn the_ratio_counts_the_whole_frame() {
    // The header has six octets, the raw blocks have 403 and 3, and the repeated block has 4. The sum is 416, which may unpack to 83 200
    // octets.
    let of_416_octets = |length: usize| {
        let blocks = [block(RAW, 400, false, &[b' '; 400]), block(REPEATED, length - 400, false, b" "), raw(b"")];
        frame(&[0, WINDOW_8_MIB], &blocks)
    };
    assert_eq!(of_416_octets(83_200).len(), 416);
    assert_eq!(unpack(&of_416_octets(83_200), &LIMITS).unwrap().len(), 83_200);
    assert_eq!(parameter(&refused(&of_416_octets(83_201)), "limit"), "ratio");
}

#[test]
fn dictionaries_are_found_by_their_number_or_not_at_all() {
    let length = u16::try_from(LETTER.len() - 256).unwrap().to_le_bytes();
    for (descriptor, id) in [
        (0x61, [2].as_slice()),
        (0x61, &[255]),
        (0x62, &[1, 1]),
        (0x63, &[1, 0, 0, 1]),
        (0x63, &[0xff, 0xff, 0xff, 0xff]),
    ] {
        let header = [[descriptor].as_slice(), id, &length].concat();
        let refusal = refused(&frame(&header, &[raw(LETTER.as_bytes())]));
        let number = id.iter().rev().fold(0_u32, |number, octet| number << 8 | u32::from(*octet));
        assert_eq!(refusal.code, RefusalCode::CompressionMalformed);
        assert_eq!(parameter(&refusal, "dictionary"), number.to_string());
    }
    // A text was compressed with a dictionary, but the frame does not have the dictionary's number. The reader uses no dictionary then, so
    // the frame cannot be unpacked, and is refused.
    let unnamed = encoded(LETTER.as_bytes(), &[CParameter::DictIdFlag(false)], dictionary::NEWEST.octets);
    assert_eq!(parameter(&refused(&unnamed), "limit"), "frame");
}

#[test]
fn a_payload_is_exactly_one_frame() {
    let whole = letter_frame();
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
    let one = "exactly one frame and nothing after it";
    for after in [whole.as_slice(), &skippable, b"\0", b"\n", &MAGIC, LETTER.as_bytes()] {
        let refusal = refused(&[&whole, after].concat());
        assert_eq!(refusal.code, RefusalCode::CompressionMalformed);
        assert_eq!((parameter(&refusal, "limit"), parameter(&refusal, "expected")), ("frame", one));
    }
    for end in MAGIC.len()..whole.len() {
        let refusal = refused(&whole[..end]);
        assert_eq!(refusal.code, RefusalCode::CompressionMalformed, "cut at {end}");
        assert_eq!(parameter(&refusal, "limit"), "frame", "cut at {end}");
        let is_of_header = parameter(&refusal, "expected") == "a whole frame header";
        assert_eq!(is_of_header, end < 8, "cut at {end}: {refusal}");
    }
    let old = [&[0x27], &whole[1..]].concat();
    for (what, no_frame) in [
        ("skippable", skippable.to_vec()),
        ("skippable, then a letter", [skippable.as_slice(), &whole].concat()),
        ("a format before 0.8", old),
        ("a magic cut short", MAGIC[..3].to_vec()),
        ("nothing", Vec::new()),
        ("gzip", vec![0x1f, 0x8b, 8, 0]),
    ] {
        assert_eq!(refused(&no_frame).code, RefusalCode::PayloadMalformed, "{what}");
    }
}

#[test]
fn a_frame_that_lies_is_refused() {
    let json = LETTER.as_bytes();
    let declared = |difference: i64| single_segment(u64::try_from(json.len()).unwrap().wrapping_add_signed(difference));
    let mut checksum = encoded(json, &[CParameter::ChecksumFlag(true)], b"");
    *checksum.last_mut().unwrap() ^= 1;
    for (what, frame) in [
        ("one octet more than declared", frame(&declared(-1), &[raw(json)])),
        ("one octet less than declared", frame(&declared(1), &[raw(json)])),
        ("nothing, declared as something", frame(&declared(0), &[raw(b"")])),
        ("a reserved bit", frame(&[0x08, 0], &[raw(json)])),
        ("a reserved kind of block", frame(&[0, 0], &[block(3, json.len(), true, json)])),
        ("compressed garbage", frame(&[0, 0], &[block(2, json.len(), true, json)])),
        ("no last block", frame(&[0, 0], &[block(RAW, json.len(), false, json)])),
        ("another checksum", checksum),
    ] {
        let refusal = refused(&frame);
        assert_eq!(refusal.code, RefusalCode::CompressionMalformed, "{what}");
        assert_eq!(parameter(&refusal, "limit"), "frame", "{what}");
    }
}

#[test]
fn json_travels_as_it_is_up_to_the_same_size() {
    assert_eq!(pack(b"{}"), b"{}", "which no frame makes smaller");
    let padded = |length: usize| format!("{LETTER}{}", " ".repeat(length - LETTER.len()));
    assert!(read_letter(padded(4 << 20).as_bytes(), &LIMITS).is_ok());
    let refusal = refused(padded((4 << 20) + 1).as_bytes());
    assert_eq!(refusal.code, RefusalCode::PayloadMalformed);
    assert_eq!((parameter(&refusal, "limit"), parameter(&refusal, "found")), ("size", "4194305"));
}

#[test]
fn what_would_be_refused_is_not_written() {
    let mut letter = read_letter(LETTER.as_bytes(), &LIMITS).unwrap();
    let Request::Export(records) = &mut letter.request else { panic!("not an export") };
    // One value that is repeated 20 000 times compresses beyond the admitted ratio, so the letter is written as JSON.
    records.tables[0].columns.truncate(1);
    records.tables[0].values = vec![vec!["the same again".into(); 20_000]];
    let octets = write_letter(&letter, &LIMITS).unwrap();
    assert!(octets.starts_with(b"{"));
    assert!(read_letter(&octets, &LIMITS).unwrap() == letter);
    let Request::Export(records) = &mut letter.request else { panic!("not an export") };
    records.tables[0].values = vec![vec![SECRET.repeat(10).into(); 50_000]];
    let refusal = write_letter(&letter, &LIMITS).unwrap_err();
    assert_eq!((refusal.code, parameter(&refusal, "limit")), (RefusalCode::PayloadMalformed, "size"));
    let Request::Export(records) = &mut letter.request else { panic!("not an export") };
    records.tables[0].values = vec![vec!["E\u{301}pe".into()]];
    assert_eq!(write_letter(&letter, &LIMITS).unwrap_err().code, RefusalCode::PayloadMalformed);
}
