//! The surface `armour`: SDC documents as text. A document can be read in one way only, the limits hold, and the agency that a text claims
//! as its sender is a matricule.

use memchr::memmem;
use sdc::document::{Blocks, Document, DocumentLimits, claim};
use sdc::letter::Matricule;

/// Limits so small that a fuzzer reaches them.
const TIGHT: DocumentLimits = DocumentLimits { document_bytes_max: 1024, preamble_bytes_max: 64 };

/// Checks the promises about a document.
pub fn armour(text: &[u8]) {
    check_claim(text, claim(text));
    check_blocks(text);
    let limits = DocumentLimits::default();
    let document = Document::parse(text, &limits);
    if let Ok(document) = &document {
        assert!(text.len() <= limits.document_bytes_max);
        assert!(document.der().len() <= text.len() / 4 * 3, "base64 does not grow");
        check_claim(text, document.claim());
        let rendered = Document::render(document.der(), document.claim());
        let again = Document::parse(&rendered, &limits).expect("what we write can be read");
        assert_eq!((again.der(), again.claim()), (document.der(), document.claim()));
        assert_eq!(Document::render(again.der(), again.claim()), rendered, "there is one canonical form");
    }
    if let Ok(within) = Document::parse(text, &TIGHT) {
        assert!(text.len() <= TIGHT.document_bytes_max);
        let block = Blocks::of(text).next().expect("a document has a block");
        assert!(block.start <= TIGHT.preamble_bytes_max && block.is_closed);
        let document = document.expect("what stays within tight limits stays within wide ones");
        assert_eq!(document.der(), within.der());
    }
}

/// Checks that the blocks of a text follow one another, and that finding and examining them looks at each octet at most twice.
fn check_blocks(text: &[u8]) {
    let mut blocks = Blocks::of(text);
    let mut end = 0;
    for block in blocks.by_ref() {
        assert!(end <= block.start && block.start < block.end && block.end <= text.len());
        end = block.end;
        let (is_whole, examined) = block.is_whole();
        assert!(examined <= block.end - block.start);
        assert!(is_whole || !block.is_closed || !block.is_alone || block.der().is_none(), "what can be read is whole");
    }
    assert!(blocks.examined() <= 2 * text.len());
}

/// Checks that a claim, the agency that the text names as its sender, is a matricule and is in the text.
pub(crate) fn check_claim(text: &[u8], claim: Option<Matricule>) {
    let Some(matricule) = claim else { return };
    assert!((1..=999_999).contains(&u32::from(matricule)));
    let is_written = ["agency=", "agency=3D"]
        .iter()
        .any(|before| memmem::find(text, format!("{before}{matricule}").as_bytes()).is_some());
    assert!(is_written, "{matricule} is not in the text");
}
