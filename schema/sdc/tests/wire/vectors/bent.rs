//! Makes each golden vector with the stock `openssl` command, or by changing a good structure where the command cannot write the vector.

use sdc::cms;
use sdc::der;
use sdc::document::Document;
use sdc::keys::RegisteredCertificate;

use crate::tree::Node;
use crate::workshop::Workshop;

/// Path of each vector, and the value `expected` of its refusal.
pub const EXPECTED: &[(&str, &str)] = &[
    ("accepted/as_we_seal.sdc", ""),
    ("accepted/cbc.sdc", ""),
    ("accepted/embedded_certificate.sdc", ""),
    ("accepted/latin1_before.sdc", ""),
    ("accepted/oaep_sha256.sdc", ""),
    ("accepted/pkcs7_label.sdc", ""),
    ("accepted/rsa.sdc", ""),
    ("accepted/stock_defaults.sdc", ""),
    ("accepted/stock_defaults_rsa.sdc", ""),
    ("document_malformed/base64.sdc", "base64 with its padding"),
    ("document_malformed/no_block.sdc", "a line -----BEGIN CMS-----"),
    ("document_malformed/text_after.sdc", "nothing after the block"),
    ("document_malformed/two_blocks.sdc", "nothing after the block"),
    ("document_malformed/unfinished.sdc", "a line -----END CMS-----"),
    ("envelope_forbidden/agreement_cofactor.sdc", "standard DH with the X9.63 KDF"),
    ("envelope_forbidden/aes128.sdc", "AES-256-GCM"),
    ("envelope_forbidden/attributes.sdc", "no attributes"),
    ("envelope_forbidden/compressed.sdc", "AuthEnvelopedData or EnvelopedData"),
    ("envelope_forbidden/content_compressed.sdc", "encrypted content of type data"),
    ("envelope_forbidden/key_wrap_recipient.sdc", "key transport or key agreement"),
    ("envelope_forbidden/key_wrap_128.sdc", "AES-256 key wrap without padding"),
    ("envelope_forbidden/key_wrap_padded.sdc", "AES-256 key wrap without padding"),
    ("envelope_forbidden/keying_material.sdc", "no user keying material"),
    ("envelope_forbidden/nonce_16.sdc", "a GCM nonce of 12 bytes"),
    ("envelope_forbidden/oaep_sha1.sdc", "OAEP with explicit SHA-256"),
    ("envelope_forbidden/oaep_mask_sha1.sdc", "OAEP with explicit SHA-256"),
    ("envelope_forbidden/oaep_without_parameters.sdc", "OAEP with explicit SHA-256"),
    ("envelope_forbidden/originator_information.sdc", "no originator information"),
    ("envelope_forbidden/originator_static.sdc", "an originator's ephemeral key"),
    ("envelope_forbidden/password.sdc", "key transport or key agreement"),
    ("envelope_forbidden/password_cbc.sdc", "version 0 or 2: key transport or key agreement"),
    ("envelope_forbidden/point_compressed.sdc", "an uncompressed point of P-256 or P-384"),
    ("envelope_forbidden/point_of_other_curve.sdc", "P-256 or P-384, and a point of that curve"),
    ("envelope_forbidden/signed_outside.sdc", "AuthEnvelopedData or EnvelopedData"),
    ("envelope_forbidden/tag_12.sdc", "an authentication tag of 16 bytes"),
    ("envelope_forbidden/tag_length_12.sdc", "an ICVlen of 16"),
    ("envelope_forbidden/tag_length_absent.sdc", "an ICVlen of 16"),
    ("envelope_forbidden/triple_des.sdc", "AES-256-CBC"),
    ("envelope_forbidden/two_recipients.sdc", "one recipient"),
    ("envelope_malformed/agreement_for_rsa.sdc", FITTING),
    ("envelope_malformed/agreement_without_parameters.sdc", "a key wrap algorithm"),
    ("envelope_malformed/bytes_after.sdc", "nothing after the structure"),
    ("envelope_malformed/deep.sdc", "nesting of at most 16 levels"),
    ("envelope_malformed/empty.sdc", "one more element"),
    ("envelope_malformed/indefinite_length.sdc", "definite lengths: sign and encrypt without -stream"),
    ("envelope_malformed/length_beyond.sdc", "lengths within the bytes"),
    ("envelope_malformed/length_long.sdc", "minimal lengths"),
    ("envelope_malformed/no_recipient.sdc", "one recipient"),
    ("envelope_malformed/transport_for_ec.sdc", FITTING),
    ("envelope_malformed/truncated.sdc", "lengths within the bytes"),
    ("not_for_this_centre/other_key.sdc", ""),
    ("signature_forbidden/attributes_twice.sdc", "each of a few attributes once"),
    ("signature_forbidden/compressed.sdc", "SignedData"),
    ("signature_forbidden/detached.sdc", "attached content"),
    ("signature_forbidden/enveloped_again.sdc", "SignedData"),
    ("signature_forbidden/hashes_differ.sdc", "one hash for digest and signature"),
    ("signature_forbidden/md5.sdc", "SHA-256, SHA-384 or SHA-512"),
    ("signature_forbidden/no_signed_attributes.sdc", "signed attributes"),
    ("signature_forbidden/no_signer.sdc", "one signer"),
    ("signature_forbidden/pss.sdc", "ECDSA or RSA PKCS #1 v1.5 with SHA-2"),
    ("signature_forbidden/revocation_lists.sdc", "no revocation lists"),
    ("signature_forbidden/sha1.sdc", "SHA-256, SHA-384 or SHA-512"),
    ("signature_forbidden/two_signers.sdc", "one signer"),
    ("signature_forbidden/unsigned_attributes.sdc", "no unsigned attributes"),
    ("signature_forbidden/without_message_digest.sdc", "a signed content type and message digest"),
    ("signature_invalid/cbc_flipped.sdc", ""),
    ("signature_invalid/content_changed.sdc", ""),
    ("signature_invalid/content_and_digest_changed.sdc", ""),
    ("signature_invalid/flipped.sdc", ""),
    ("signature_invalid/signed_by_another_in_the_office_s_name.sdc", ""),
    ("signature_malformed/indefinite_length.sdc", "definite lengths: sign and encrypt without -stream"),
    ("signature_malformed/no_cms.sdc", "nothing after the structure"),
    ("undecryptable/agreement_flipped.sdc", ""),
    ("undecryptable/gcm_flipped.sdc", ""),
    ("undecryptable/rsa_key_flipped.sdc", ""),
    ("undecryptable/tag_flipped.sdc", ""),
    ("unknown_signer/signed_by_another.sdc", ""),
];

