//! Mail as real programs send it: what RFC 2045, 2046 and 5322 require a receiver to tolerate, and what gateways do.

use super::*;

/// Returns the DER of each container of a mail. Text before a container's block is ignored.
fn blocks(mail: &[u8]) -> Vec<Vec<u8>> {
    let read = |container: &Vec<u8>| {
        let document = sdc::document::Document::parse(container, &sdc::document::DocumentLimits::default());
        document.unwrap_or_else(|refusal| panic!("{refusal}: {}", String::from_utf8_lossy(container))).der().to_vec()
    };
    let found = found(mail);
    assert_eq!(found.beyond, None);
    found.containers.iter().map(read).collect()
}

/// Fails unless each mail contains one readable letter.
fn holds_one_letter(mails: &[Vec<u8>]) {
    for mail in mails {
        assert_eq!(blocks(mail), [[0x30, 0]], "{}", String::from_utf8_lossy(mail));
    }
}

fn text(header: &str, body: &[u8]) -> Vec<u8> {
    [b"From: a@b\r\n", header.as_bytes(), b"\r\n", body].concat()
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

#[test]
fn a_container_is_found_attached_or_in_the_text_under_any_encoding() {
    let trimmed = SDC.trim_end();
    assert_eq!(containers(&attached("7bit", SDC)), [trimmed]);
    assert_eq!(containers(&attached("base64", &BASE64.encode(SDC))), [trimmed]);
    assert_eq!(containers(&attached("quoted-printable", &SDC.replace('=', "=3D"))), [trimmed]);
    assert_eq!(containers(&format!("From: a@b\r\n\r\n{SDC}-- \r\nmailing list footer\r\n")), [trimmed]);
    assert_eq!(containers(&format!("From: a@b\r\n\r\n{SDC}{SDC}")).len(), 2);
    assert_eq!(containers("From: a@b\r\n\r\nno container here").len(), 0);
}

#[test]
fn mails_that_were_once_not_understood_are() {
    let handed: [(&str, &[u8]); 11] = [
        ("alternative-with-html-br", include_bytes!("handed/alternative-with-html-br.eml")),
        ("base64-gateway-footer", include_bytes!("handed/base64-gateway-footer.eml")),
        ("bom-before-block", include_bytes!("handed/bom-before-block.eml")),
        ("cte-three-times", include_bytes!("handed/cte-three-times.eml")),
        ("cte-trailing-blanks", include_bytes!("handed/cte-trailing-blanks.eml")),
        ("forwarded-as-attachment-base64", include_bytes!("handed/forwarded-as-attachment-base64.eml")),
        ("forwarded-eml-in-base64", include_bytes!("handed/forwarded-eml-in-base64.eml")),
        ("headers-66k", include_bytes!("handed/headers-66k.eml")),
        ("latin1-qp-text-before-block", include_bytes!("handed/latin1-qp-text-before-block.eml")),
        ("utf16-body", include_bytes!("handed/utf16-body.eml")),
        ("winmail-dat-small", include_bytes!("handed/winmail-dat-small.eml")),
    ];
    for (name, mail) in handed {
        assert_eq!(blocks(mail), [[0x30, 0]], "{name}");
    }
    let nineteen = blocks(include_bytes!("handed/nineteen-letters-in-one-mail.eml"));
    let expected: Vec<[u8; 3]> = (1..=19).map(|number| [0x30, 1, number - 1]).collect();
    assert_eq!(nineteen, expected);
}

#[test]
fn octets_before_the_block_are_in_any_character_set() {
    let latin1 = b"d\xe9claration n\xb0 12 de la mairie d'\xc9d\xe9a\r\n";
    let tnef = |name: &[u8]| [b"\x78\x9f\x3e\x22\x12\x34\x01\x07\x90\x06\0", name, b"\0\xf8\x03\x02\x0f"].concat();
    let whole = SDC.trim_end().as_bytes();
    let bare = &whole["SDC 1 agency=000042\r\n".len()..];
    let checksum = b"\x1f\x0e";
    let winmail = |octets: Vec<u8>| {
        let header = "Content-Type: application/ms-tnef; name=\"winmail.dat\"\r\nContent-Transfer-Encoding: base64\r\n";
        with_part(header, &base64_lines(&octets)).into_bytes()
    };
    holds_one_letter(&[
        text("Content-Type: text/plain; charset=windows-1252\r\n", &[&latin1[..], SDC.as_bytes()].concat()),
        text("Content-Transfer-Encoding: base64\r\n", base64_lines(&[&latin1[..], SDC.as_bytes()].concat()).as_bytes()),
        text("", &[b"\xff\xd8\xff\xe0\r\n\xc3\r\n", SDC.as_bytes()].concat()),
        winmail([&tnef(b"lettre.sdc")[..], b"\x06\x80\x06\0\x3f\0\0\0", whole, checksum].concat()),
        // In these two attachments no routing hint (`SDC 1 agency=…`) precedes the block, and binary octets are directly before and after
        // it, without a line end.
        winmail([&tnef(b"lettre.sdc")[..], b"\x06\x80\x06\0\x2b\0\0\0", bare, checksum].concat()),
        winmail([&tnef(b"a.sdc")[..], &[0x80; 3000], b"\x2b\0\0\0", bare, checksum, &tnef(b"b.png")].concat()),
    ]);
}

#[test]
fn a_byte_order_mark_quotation_or_blanks_before_a_line_mean_nothing() {
    let block = &SDC["SDC 1 agency=000042\r\n".len()..];
    let before = |mark: &str| block.lines().map(|line| format!("{mark}{line}\r\n")).collect::<String>();
    let marked = format!("\u{feff}{block}");
    holds_one_letter(&[
        text("", marked.as_bytes()),
        text("", format!("\u{feff}{SDC}").as_bytes()),
        attached("base64", &base64_lines(marked.as_bytes())).into_bytes(),
        attached("quoted-printable", &marked.replace('=', "=3D").replace('\u{feff}', "=EF=BB=BF")).into_bytes(),
        text("", format!("voici\r\n{marked}").as_bytes()),
        text("", before("> ").as_bytes()),
        text("", before(">>> ").as_bytes()),
        text("", before("    ").as_bytes()),
        attached("base64", &base64_lines(before("\t> ").as_bytes())).into_bytes(),
    ]);
}

#[test]
fn a_text_is_read_in_the_character_set_that_it_names_or_begins_with() {
    let (little, big) = (utf16(SDC, u16::to_le_bytes), utf16(&format!("Voilà :\r\n{SDC}"), u16::to_be_bytes));
    let marked = [b"\xff\xfe", &little[..]].concat();
    let plain =
        |charset: &str| format!("Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n");
    holds_one_letter(&[
        text(&plain("UTF-16"), base64_lines(&little).as_bytes()),
        text(&plain("\"utf-16be\""), base64_lines(&big).as_bytes()),
        text(&plain("utf-16"), base64_lines(&big).as_bytes()),
        text("Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: 8bit\r\n", &little),
        attached("base64", &base64_lines(&marked)).into_bytes(),
        attached("base64", &base64_lines(&[b"\xfe\xff", &big[..]].concat())).into_bytes(),
        // The label states a character set in which the text is not written.
        text(&plain("utf-8"), base64_lines(&marked).as_bytes()),
        text(&plain("utf-16"), base64_lines(SDC.as_bytes()).as_bytes()),
        text("Content-Type: text/plain; charset=utf-7\r\n", SDC.replace('=', "+AD0-").as_bytes()),
    ]);
}

#[test]
fn an_encoding_is_read_as_fields_are_written_and_tried_where_it_is_wrong() {
    let base64 = base64_lines(SDC.as_bytes());
    let quoted = SDC.replace('=', "=3D").replace("agency", "agen=\r\ncy").replace("-----BEGIN", "=2D----BEGIN");
    let mut mails = Vec::new();
    for field in [
        "Content-Transfer-Encoding: base64\t \r\n",
        "Content-Transfer-Encoding : Base64\r\n",
        "Content-Transfer-Encoding:base64 (octets (of a file))\r\n",
        "Content-Transfer-Encoding:\r\n  base64\r\n",
        "Content-Transfer-Encoding: 8-bit\r\nContent-Transfer-Encoding: base64\r\n",
        // The field is wrong or missing, so every encoding is tried.
        "",
        "Content-Transfer-Encoding: 7bit\r\n",
        "Content-Transfer-Encoding: quoted-printable\r\n",
        "Content-Transfer-Encoding: x-unknown\r\n",
    ] {
        mails.push(with_part(field, &base64).into_bytes());
        if !field.to_ascii_lowercase().contains("base64") {
            mails.push(with_part(field, &quoted).into_bytes());
        }
    }
    mails.push(with_part("Content-Transfer-Encoding: base64\r\n", SDC).into_bytes());
    mails.push(with_part("Content-Transfer-Encoding: base64\r\n", &quoted).into_bytes());
    // The markers of the block are found without decoding, but the block can be read only once its padding is decoded.
    mails.push(text("", SDC.replace('=', "=3D").as_bytes()));
    holds_one_letter(&mails);
}

#[test]
fn base64_is_read_as_rfc_2045_tells_receivers_to() {
    let (base64, padded) = (base64_lines(SDC.as_bytes()), base64_lines(format!("{SDC}\r\n ").as_bytes()));
    assert!(padded.contains('='));
    holds_one_letter(&[
        attached("base64", &format!("{padded}\r\n--\r\nVerifie par l'antivirus.")).into_bytes(),
        attached("base64", &format!("{}\r\n_______\r\nliste de diffusion", base64.trim_end())).into_bytes(),
        attached("base64", &base64.replace("\r\n", "\r\n\r\n  \t")).into_bytes(),
        attached("base64", &format!("{}*{}", &base64[..10], &base64[10..])).into_bytes(),
        attached("base64", base64.trim_end().trim_end_matches('=')).into_bytes(),
        attached("base64", &base64.replace("\r\n", "")).into_bytes(),
    ]);
}

#[test]
fn a_forwarded_mail_is_looked_into_also_when_it_is_encoded() {
    let inner = attached("base64", &base64_lines(SDC.as_bytes()));
    let forwarded = |encoding: &str, mail: &str| {
        let header =
            format!("Content-Type: message/rfc822; name=lettre.eml\r\nContent-Transfer-Encoding: {encoding}\r\n");
        with_part(&header, mail).replace("=b\r\n", "=outer\r\n").replace("--b", "--outer")
    };
    let inner_b = inner.replace("=b\r\n", "=inner\r\n").replace("--b", "--inner");
    let encoded = base64_lines(inner_b.as_bytes());
    let twice = base64_lines(forwarded("base64", &encoded).as_bytes());
    let quoted = inner_b.replace('=', "=3D");
    let digest = format!("Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n{inner_b}\r\n--d--\r\n");
    let mails = [
        forwarded("7bit", &inner_b),
        forwarded("base64", &encoded),
        forwarded("quoted-printable", &quoted),
        // The header states an encoding, but the mail is not encoded.
        forwarded("base64", &inner_b),
        // The forwarded mail is forwarded again.
        forwarded("7bit", &forwarded("7bit", &inner_b).replace("outer", "again")),
        format!("Content-Type: message/rfc822\r\n\r\n{inner_b}"),
        format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{twice}"),
        digest,
    ];
    holds_one_letter(&mails.map(String::into_bytes));
}

#[test]
fn many_letters_in_a_mail_are_so_many_letters() {
    let part = |number: u8| {
        let block = sdc::document::Document::render(&[0x30, 1, number], None);
        format!(
            "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            base64_lines(&block)
        )
    };
    for count in [25, 60, 100] {
        let parts: String = (0..count).map(part).collect();
        let mail = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n");
        let read: Vec<u8> = blocks(mail.as_bytes()).into_iter().map(|der| der[2]).collect();
        assert_eq!(read, (0..count).collect::<Vec<u8>>());
    }
}

/// A part that a gateway has damaged, or the copy of a letter in HTML, is no container. A text with the first line of a block is a
/// container, and is kept for a person to look at.
#[test]
fn junk_beside_a_letter_is_no_container() {
    let logo =
        "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBOR*** damaged <img>\r\n--b--";
    let with_logo = attached("7bit", SDC).replace("--b--", logo);
    assert_eq!(containers(&with_logo), [SDC.trim_end()]);
    assert_eq!(containers(&attached("base64", "U0RDIDEg*** damaged")).len(), 0);

    let html = |text: &str| format!("<html><body>\r\n{}</body></html>\r\n", text.replace("\r\n", "<br>\r\n"));
    let alternative = |html: &str, kind: &str| {
        format!(
            "Content-Type: multipart/{kind}; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{SDC}\r\n\
             --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--b--\r\n"
        )
    };
    assert_eq!(containers(&alternative(&html(SDC), "alternative")), [SDC.trim_end()]);
    assert_eq!(
        containers(&alternative(&format!("<pre>\r\n{SDC}</pre>"), "alternative")).len(),
        1,
        "whole, and the same"
    );
    let other = SDC.replace("MAA=", "MQA=");
    assert_eq!(containers(&alternative(&format!("<pre>\r\n{other}</pre>"), "alternative")).len(), 2, "another letter");
    // Apple Mail nests attachments in this way: the HTML alternative is a multipart/mixed, and the letter is one of its parts.
    let nested = format!(
        "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/html\r\n\r\nVoici<br>\r\n--c\r\n\r\n{other}\r\n--c--"
    );
    let apple = alternative("", "alternative").replace("Content-Type: text/html; charset=utf-8\r\n\r\n", &nested);
    assert_eq!(containers(&apple).len(), 2);

    // This is clearly a damaged container, so it is kept as it was received.
    let damaged = SDC.replace("MAA=", "M*A=");
    let kept = containers(&attached("7bit", &damaged));
    assert!(kept.len() == 1 && kept[0].contains("M*A="), "{kept:?}");
    assert_eq!(containers(&alternative(&html(&other), "mixed")).len(), 2, "not said to be the same");
    let cut = format!("{}{SDC}", SDC.replace("MAA=\r\n-----END CMS-----\r\n", "M"));
    assert_eq!(containers(&format!("From: a@b\r\n\r\n{cut}")).len(), 2);
}

/// Makes a letter as long as real letters. Letters with different numbers differ in every line.
fn letter(number: u8) -> String {
    let mut octets = vec![number; 900];
    octets.iter_mut().zip(0u8..=255).for_each(|(octet, at)| *octet = octet.wrapping_mul(at | 1).wrapping_add(at));
    let sealed = BASE64.encode(octets);
    let lines: String =
        sealed.as_bytes().chunks(64).map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap())).collect();
    format!("SDC 1 agency=000042\r\n-----BEGIN CMS-----\r\n{lines}-----END CMS-----\r\n")
}

