//! The size of a part's container, computed from the payload's length and the kind of the recipient's key. Prices and limits of answers use
//! this computed size. So they are known before the part is sealed, and do not vary with the length of a signature.

use crate::document::rendered_bytes;

/// Maximum number of octets of DER that the signature and the envelope add to a payload, for a P-256 certificate with a subject key
/// identifier. `FOR_P384` and `FOR_RSA` are the same for those keys.
const FOR_P256: usize = 640;
const FOR_P384: usize = 672;
/// Octets of DER that are added for an RSA key. The encrypted key of the content comes on top: it is as long as the key's modulus.
const FOR_RSA: usize = 512;
/// Octets of the longest admitted RSA modulus (4096 bits), used where the kind of the key is not known.
const RSA_OCTETS_MAX: usize = 512;

/// Returns the size of the container, in bytes, for a payload of `payload_octets` octets. `algorithm` is the kind of the recipient's key,
/// such as `P-256` or `RSA-2048`.
pub fn sealed_bytes(payload_octets: usize, algorithm: &str) -> usize {
    let rsa_octets = || algorithm.strip_prefix("RSA-").and_then(|bits| bits.parse::<usize>().ok()).map(|bits| bits / 8);
    let added = match algorithm {
        "P-256" => FOR_P256,
        "P-384" => FOR_P384,
        _ => FOR_RSA + rsa_octets().unwrap_or(RSA_OCTETS_MAX),
    };
    rendered_bytes(payload_octets.saturating_add(added))
}

/// Returns the number of units of 1 024 bytes that a container of `bytes` bytes begins: the tariff counts a begun unit as a whole one.
pub fn started_kb(bytes: usize) -> usize {
    bytes.div_ceil(1024)
}