const FITTING: &str = "an encrypted key that fits the recipient's";

/// Paths of elements in a ContentInfo, in the order in which the stock `openssl` command writes them.
const BODY: &[usize] = &[1, 0];
const RECIPIENTS: &[usize] = &[1, 0, 1];
const RECIPIENT: &[usize] = &[1, 0, 1, 0];
const POINT: &[usize] = &[1, 0, 1, 0, 1, 0, 1];
const AGREEMENT: &[usize] = &[1, 0, 1, 0, 2];
const WRAP: &[usize] = &[1, 0, 1, 0, 2, 1, 0];
const WRAPPED: &[usize] = &[1, 0, 1, 0, 3, 0, 1];
const TRANSPORT: &[usize] = &[1, 0, 1, 0, 2];
const ENCRYPTED: &[usize] = &[1, 0, 2];
const GCM: &[usize] = &[1, 0, 2, 1, 1];
const TAG: &[usize] = &[1, 0, 3];
const CONTENT: &[usize] = &[1, 0, 2, 1, 0];
const SIGNERS: &[usize] = &[1, 0, 3];
const SIGNER: &[usize] = &[1, 0, 3, 0];
const ATTRIBUTES: &[usize] = &[1, 0, 3, 0, 3];

/// Object identifiers that the format does not allow, as content octets.
const COMPRESSED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x09];
const COFACTOR_DH_SHA256: &[u8] = &[0x2b, 0x81, 0x04, 0x01, 0x0e, 0x01];
const AES256_WRAP_PAD: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x30];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

const SIGN: &str = "cms -sign -binary -in payload -outform DER -out signed";
const OFFICE: &str = "-signer office.crt -inkey office.key";
const AS_WE_SIGN: &str = "-nodetach -nocerts -keyid -nosmimecap";
const ENCRYPT: &str = "cms -encrypt -binary -outform DER -out letter";
const CENTRE: &str = "-aes-256-gcm -keyid -recip centre.crt";
const CENTRE_RSA: &str = "-aes-256-gcm -keyid -recip centre_rsa.crt";
const OAEP: &str = "-keyopt rsa_padding_mode:oaep";
const OAEP_SHA256: &str = "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha256";
const KEY_WRAP: &str =
    "-aes-256-gcm -secretkey 000102030405060708090A0B0C0D0E0F000102030405060708090A0B0C0D0E0F -secretkeyid 0102";

