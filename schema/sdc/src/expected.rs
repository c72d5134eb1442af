//! What a reader expected in a document, an envelope or a payload: a closed list of codes, each with its English text.
//!
//! A refusal has the English text as its parameter `expected`, in letters and in the database. Older programs show this text as it is, so
//! a text never changes after its first release. Crate `words` finds the code by the English text, and translates it into the reader's
//! language.

use std::fmt;

/// Names of JSON members, which the text lists one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names(pub &'static [&'static str]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

macro_rules! expectations {
    ($($variant:ident $(($parameter:ident: $kind:ty))? = $code:literal, $english:literal;)*) => {
        /// What a reader expected where it found something else. `Display` writes the English text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Expected {
            $(#[doc = concat!("`", $english, "`")] $variant $(($kind))?,)*
        }

        impl Expected {
            /// Every code with its English text, which has the names of parameters in braces.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($code, $english),)*];
        }

        impl fmt::Display for Expected {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Expected::$variant $(($parameter))? => write!(f, $english $(, $parameter = $parameter)?),)*
                }
            }
        }
    };
}

expectations! {
    // Document
    DocumentBytes(bytes: usize) = "document-bytes", "at most {bytes} bytes";
    BytesBeforeBlock(bytes: usize) = "bytes-before-block", "at most {bytes} bytes before the block";
    BeginLine = "begin-line", "a line -----BEGIN CMS-----";
    EndLine(label: &'static str) = "end-line", "a line -----END {label}-----";
    NothingAfterBlock = "nothing-after-block", "nothing after the block";
    PaddedBase64 = "padded-base64", "base64 with its padding";

    // DER
    OneMoreElement = "one-more-element", "one more element";
    TagNumber = "tag-number", "tag numbers below 31";
    Length = "der-length", "a length";
    WholeLength = "whole-length", "a whole length";
    LengthWithinBytes = "length-within-bytes", "lengths within the bytes";
    DefiniteLength = "definite-length", "definite lengths: sign and encrypt without -stream";
    MinimalLength = "minimal-length", "minimal lengths";
    ShortLength = "short-length", "lengths of at most four octets";
    NothingAfterStructure = "nothing-after-structure", "nothing after the structure";
    Depth = "der-depth", "nesting of at most 16 levels";
    StringInOnePiece = "string-in-one-piece", "strings and numbers in one piece";
    OneEncoding = "one-encoding", "the one encoding that DER gives a value";

    // CMS
    ContentInfo = "content-info", "a ContentInfo";
    ContentType = "content-type", "a content type";
    Content = "content", "a content";
    OneContent = "one-content", "one content";
    NothingAfterContent = "nothing-after-content", "nothing after the content";
    NoParameters = "no-parameters", "no parameters";
    IssuerAndSerial = "issuer-and-serial", "an issuer and serial number";
    IssuerName = "issuer-name", "an issuer's name";
    Serial = "serial", "a serial number";
    NothingAfterSerial = "nothing-after-serial", "nothing after a serial number";
    BoundedIssuerOrSerial = "bounded-issuer-or-serial", "an issuer or serial number of bounded length";
    KeyId = "key-id", "a key identifier";
    BoundedKeyId = "bounded-key-id", "a key identifier of 1 to 64 bytes";

    // Envelope
    Envelope = "envelope", "an enveloped structure";
    EnvelopeType = "envelope-type", "AuthEnvelopedData or EnvelopedData";
    Version0 = "version-0", "version 0";
    Version0Or2 = "version-0-or-2", "version 0 or 2";
    VersionOfKnownRecipient = "version-of-known-recipient", "version 0 or 2: key transport or key agreement";
    Version3 = "version-3", "version 3";
    NoOriginatorInformation = "no-originator-information", "no originator information";
    Recipients = "recipients", "recipients";
    Recipient = "recipient", "a recipient";
    OneRecipient = "one-recipient", "one recipient";
    RecipientKind = "recipient-kind", "key transport or key agreement";
    RecipientVersion = "recipient-version", "the version that fits the recipient's identifier";
    RecipientKeyId = "recipient-key-id", "a recipient's key identifier";
    NoOtherAttribute = "no-other-attribute", "no date or other attribute";
    EncryptedContent = "encrypted-content", "encrypted content";
    DataEncrypted = "data-encrypted", "encrypted content of type data";
    ContentAlgorithm = "content-algorithm", "a content encryption algorithm";
    EncryptedInOnePiece = "encrypted-in-one-piece", "encrypted content in one piece";
    NothingAfterEncryptedContent = "nothing-after-encrypted-content", "nothing after the encrypted content";
    Aes256Gcm = "aes-256-gcm", "AES-256-GCM";
    GcmParameters = "gcm-parameters", "GCM parameters";
    OnlyGcmParameters = "only-gcm-parameters", "only GCM parameters";
    GcmNonce = "gcm-nonce", "a GCM nonce";
    GcmNonceBytes = "gcm-nonce-bytes", "a GCM nonce of 12 bytes";
    OnlyNonceAndIcvLength = "only-nonce-and-icv-length", "only nonce and ICVlen";
    IcvLength = "icv-length", "an ICVlen of 16";
    Tag = "tag", "an authentication tag";
    TagBytes = "tag-bytes", "an authentication tag of 16 bytes";
    NoAttributes = "no-attributes", "no attributes";
    Aes256Cbc = "aes-256-cbc", "AES-256-CBC";
    Vector = "vector", "an initialisation vector";
    VectorBytes = "vector-bytes", "an initialisation vector of 16 bytes";
    KeyAlgorithm = "key-algorithm", "a key encryption algorithm";
    KeyTransport = "key-transport", "RSA, or OAEP with SHA-256";
    EncryptedKey = "encrypted-key", "an encrypted key";
    NothingAfterEncryptedKey = "nothing-after-encrypted-key", "nothing after the encrypted key";
    FittingEncryptedKey = "fitting-encrypted-key", "an encrypted key that fits the recipient's";
    RsaBits = "rsa-bits", "RSA of 2048 to 4096 bits";
    OaepSha256 = "oaep-sha-256", "OAEP with explicit SHA-256";
    OnlyOaepParameters = "only-oaep-parameters", "only OAEP parameters";
    Hash = "hash", "a hash";
    Mask = "mask", "a mask generation function";
    MaskHash = "mask-hash", "a hash of the mask";
    Originator = "originator", "an originator";
    OneOriginator = "one-originator", "one originator";
    EphemeralKey = "ephemeral-key", "an originator's ephemeral key";
    OriginatorKey = "originator-key", "an originator's key";
    OriginatorAlgorithm = "originator-algorithm", "an originator's algorithm";
    EcKey = "ec-key", "an EC key";
    OneCurve = "one-curve", "one curve";
    OriginatorPoint = "originator-point", "an originator's point";
    NothingAfterPoint = "nothing-after-point", "nothing after the point";
    UncompressedPoint = "uncompressed-point", "an uncompressed point of P-256 or P-384";
    PointOfCurve = "point-of-curve", "P-256 or P-384, and a point of that curve";
    NoKeyingMaterial = "no-keying-material", "no user keying material";
    AgreementAlgorithm = "agreement-algorithm", "a key agreement algorithm";
    StandardAgreement = "standard-agreement", "standard DH with the X9.63 KDF";
    WrapAlgorithm = "wrap-algorithm", "a key wrap algorithm";
    OneWrapAlgorithm = "one-wrap-algorithm", "one key wrap algorithm";
    Aes256Wrap = "aes-256-wrap", "AES-256 key wrap without padding";
    EncryptedKeys = "encrypted-keys", "encrypted keys";
    NothingAfterEncryptedKeys = "nothing-after-encrypted-keys", "nothing after the encrypted keys";
    WrappedKey = "wrapped-key", "a wrapped key";
    WrappedKeyBytes = "wrapped-key-bytes", "a wrapped key of 40 bytes";
    NothingAfterWrappedKey = "nothing-after-wrapped-key", "nothing after the wrapped key";

    // Signature
    SignedData = "signed-data", "SignedData";
    Signed = "signed", "a signed structure";
    Version1Or3 = "version-1-or-3", "version 1 or 3";
    DigestAlgorithms = "digest-algorithms", "digest algorithms";
    DigestAlgorithm = "digest-algorithm", "a digest algorithm";
    OneDigestAlgorithm = "one-digest-algorithm", "one digest algorithm";
    Sha2 = "sha-2", "SHA-256, SHA-384 or SHA-512";
    SignedContent = "signed-content", "signed content";
    DataSigned = "data-signed", "signed content of type data";
    AttachedContent = "attached-content", "attached content";
    ContentInOnePiece = "content-in-one-piece", "content in one piece";
    NoRevocationLists = "no-revocation-lists", "no revocation lists";
    Signers = "signers", "signers";
    Signer = "signer", "a signer";
    OneSigner = "one-signer", "one signer";
    NothingAfterSigners = "nothing-after-signers", "nothing after the signers";
    SignerVersion = "signer-version", "the version that fits the signer's identifier";
    SignerDigest = "signer-digest", "the signer's digest algorithm as announced";
    SignedAttributes = "signed-attributes", "signed attributes";
    NoUnsignedAttributes = "no-unsigned-attributes", "no unsigned attributes";
    Attribute = "attribute", "an attribute";
    AttributeType = "attribute-type", "an attribute's type";
    AttributeValues = "attribute-values", "an attribute's values";
    NothingAfterAttributeValues = "nothing-after-attribute-values", "nothing after an attribute's values";
    AttributesOnce = "attributes-once", "each of a few attributes once";
    SignedDataType = "signed-data-type", "a signed content type of data";
    OneContentType = "one-content-type", "one content type";
    MessageDigest = "message-digest", "a message digest";
    OneMessageDigest = "one-message-digest", "one message digest";
    SignedTypeAndDigest = "signed-type-and-digest", "a signed content type and message digest";
    SignatureAlgorithm = "signature-algorithm", "a signature algorithm";
    SignatureKind = "signature-kind", "ECDSA or RSA PKCS #1 v1.5 with SHA-2";
    OneHash = "one-hash", "one hash for digest and signature";
    SignatureOfKey = "signature-of-key", "a signature algorithm of the signer's kind of key";
    Signature = "signature", "a signature";

    // Certificate
    Certificate = "certificate", "a certificate";
    CertificateContent = "certificate-content", "a certificate's content";
    Issuer = "issuer", "an issuer";
    Subject = "subject", "a subject";
    Validity = "validity", "a validity";
    TwoTimes = "two-times", "two times of validity";
    ValidityTime = "validity-time", "a time of validity, in UTC and to the second";
    PublicKey = "public-key", "a public key";
    PublicKeyAlgorithm = "public-key-algorithm", "a public key's algorithm";
    PublicKeyBits = "public-key-bits", "a public key's bits";
    WholePublicKey = "whole-public-key", "a public key of whole octets";
    NothingAfterPublicKey = "nothing-after-public-key", "nothing after a public key";
    RsaWithoutParameters = "rsa-without-parameters", "RSA without parameters";
    RsaKey = "rsa-key", "an RSA key";
    RsaNumber = "rsa-number", "an RSA key's number";
    PositiveRsaNumbers = "positive-rsa-numbers", "an RSA key of positive numbers";
    TwoRsaNumbers = "two-rsa-numbers", "an RSA key of two numbers";
    BoundedNames = "bounded-names", "an issuer of at most 1024 bytes, a serial number of 21, a key identifier of 1 to 64";
    OneKeyId = "one-key-id", "one key identifier";
    Extensions = "extensions", "extensions";
    Extension = "extension", "an extension";
    ExtensionName = "extension-name", "an extension's name";
    ExtensionValue = "extension-value", "an extension's value";
    BasicConstraints = "basic-constraints", "basic constraints";
    KeyUsage = "key-usage", "a key usage";

    // Compression
    WholeFrameHeader = "whole-frame-header", "a whole frame header";
    OneFrame = "one-frame", "exactly one frame and nothing after it";
    SoundBlocks = "sound-blocks", "blocks that decode to the declared size and checksum";

    // JSON
    Utf8 = "utf-8", "UTF-8";
    Json = "json", "JSON of RFC 8259";
    JsonInteger = "json-integer", "an integer of 64 bits; fractions travel as text";
    NoNul = "no-nul", "text without U+0000";
    Nfc = "nfc", "text in Unicode normalization form C";
    MemberOnce = "member-once", "each member once";
    LessNesting = "less-nesting", "less nesting";
    FewerValues = "fewer-values", "fewer values";
    FewerObjects = "fewer-objects", "fewer objects";
    NoMembersBut(members: Names) = "no-members-but", "no members but {members}";
    MemberOfName = "member-of-name", "a member of this name";
    ObjectOf(members: Names) = "object-of", "an object of {members}";
    ObjectOfSome(members: Names) = "object-of-some", "an object of {members}, or none of them";
    ArrayOf(most: usize) = "array-of", "an array of 1 to {most}";
    Name = "name", "a name of 1 to 63 octets";

    // Payload
    FormatVersion = "format-version", "a format version";
    LetterId = "letter-id", "a UUID of version 7, in lower case with hyphens";
    Sender = "sender", "an agency from 1 to 999999 and an installation";
    Installation = "installation", "1 to 32 of a-z, 0-9 and -, not beginning with -";
    Addressee = "addressee", "an agency, and an installation where known";
    Server = "server", "the name of a server, 1 to 63 octets";
    Sequence = "sequence", "an integer from 1 to 9007199254740992";
    Moment = "moment", "a time as in RFC 3339, such as 2026-11-23T14:05:00Z";
    Mode = "mode", "test or live";
    ServiceName = "service-name", "the name of a service";
    ServiceWithBody = "service-with-body", "a service whose answer has a body";
    Receipt = "receipt", "a receipt";
    Part = "part", "a number from 1 to parts";
    Parts = "parts", "a number of parts";
    Statement = "statement", "a statement";
    Selection = "selection", "a select, an application with a table, or again";
    SelectText = "select-text", "a text of 1 to 16384 octets";
    TrueOrFalse = "true-or-false", "true or false";
    Position = "position", "a position as an answer gave it, such as 1:734";
    PartNumbers = "part-numbers", "1 to 100 numbers of parts, each once and ascending";
    ColumnsAndValues = "columns-and-values", "columns and values together, or neither";
    Answered = "answered", "the letter and the digest that it answers";
    Last = "last", "true, or no such member";
    Rows = "rows", "rows of one table, values by column";
    Estimate = "estimate", "what a selection would give";
    Results = "results", "a result for each key";
    Notice = "notice", "a number and what is told, by its kind";
    Fingerprint = "fingerprint", "a SHA-256 in lower-case hexadecimal";
    ProfileName = "profile-name", "a name that is not blank";
    ProfileLine = "profile-line", "text on one line, of at most 200 characters";
    EmailAddress = "email-address", "an e-mail address in plain ASCII, local@domain";
    SomeMember = "some-member", "at least one member";
    Profile = "profile", "a profile";
    MessageText = "message-text", "text of at most 4000 characters, of lines without other controls";
    CertificateInBase64 = "certificate-in-base64", "the DER of a certificate, in base64 with its padding";
    EnrolmentCode = "enrolment-code", "a one-time code";
    IssuedCertificate = "issued-certificate", "a certificate issued by the centre";
    OwnKey = "own-key", "a key of its own, that neither is another's nor was revoked";
    OwnKeyName = "own-key-name", "a key identifier, issuer and serial number that no other key has";
    SelfSigned = "self-signed", "a certificate of an admitted key, signed by that key, valid now and no authority's";
    VoucherCode = "voucher-code", "the code of a voucher, 16 digits";
    Day = "day", "a day as YYYY-MM-DD, from the year 0001 on";
    DayNotBefore = "day-not-before", "a day that is not before from";
    TableOnce = "table-once", "each table once, whatever the case of its letters";
    RecordName = "record-name", "installation and numero, or key";
    CorrectionAction = "correction-action", "replace or cancel";
    PlainLine(characters: usize) = "plain-line", "text of 1 to {characters} characters on one line";
    ValuePerColumn = "value-per-column", "one value for each column";
    NoValues = "no-values", "no columns and values where a record is cancelled";
    ColumnOnce = "column-once", "each column once, whatever the case of its letters";
    ArrayPerColumn = "array-per-column", "an array per column";
    ArraysPerColumn(columns: usize) = "arrays-per-column", "{columns} arrays, one per column";
    ValuesAsFirst(values: usize) = "values-as-first", "{values} values as in [0]";
    CellValue = "cell-value", "text, an integer, true, false or null";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Crate `words` on another machine has only the English text, so no two codes may have the same text.
    #[test]
    fn each_code_has_an_english_of_its_own() {
        let codes: HashSet<&str> = Expected::ALL.iter().map(|(code, _)| *code).collect();
        let texts: HashSet<&str> = Expected::ALL.iter().map(|(_, english)| *english).collect();
        assert_eq!((codes.len(), texts.len()), (Expected::ALL.len(), Expected::ALL.len()));
    }

    #[test]
    fn parameters_stand_in_the_text() {
        for (expected, text) in [
            (Expected::DocumentBytes(4096), "at most 4096 bytes"),
            (Expected::EndLine("PKCS7"), "a line -----END PKCS7-----"),
            (Expected::NoMembersBut(Names(&["sdc", "id"])), "no members but sdc, id"),
            (Expected::ObjectOf(Names(&["table"])), "an object of table"),
            (Expected::ValuesAsFirst(3), "3 values as in [0]"),
            (Expected::Aes256Gcm, "AES-256-GCM"),
        ] {
            assert_eq!(expected.to_string(), text);
        }
    }
}
