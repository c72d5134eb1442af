//! Reads exactly one zstd frame (RFC 8878). What a frame declares is checked before a single block is decoded.
//!
//! This crate neither writes nor requires a content checksum, because the signature covers every octet. If another tool wrote a checksum,
//! it must be right. The size of the output is bounded before it is allocated. The frame is decoded into it in one piece, so zstd allocates
//! no buffer for the window, whose size the sender chooses.

use std::borrow::Cow;
use std::cell::RefCell;

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{self, CCtx, CDict, CParameter, DCtx, SafeResult};

use super::dictionary::{self, Published};
use super::{PayloadForm, PayloadLimits};
use crate::expected::Expected;
use crate::refusal::{Refusal, RefusalCode};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Smallest size of the JSON, in octets, for which the settings for many records are used.
const LARGE_BYTES: usize = 32 << 10;
/// Number of parts at the beginning of an answer that are compressed as tightly as letters; see [`pack_part`].
const TIGHT_PARTS: u16 = 2;
/// Shortest match, in octets, that the compressor looks for in many records.
const LARGE_MATCH_BYTES_MIN: u32 = 5;

thread_local! {
    static COMPRESSOR: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

/// Returns the JSON of a letter, or one zstd frame of it where that is smaller.
pub fn pack(json: &[u8]) -> Vec<u8> {
    match frame_of(json, Some(dictionary::NEWEST), dictionary::LARGE_LEVEL, |newest| &newest.for_letters) {
        Ok(frame) if frame.len() < json.len() => frame,
        _ => json.to_vec(),
    }
}

/// Packs the JSON of a letter from the centre in a form: as plain JSON, or as a frame. A frame is made with the newest dictionary
/// that is not newer than the one with which the office packed its own letter, because the office may not have a newer one.
pub fn pack_as(json: Vec<u8>, form: PayloadForm) -> Vec<u8> {
    pack_at(json, form, dictionary::LARGE_LEVEL)
}

/// Packs one part of an answer in a form, as [`pack_as`] does. `part` counts from 1. The first parts are compressed as much as letters,
/// because a short answer may go over a slow link. Parts after `TIGHT_PARTS` belong to a long answer, and use a faster level, so that a
/// whole table takes only seconds.
pub fn pack_part(json: Vec<u8>, form: PayloadForm, part: u16) -> Vec<u8> {
    let level = if part <= TIGHT_PARTS { dictionary::LARGE_LEVEL } else { dictionary::MANY_LEVEL };
    pack_at(json, form, level)
}

fn pack_at(json: Vec<u8>, form: PayloadForm, large_level: i32) -> Vec<u8> {
    match form {
        PayloadForm::Json => json,
        PayloadForm::Frame { dictionary } => {
            let prepared = |published: &'static Published| -> &'static CDict<'static> { &published.for_answers };
            let frame = frame_of(&json, dictionary::newest_up_to(dictionary), large_level, prepared);
            match frame {
                // A reader at the office refuses a frame that unpacks to far more than its own size. The same value in thousands of rows
                // compresses so well that it is beyond that ratio, and is sent as JSON.
                Ok(frame) if json.len() <= admitted_bytes(frame.len(), &PayloadLimits::default()) => frame,
                // The buffer has room for every frame, so an error means that the library is out of memory. The answer is then sent as
                // plain JSON, which every office reads.
                Ok(_) | Err(_) => json,
            }
        }
    }
}

/// Returns how a payload is packed, from its first octets. A frame whose header cannot be read counts as a frame without a dictionary.
pub fn form(octets: &[u8]) -> PayloadForm {
    if !octets.starts_with(&MAGIC) {
        return PayloadForm::Json;
    }
    PayloadForm::Frame { dictionary: Header::read(octets).map_or(0, |header| header.dictionary_id) }
}

fn frame_of(
    json: &[u8],
    dictionary: Option<&'static Published>,
    large_level: i32,
    prepared: impl Fn(&'static Published) -> &'static CDict<'static>,
) -> Result<Vec<u8>, zstd_safe::ErrorCode> {
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(json.len()));
    if json.len() >= LARGE_BYTES {
        compress_large(&mut frame, json, dictionary, large_level)?;
        return Ok(frame);
    }
    COMPRESSOR.with_borrow_mut(|context| match dictionary {
        Some(dictionary) => context.compress_using_cdict(&mut frame, json, prepared(dictionary)),
        None => context.compress(&mut frame, json, dictionary::ANSWER_LEVEL),
    })?;
    Ok(frame)
}

// The compressor replaces octets that have occurred before (a match) by a reference to them. In one record even short matches save octets.
// In a thousand records most short matches are chance repeats in names and UUIDs, and their references take more room than they save. So
// only matches of some length are used.
fn compress_large(frame: &mut Vec<u8>, json: &[u8], dictionary: Option<&Published>, level: i32) -> SafeResult {
    let mut context = CCtx::create();
    context.set_parameter(CParameter::CompressionLevel(level))?;
    context.set_parameter(CParameter::MinMatch(LARGE_MATCH_BYTES_MIN))?;
    if let Some(dictionary) = dictionary {
        context.load_dictionary(dictionary.octets)?;
    }
    context.compress2(frame, json)
}

/// Returns the octets of a payload's JSON. Whether they are valid JSON is not checked.
///
/// # Errors
///
/// `compression_malformed` with the parameter `limit`, `dictionary` or `frame`; `payload_malformed` where the payload is not compressed
/// and has more octets than JSON may have.
pub fn unpack<'a>(octets: &'a [u8], limits: &PayloadLimits) -> Result<Cow<'a, [u8]>, Refusal> {
    if !octets.starts_with(&MAGIC) {
        // Skippable frames and formats before zstd 0.8 begin with other octets, so they count as JSON here and are refused as malformed.
        if octets.len() > limits.decompressed_bytes_max {
            let refusal = Refusal::new(RefusalCode::PayloadMalformed).with("limit", "size");
            return Err(refusal.with("expected", limits.decompressed_bytes_max).with("found", octets.len()));
        }
        return Ok(Cow::Borrowed(octets));
    }
    let header = Header::read(octets).ok_or_else(|| frame(Expected::WholeFrameHeader))?;
    if header.window_bytes > limits.window_bytes_max {
        let refusal = Refusal::new(RefusalCode::CompressionMalformed).with("limit", "window");
        return Err(refusal.with("expected", limits.window_bytes_max).with("found", header.window_bytes));
    }
    let bytes_max = admitted_bytes(octets.len(), limits);
    let capacity = match header.content_bytes {
        Some(declared) => usize::try_from(declared).unwrap_or(usize::MAX),
        None => bytes_max,
    };
    if capacity > bytes_max {
        return Err(too_large(bytes_max, limits));
    }
    // The decoder itself would go on with a second frame after the first. So this call, which only reads the headers of the blocks, checks
    // that the first frame is all there is.
    if zstd_safe::find_frame_compressed_size(octets) != Ok(octets.len()) {
        return Err(frame(Expected::OneFrame));
    }
    let mut json = Vec::with_capacity(capacity);
    let decoded = DECOMPRESSOR.with_borrow_mut(|context| match header.dictionary_id {
        0 => Ok(context.decompress(&mut json, octets)),
        id => match dictionary::find(id) {
            Some(dictionary) => Ok(context.decompress_using_ddict(&mut json, octets, dictionary)),
            None => Err(Refusal::new(RefusalCode::CompressionMalformed).with("dictionary", id)),
        },
    })?;
    match decoded {
        Ok(_) => Ok(Cow::Owned(json)),
        Err(error) if is_full(error) && header.content_bytes.is_none() => Err(too_large(bytes_max, limits)),
        Err(_) => Err(frame(Expected::SoundBlocks)),
    }
}