struct Maker<'a> {
    workshop: &'a Workshop,
    centre: RegisteredCertificate,
    documents: Vec<(String, Vec<u8>)>,
}

/// Makes the keys and every document of [`EXPECTED`].
pub fn documents(workshop: &Workshop) -> Vec<(String, Vec<u8>)> {
    for (name, kind) in
        [("office", "P-256"), ("centre", "P-256"), ("centre_rsa", "RSA-2048"), ("thief", "P-256"), ("rsa", "RSA-2048")]
    {
        workshop.key(name, kind);
    }
    let centre = workshop.pair("centre").certificate().clone();
    let mut maker = Maker { workshop, centre, documents: Vec::new() };
    maker.accepted();
    maker.texts();
    maker.key_agreements();
    maker.key_transports();
    maker.other_envelopes();
    maker.contents();
    maker.encodings();
    maker.undecryptable();
    maker.signers();
    maker.signed_structures();
    maker.invalid();
    maker.documents
}

impl Maker<'_> {
    fn sign(&self, arguments: &str) -> Vec<u8> {
        self.workshop.openssl(&format!("{SIGN} {arguments}"));
        self.workshop.read("signed")
    }

    fn encrypt(&self, signed: &[u8], arguments: &str) -> Vec<u8> {
        self.workshop.write("signed", signed);
        self.workshop.openssl(&format!("{ENCRYPT} -in signed {arguments}"));
        self.workshop.read("letter")
    }

    fn good_signed(&self) -> Vec<u8> {
        self.sign(&format!("{AS_WE_SIGN} {OFFICE}"))
    }

    fn good(&self, arguments: &str) -> Vec<u8> {
        self.encrypt(&self.good_signed(), arguments)
    }

    fn add(&mut self, path: &str, der: &[u8]) {
        self.documents.push((path.to_owned(), Document::render(der, None)));
    }

    /// Adds a good envelope after `bend` has changed it.
    fn add_bent(&mut self, path: &str, arguments: &str, bend: impl FnOnce(&mut Node)) {
        let mut tree = Node::parse(&self.good(arguments));
        bend(&mut tree);
        self.add(path, &tree.der());
    }

    /// Adds a good envelope whose content is `signed`.
    fn add_inside(&mut self, path: &str, signed: &[u8]) {
        let der = cms::encrypt(signed, &self.centre, cms::ContentCipher::Aes256Gcm).unwrap();
        self.add(path, &der);
    }

    /// Adds a good envelope around a good signed structure that `bend` has changed.
    fn add_bent_inside(&mut self, path: &str, bend: impl FnOnce(&mut Node)) {
        let mut tree = Node::parse(&self.good_signed());
        bend(&mut tree);
        self.add_inside(path, &tree.der());
    }

    fn accepted(&mut self) {
        let signed = self.good_signed();
        for (name, arguments) in [
            ("as_we_seal", CENTRE),
            ("rsa", CENTRE_RSA),
            ("cbc", "-aes-256-cbc -recip centre.crt"),
            ("oaep_sha256", &format!("{CENTRE_RSA} {OAEP_SHA256}")),
        ] {
            let der = self.encrypt(&signed, arguments);
            self.add(&format!("accepted/{name}.sdc"), &der);
        }
        let embedded = self.sign(&format!("-nodetach {OFFICE} -certfile thief.crt"));
        for (name, arguments) in [
            ("embedded_certificate", CENTRE),
            ("stock_defaults", "-aes-256-gcm -recip centre.crt"),
            ("stock_defaults_rsa", "-aes-256-gcm -recip centre_rsa.crt"),
        ] {
            let der = self.encrypt(&embedded, arguments);
            self.add(&format!("accepted/{name}.sdc"), &der);
        }
    }

    fn texts(&mut self) {
        let good = String::from_utf8(Document::render(&self.good(CENTRE), None)).unwrap();
        let texts = [
            ("base64", good.replacen("MII", "M*I", 1)),
            ("no_block", "SDC 1 agency=000042\nthe attachment was removed\n".to_owned()),
            ("text_after", format!("{good}-- \nsent from my satellite\n")),
            ("two_blocks", format!("{good}{good}")),
            ("unfinished", good[..good.len() / 2].to_owned()),
        ];
        for (name, text) in texts {
            self.documents.push((format!("document_malformed/{name}.sdc"), text.into_bytes()));
        }
        let latin1 = [b"envoy\xe9 par l'agence\n", good.as_bytes()].concat();
        self.documents.push(("accepted/latin1_before.sdc".to_owned(), latin1));
        let labelled = good.replace(" CMS-----", " PKCS7-----").into_bytes();
        self.documents.push(("accepted/pkcs7_label.sdc".to_owned(), labelled));
    }

    fn key_agreements(&mut self) {
        let f = |name: &str| format!("envelope_forbidden/{name}.sdc");
        self.add_bent(&f("agreement_cofactor"), CENTRE, |tree| {
            tree.at(AGREEMENT).children[0].content = COFACTOR_DH_SHA256.to_vec();
        });
        self.add_bent("envelope_malformed/agreement_without_parameters.sdc", CENTRE, |tree| {
            tree.at(AGREEMENT).children.truncate(1);
        });
        self.add_bent(&f("key_wrap_padded"), CENTRE, |tree| tree.at(WRAP).content = AES256_WRAP_PAD.to_vec());
        let der = self.good(&format!("{CENTRE} -wrap aes128-wrap"));
        self.add(&f("key_wrap_128"), &der);
        self.add_bent(&f("keying_material"), CENTRE, |tree| {
            let material = Node::primitive(der::OCTET_STRING, &[7; 64]);
            tree.at(RECIPIENT).children.insert(2, Node::constructed(der::context(1), vec![material]));
        });
        let rsa = self.workshop.pair("centre_rsa").certificate().key_id().to_vec();
        self.add_bent("envelope_malformed/agreement_for_rsa.sdc", CENTRE, |tree| {
            tree.at(&[1, 0, 1, 0, 3, 0, 0, 0]).content = rsa;
        });
        self.add_bent(&f("originator_static"), CENTRE, |tree| {
            let key_id = Node::primitive(der::context_primitive(0), &[7; 20]);
            tree.at(RECIPIENT).children[1].children = vec![key_id];
        });
        self.add_bent(&f("point_compressed"), CENTRE, |tree| {
            let point = tree.at(POINT);
            point.content.truncate(34);
            point.content[1] = 2;
        });
        self.add_bent(&f("point_of_other_curve"), CENTRE, |tree| {
            let curve = Node::primitive(der::OBJECT_IDENTIFIER, P384);
            tree.at(&[1, 0, 1, 0, 1, 0, 0]).children.push(curve);
        });
    }

    fn key_transports(&mut self) {
        let f = |name: &str| format!("envelope_forbidden/{name}.sdc");
        // The stock `openssl` command writes OAEP without a hash by default, and an absent hash means SHA-1.
        let der = self.good(&format!("{CENTRE_RSA} {OAEP}"));
        self.add(&f("oaep_sha1"), &der);
        let oaep_sha256 = format!("{CENTRE_RSA} {OAEP_SHA256}");
        self.add_bent(&f("oaep_without_parameters"), &oaep_sha256, |tree| {
            tree.at(TRANSPORT).children.truncate(1);
        });
        let ec = self.centre.key_id().to_vec();
        self.add_bent("envelope_malformed/transport_for_ec.sdc", CENTRE_RSA, |tree| {
            tree.at(RECIPIENT).children[1].content = ec;
        });
        self.add_bent(&f("oaep_mask_sha1"), &oaep_sha256, |tree| {
            tree.at(TRANSPORT).children[1].children.truncate(1);
        });
    }

    fn other_envelopes(&mut self) {
        let f = |name: &str| format!("envelope_forbidden/{name}.sdc");
        for (name, arguments) in [
            ("aes128", "-aes-128-gcm -recip centre_rsa.crt"),
            ("triple_des", "-des3 -recip centre_rsa.crt"),
            ("key_wrap_recipient", KEY_WRAP),
            ("password_cbc", "-aes-256-cbc -pwri_password secret"),
            ("two_recipients", &format!("{CENTRE} -recip centre_rsa.crt")),
        ] {
            let der = self.good(arguments);
            self.add(&f(name), &der);
        }
        let password = Node::parse(&self.good("-aes-256-cbc -pwri_password secret")).at(RECIPIENT).clone();
        self.add_bent(&f("password"), CENTRE, |tree| *tree.at(RECIPIENT) = password);
        let signed = self.good_signed();
        self.add(&f("signed_outside"), &signed);
        self.add(&f("compressed"), &compressed(&signed));
        self.add_bent(&f("originator_information"), CENTRE, |tree| {
            tree.at(BODY).children.insert(1, Node::constructed(der::context(0), Vec::new()));
        });
        self.add_bent("envelope_malformed/no_recipient.sdc", CENTRE, |tree| tree.at(RECIPIENTS).children.clear());
    }

    fn contents(&mut self) {
        let f = |name: &str| format!("envelope_forbidden/{name}.sdc");
        self.add_bent(&f("attributes"), CENTRE, |tree| {
            tree.at(BODY).children.push(Node::constructed(der::context(2), Vec::new()));
        });
        self.add_bent(&f("content_compressed"), CENTRE, |tree| {
            tree.at(ENCRYPTED).children[0].content = COMPRESSED_DATA.to_vec();
        });
        self.add_bent(&f("nonce_16"), CENTRE, |tree| tree.at(GCM).children[0].content.extend([0; 4]));
        self.add_bent(&f("tag_12"), CENTRE, |tree| tree.at(TAG).content.truncate(12));
        // In CVE-2025-15467 and CVE-2026-34182, the sender chooses the length of the nonce or the tag. So an envelope must be refused if
        // the parameter `ICVlen`, the length of the tag, is 12, and also if it is absent, since its default is 12.
        self.add_bent(&f("tag_length_12"), CENTRE, |tree| {
            tree.at(GCM).children[1].content = vec![12];
            tree.at(TAG).content.truncate(12);
        });
        self.add_bent(&f("tag_length_absent"), CENTRE, |tree| tree.at(GCM).children.truncate(1));
    }

    fn encodings(&mut self) {
        let good = self.good(CENTRE);
        let f = |name: &str| format!("envelope_malformed/{name}.sdc");
        self.add(&f("empty"), &[]);
        self.add(&f("bytes_after"), &[good.as_slice(), &[0]].concat());
        self.add(&f("truncated"), &good[..good.len() - 1]);
        // The length is written with one octet more than it needs, which DER forbids: `30 82 xx xx` becomes `30 83 00 xx xx`.
        self.add(&f("length_long"), &[&[0x30, 0x83, 0x00], &good[2..]].concat());
        self.add(&f("length_beyond"), &[&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], &good[4..]].concat());
        let deep = (0..4000).fold(Vec::new(), |inside: Vec<u8>, _| der::write(der::SEQUENCE, &[&inside]));
        self.add(&f("deep"), &deep);
        let streamed = self.good(&format!("{CENTRE} -stream"));
        self.add(&f("indefinite_length"), &streamed);
    }

    fn undecryptable(&mut self) {
        let flip = |node: &mut Node| node.content[7] ^= 1;
        self.add_bent("undecryptable/gcm_flipped.sdc", CENTRE, |tree| flip(&mut tree.at(ENCRYPTED).children[2]));
        self.add_bent("undecryptable/tag_flipped.sdc", CENTRE, |tree| flip(tree.at(TAG)));
        self.add_bent("undecryptable/agreement_flipped.sdc", CENTRE, |tree| flip(tree.at(WRAPPED)));
        self.add_bent("undecryptable/rsa_key_flipped.sdc", CENTRE_RSA, |tree| {
            flip(&mut tree.at(RECIPIENT).children[3]);
        });
        let der = self.good("-aes-256-gcm -keyid -recip office.crt");
        self.add("not_for_this_centre/other_key.sdc", &der);
    }

    fn signers(&mut self) {
        let f = |name: &str| format!("signature_forbidden/{name}.sdc");
        for (name, arguments) in [
            ("detached", OFFICE.to_owned()),
            ("md5", format!("{AS_WE_SIGN} -md md5 -signer rsa.crt -inkey rsa.key")),
            ("sha1", format!("{AS_WE_SIGN} -md sha1 {OFFICE}")),
            ("no_signed_attributes", format!("{AS_WE_SIGN} -noattr {OFFICE}")),
            ("pss", format!("{AS_WE_SIGN} -signer rsa.crt -inkey rsa.key -keyopt rsa_padding_mode:pss")),
            ("two_signers", format!("{AS_WE_SIGN} {OFFICE} -signer thief.crt -inkey thief.key")),
        ] {
            let signed = self.sign(&arguments);
            self.add_inside(&f(name), &signed);
        }
        let thief = self.sign("-nodetach -keyid -signer thief.crt -inkey thief.key -certfile office.crt");
        self.add_inside("unknown_signer/signed_by_another.sdc", &thief);
        // A letter that the thief signed with his own key. It contains the thief's certificate, but names the office as its signer.
        let office = self.workshop.pair("office").certificate().key_id().to_vec();
        let mut tree = Node::parse(&thief);
        // Child 3 contains the certificates, child 4 the signers.
        tree.at(&[1, 0, 4, 0]).children[1].content = office;
        self.add_inside("signature_invalid/signed_by_another_in_the_office_s_name.sdc", &tree.der());
    }

    fn signed_structures(&mut self) {
        let f = |name: &str| format!("signature_forbidden/{name}.sdc");
        self.add_bent_inside(&f("no_signer"), |tree| tree.at(SIGNERS).children.clear());
        self.add_bent_inside(&f("hashes_differ"), |tree| {
            tree.at(SIGNER).children[4].children[0].content = ECDSA_SHA512.to_vec();
        });
        self.add_bent_inside(&f("attributes_twice"), |tree| {
            let attributes = &mut tree.at(ATTRIBUTES).children;
            let digest = attributes.last().unwrap().clone();
            attributes.push(digest);
        });
        self.add_bent_inside(&f("without_message_digest"), |tree| {
            tree.at(ATTRIBUTES).children.pop();
        });
        self.add_bent_inside(&f("unsigned_attributes"), |tree| {
            tree.at(SIGNER).children.push(Node::constructed(der::context(1), Vec::new()));
        });
        self.add_bent_inside(&f("revocation_lists"), |tree| {
            tree.at(BODY).children.insert(3, Node::constructed(der::context(1), Vec::new()));
        });
        let signed = self.good_signed();
        self.add_inside(&f("compressed"), &compressed(&signed));
        let enveloped = self.good(CENTRE);
        self.add_inside(&f("enveloped_again"), &enveloped);
        self.add_inside("signature_malformed/no_cms.sdc", crate::workshop::OCTETS);
        let streamed = self.sign(&format!("{AS_WE_SIGN} {OFFICE} -stream"));
        self.add_inside("signature_malformed/indefinite_length.sdc", &streamed);
    }

    fn invalid(&mut self) {
        let f = |name: &str| format!("signature_invalid/{name}.sdc");
        self.add_bent_inside(&f("flipped"), |tree| tree.at(SIGNER).children[5].content[20] ^= 1);
        self.add_bent_inside(&f("content_changed"), |tree| tree.at(CONTENT).content[7] ^= 1);
        self.add_bent_inside(&f("content_and_digest_changed"), |tree| {
            tree.at(CONTENT).content[7] ^= 1;
            let digest = sdc::digest::Digest::of(&tree.at(CONTENT).content);
            let attribute = tree.at(ATTRIBUTES).children.last_mut().unwrap();
            attribute.children[1].children[0].content = digest.as_bytes().to_vec();
        });
        // The signed content begins some 60 bytes into the structure. With CBC, a flipped bit destroys one block and flips one bit of the
        // next block, which a stranger can choose. Only the signature reveals this change.
        self.add_bent(&f("cbc_flipped"), "-aes-256-cbc -keyid -recip centre.crt", |tree| {
            tree.at(ENCRYPTED).children[2].content[64] ^= 1;
        });
    }
}

/// Wraps a structure in CompressedData without compressing it, since the scan refuses CompressedData before it reads the content.
fn compressed(content: &[u8]) -> Vec<u8> {
    let octets = Node::primitive(der::OCTET_STRING, content);
    let info = vec![Node::primitive(der::OBJECT_IDENTIFIER, SHA1), Node::constructed(der::context(0), vec![octets])];
    let body = vec![Node::primitive(der::INTEGER, &[0]), Node::constructed(der::SEQUENCE, info)];
    let content_info = vec![
        Node::primitive(der::OBJECT_IDENTIFIER, COMPRESSED_DATA),
        Node::constructed(der::context(0), vec![Node::constructed(der::SEQUENCE, body)]),
    ];
    Node::constructed(der::SEQUENCE, content_info).der()
}
