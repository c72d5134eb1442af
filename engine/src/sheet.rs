//! Sheets of paper as PDF: lines of text in one font, which the file carries in itself, so that every sheet looks and prints the same
//! wherever it is opened. The same text gives the same octets.

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use ttf_parser::Face;

/// DejaVu Sans, without the letters that no language of the program has; its licence lies beside it.
const FONT: &[u8] = include_bytes!("sheet/DejaVuSans.ttf");
const FONT_NAME: Name<'static> = Name(b"DejaVuSans");
/// Name by which the page calls the font.
const RESOURCE: Name<'static> = Name(b"F");
/// Width and height of A4, in points.
const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 57.0;
/// Distance between two lines, in sizes of their letters.
const LEADING: f32 = 1.4;
/// Character that stands for one that the font lacks.
const UNKNOWN: char = '?';

/// The font cannot be read, which is a mistake of the program.
#[derive(Debug, thiserror::Error)]
#[error("the font of printed sheets cannot be read: {0}")]
pub struct SheetError(#[from] ttf_parser::FaceParsingError);

/// A page that is written line by line, from the top.
pub struct Sheet {
    face: Face<'static>,
    content: Content,
    /// Characters that were written, by the number of their glyph.
    written: std::collections::BTreeMap<u16, char>,
    /// Height above the lower edge at which the next line begins.
    height: f32,
    title: String,
    language: String,
}

impl Sheet {
    /// Begins a page. `title` is shown by the program that opens the file; `language` is the tag of the text's language.
    ///
    /// # Errors
    /// The font cannot be read.
    pub fn new(title: &str, language: &str) -> Result<Sheet, SheetError> {
        let face = Face::parse(FONT, 0)?;
        let (title, language) = (title.to_owned(), language.to_owned());
        let written = std::collections::BTreeMap::new();
        Ok(Sheet { face, content: Content::new(), written, height: PAGE.1 - MARGIN, title, language })
    }

    /// Leaves a distance, in points.
    pub fn skip(&mut self, points: f32) {
        self.height -= points;
    }

    /// Draws a line across the page.
    pub fn rule(&mut self) {
        self.skip(4.0);
        self.content.move_to(MARGIN, self.height).line_to(PAGE.0 - MARGIN, self.height).stroke();
        self.skip(8.0);
    }

    /// Writes a text in letters of this size, in points. It is broken at blanks where it is wider than the page.
    pub fn text(&mut self, size: f32, text: &str) {
        for line in text.lines() {
            let mut words = line.split(' ');
            let mut row = words.next().unwrap_or_default().to_owned();
            for word in words {
                let longer = format!("{row} {word}");
                if self.width(size, &longer) <= PAGE.0 - 2.0 * MARGIN {
                    row = longer;
                } else {
                    self.row(size, &row);
                    word.clone_into(&mut row);
                }
            }
            self.row(size, &row);
        }
    }

    fn row(&mut self, size: f32, row: &str) {
        self.height -= size * LEADING;
        let mut glyphs = Vec::with_capacity(row.len() * 2);
        for character in row.chars() {
            let (glyph, character) = self.glyph(character);
            self.written.insert(glyph, character);
            glyphs.extend(glyph.to_be_bytes());
        }
        self.content.begin_text().set_font(RESOURCE, size).next_line(MARGIN, self.height).show(Str(&glyphs)).end_text();
    }

    fn glyph(&self, character: char) -> (u16, char) {
        let found = |character| self.face.glyph_index(character).map(|glyph| (glyph.0, character));
        found(character).or_else(|| found(UNKNOWN)).unwrap_or((0, UNKNOWN))
    }

    /// Returns the width of a text, in points.
    fn width(&self, size: f32, text: &str) -> f32 {
        let em = f32::from(self.face.units_per_em());
        text.chars().map(|character| f32::from(self.advance(self.glyph(character).0)) * size / em).sum()
    }

    fn advance(&self, glyph: u16) -> u16 {
        self.face.glyph_hor_advance(ttf_parser::GlyphId(glyph)).unwrap_or_default()
    }

    /// Ends the page. Returns the file.
    pub fn finish(self) -> Vec<u8> {
        let [catalog, pages, page, content, info, font] = [1, 2, 3, 4, 5, 6].map(Ref::new);
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(pages).lang(TextStr(&self.language));
        pdf.document_info(info).title(TextStr(&self.title));
        pdf.pages(pages).kids([page]).count(1);
        let mut one = pdf.page(page);
        one.parent(pages).media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).contents(content);
        one.resources().fonts().pair(RESOURCE, font);
        one.finish();
        self.embed(&mut pdf, font);
        pdf.stream(content, &self.content.finish());
        pdf.finish()
    }

    /// Writes the font, as numbers of glyphs with two octets each, and a table of the characters that they are, by which text is copied
    /// and searched.
    fn embed(&self, pdf: &mut Pdf, font: Ref) {
        let [descendant, descriptor, file, cmap] = [7, 8, 9, 10].map(Ref::new);
        let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
        let thousandths = |units: i16| f32::from(units) * 1000.0 / f32::from(self.face.units_per_em());
        pdf.type0_font(font)
            .base_font(FONT_NAME)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(descendant)
            .to_unicode(cmap);
        let mut cid = pdf.cid_font(descendant);
        cid.subtype(CidFontType::Type2).base_font(FONT_NAME).system_info(system).font_descriptor(descriptor);
        cid.cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = cid.widths();
        for glyph in self.written.keys() {
            let advance = f32::from(self.advance(*glyph)) * 1000.0 / f32::from(self.face.units_per_em());
            widths.consecutive(*glyph, [advance]);
        }
        widths.finish();
        cid.finish();
        let bounds = self.face.global_bounding_box();
        let corners = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(thousandths);
        pdf.font_descriptor(descriptor)
            .name(FONT_NAME)
            .flags(FontFlags::NON_SYMBOLIC)
            .bbox(Rect::new(corners[0], corners[1], corners[2], corners[3]))
            .italic_angle(0.0)
            .ascent(thousandths(self.face.ascender()))
            .descent(thousandths(self.face.descender()))
            .cap_height(thousandths(self.face.capital_height().unwrap_or_default()))
            .stem_v(80.0)
            .font_file2(file);
        pdf.stream(file, FONT).pair(Name(b"Length1"), i32::try_from(FONT.len()).unwrap_or_default());
        let mut characters = UnicodeCmap::new(Name(b"Characters"), system);
        self.written.iter().for_each(|(glyph, character)| characters.pair(*glyph, *character));
        pdf.cmap(cmap, &characters.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(text: &str) -> Sheet {
        let mut sheet = Sheet::new("Feuille", "fr").unwrap();
        sheet.text(12.0, text);
        sheet
    }

    #[test]
    fn the_same_text_gives_the_same_octets() {
        let [one, other, different] = ["Édéa", "Édéa", "Edea"].map(|text| sheet(text).finish());
        assert_eq!(one, other);
        assert_ne!(one, different);
        assert!(one.starts_with(b"%PDF-") && one.ends_with(b"%%EOF"));
    }

    #[test]
    fn the_font_has_every_letter_of_the_catalogues() {
        let face = Face::parse(FONT, 0).unwrap();
        let words = words::BUILT_IN.iter().flat_map(|(_, files)| files.iter().map(|(_, text)| *text));
        let mut missing: Vec<char> =
            words.flat_map(str::chars).filter(|c| *c > ' ' && face.glyph_index(*c).is_none()).collect();
        missing.sort_unstable();
        missing.dedup();
        assert_eq!(missing, [] as [char; 0]);
    }

    #[test]
    fn a_long_text_is_broken_and_none_of_it_is_lost() {
        let text = "mot ".repeat(100);
        let mut sheet = Sheet::new("Feuille", "fr").unwrap();
        let begun = sheet.height;
        sheet.text(12.0, text.trim());
        let rows = (begun - sheet.height) / (12.0 * LEADING);
        let least = sheet.width(12.0, text.trim()) / (PAGE.0 - 2.0 * MARGIN);
        assert!(rows >= least && rows <= least + 2.0, "{rows} rows of at least {least}");
        assert_eq!(sheet.glyph('中').1, UNKNOWN);
    }
}