/// Returns the maximum number of octets of JSON that [`unpack`] can return.
pub fn unpacked_bytes(octets: &[u8], limits: &PayloadLimits) -> usize {
    if !octets.starts_with(&MAGIC) {
        return octets.len();
    }
    let bytes_max = admitted_bytes(octets.len(), limits);
    let declared = Header::read(octets).and_then(|header| usize::try_from(header.content_bytes?).ok());
    declared.unwrap_or(bytes_max).min(bytes_max)
}

/// Fields of a frame's header (RFC 8878, 3.1.1.1).
struct Header {
    dictionary_id: u32,
    window_bytes: u64,
    content_bytes: Option<u64>,
}

impl Header {
    fn read(octets: &[u8]) -> Option<Header> {
        let mut rest = octets.get(MAGIC.len()..)?;
        let descriptor = little_endian(&mut rest, 1)?;
        let is_single_segment = descriptor & 0x20 != 0;
        let window = if is_single_segment { None } else { Some(little_endian(&mut rest, 1)?) };
        let dictionary_id = little_endian(&mut rest, [0, 1, 2, 4][usize::try_from(descriptor & 3).ok()?])?;
        let content_bytes = match (descriptor >> 6, is_single_segment) {
            (0, false) => None,
            (0, true) => Some(little_endian(&mut rest, 1)?),
            (1, _) => Some(little_endian(&mut rest, 2)? + 256),
            (2, _) => Some(little_endian(&mut rest, 4)?),
            _ => Some(little_endian(&mut rest, 8)?),
        };
        let window_bytes = match window {
            Some(window) => {
                let base = 1_u64 << (10 + (window >> 3));
                base + base / 8 * (window & 7)
            }
            None => content_bytes?,
        };
        Some(Header { dictionary_id: u32::try_from(dictionary_id).ok()?, window_bytes, content_bytes })
    }
}

fn little_endian(rest: &mut &[u8], length: usize) -> Option<u64> {
    let (field, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(field.iter().rev().fold(0, |value, octet| value << 8 | u64::from(*octet)))
}

/// Returns the maximum number of octets that a frame of this length may unpack to.
fn admitted_bytes(frame_length: usize, limits: &PayloadLimits) -> usize {
    let by_ratio = frame_length.saturating_mul(limits.ratio_max).max(limits.decompressed_bytes_free);
    by_ratio.min(limits.decompressed_bytes_max)
}

fn too_large(admitted: usize, limits: &PayloadLimits) -> Refusal {
    let refusal = Refusal::new(RefusalCode::CompressionMalformed);
    if admitted < limits.decompressed_bytes_max {
        refusal.with("limit", "ratio").with("expected", limits.ratio_max)
    } else {
        refusal.with("limit", "size").with("expected", limits.decompressed_bytes_max)
    }
}

fn is_full(error: zstd_safe::ErrorCode) -> bool {
    zstd_safe::is_error_kind(error, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall)
}

fn frame(expected: Expected) -> Refusal {
    Refusal::new(RefusalCode::CompressionMalformed).with("limit", "frame").with("expected", expected)
}
