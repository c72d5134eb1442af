//! How long the container of a part is: a pure function of its payload's length and of the kind of key that it is sealed for. Prices and
//! limits of answers are reckoned with it, before anything is sealed and whatever the sealing comes to.

use crate::document::rendered_bytes;

/// What signing and enveloping add to a payload, in octets of DER: at most, for certificates with a subject key identifier.
const FOR_P256: usize = 640;
const FOR_P384: usize = 672;
/// Beside the encrypted key itself, which is as long as the modulus.
const FOR_RSA: usize = 512;
/// Of a key of a kind that is not known: as for the longest.
const RSA_OCTETS_MAX: usize = 512;

/// Returns the bytes of a container for a payload of so many octets; `algorithm` is the kind of its recipient's key, such as `P-256` or
/// `RSA-2048`.
pub fn sealed_bytes(payload_octets: usize, algorithm: &str) -> usize {
    let rsa_octets = || algorithm.strip_prefix("RSA-").and_then(|bits| bits.parse::<usize>().ok()).map(|bits| bits / 8);
    let added = match algorithm {
        "P-256" => FOR_P256,
        "P-384" => FOR_P384,
        _ => FOR_RSA + rsa_octets().unwrap_or(RSA_OCTETS_MAX),
    };
    rendered_bytes(payload_octets.saturating_add(added))
}

/// Returns how many units of 1 024 bytes a container begins.
pub fn started_kb(bytes: usize) -> usize {
    bytes.div_ceil(1024)
}