/// Returns the containers of a mail with an attached letter and a text before it.
fn beside(text: &str, kind: &str, letter: &str) -> Vec<String> {
    containers(&format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: {kind}\r\n\r\n{text}\r\n\
         --b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--b--\r\n",
        base64_lines(letter.as_bytes())
    ))
}

/// Two kinds of text are no containers in a mail with a whole letter: a damaged copy of the letter, and prose that begins with a marker.
#[test]
fn a_damaged_copy_or_prose_beside_a_whole_letter_is_no_container_and_another_letter_is() {
    let (own, other) = (letter(3), letter(7));
    let html = |text: &str| format!("<html><body>\r\n{}</body></html>\r\n", text.replace("\r\n", "<br>\r\n"));
    let cut = |text: &str| text[..400].to_owned();
    let hurt = |text: &str| text.replacen("A", "*", 1);
    for (text, kind) in [
        (html(&own), "text/html"),
        (html(&own).replace("<br>", "</span><br style=\"clear: both\">"), "text/html"),
        (cut(&own), "text/plain"),
        (format!("{}\r\n-- \r\nSecretariat", cut(&own)), "text/plain"),
        (own[..900].replace("-----BEGIN", "> -----BEGIN"), "text/plain"),
        (own.replacen("-----END CMS-----", "-----END CM", 1), "text/plain"),
        (own.replacen("\r\n", "*\r\n", 3).replacen('*', "", 2), "text/plain"),
        ("-----BEGIN CMS----- est la premiere ligne du document.".to_owned(), "text/plain"),
        ("-----BEGIN CMS----- ouvre un document,\r\n-----END CMS-----\r\nle ferme.".to_owned(), "text/plain"),
        ("-----BEGIN CMS-----".to_owned(), "text/plain"),
    ] {
        assert_eq!(beside(&text, kind, &own), [own.trim_end()], "{text}");
    }
    // These texts contain, or may contain, a part of another letter.
    for (text, kind) in [
        (html(&other), "text/html"),
        (cut(&other), "text/plain"),
        (hurt(&other), "text/plain"),
        (other.replacen("CMS-----\r\n", "CMS----- (notre lettre du 12)\r\n", 1), "text/plain"),
        (other.replacen("CMS-----\r\n", "CMS----- ", 1), "text/plain"),
    ] {
        let found = beside(&text, kind, &own);
        assert_eq!((found.len(), found[1].as_str()), (2, own.trim_end()), "{text}");
    }
    // In a mail without a whole letter, each text is kept as it was received.
    for text in [html(&own), cut(&own), hurt(&own), "-----BEGIN CMS----- est la premiere ligne.".to_owned()] {
        assert_eq!(beside(&text, "text/plain", "Bonjour").len(), 1, "{text}");
    }
}
