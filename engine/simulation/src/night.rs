//! Makes the HTML page about a demo: the verdict, a curve of the letters sent and settled, and the sheet of figures. The page is one file
//! that loads nothing else, so that any browser shows it.
//!
//! The same seed gives the same letters and the same verdict. The times in the curve are measured, and depend on the machine.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::Timestamptz;
use diesel_async::RunQueryDsl;
use store::database::Database;
use store::database::fault::Fault;

use crate::record::Traffic;

/// Largest number of time steps of the curve: on the page, more steps could not be told apart.
const STEPS_MAX: u64 = 80;
/// The shortest time step, in milliseconds. The centre settles letters in batches, and a shorter step would show the single batches.
const STEP_MS_MIN: u64 = 200;
/// Number of horizontal grid lines in the picture.
const LINES: u64 = 4;
/// Number of time labels below the picture.
const MARKS: u64 = 8;
/// Width of the picture, in units of its `viewBox`.
const WIDTH: u64 = 960;
/// Height of the picture, in units of its `viewBox`.
const HEIGHT: u64 = 360;
/// Left edge of the curve within the picture; its right, top and bottom edges follow.
const LEFT: u64 = 64;
const RIGHT: u64 = 928;
const TOP: u64 = 40;
const BOTTOM: u64 = 320;
/// The least width of one entry of the legend, in units of the `viewBox`.
const LEGEND_WIDTH_MIN: u64 = 90;
/// The width of each character of an entry of the legend, in units of the `viewBox`.
const LEGEND_LETTER: u64 = 9;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1b1b; --faint: #8886; --settled: #1a7f37; --sent: #0b62c4; --bad: #b42318 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --settled: #3fb950; --sent: #6cb0ff; --bad: #ff7b72 } }
body { font: 16px/1.45 system-ui, sans-serif; color: var(--ink); max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.35rem; border: 2px solid; border-radius: 6px; padding: .7rem 1rem }
.kept { color: var(--settled) } .broken { color: var(--bad) }
figure { margin: 1.5rem 0 } figcaption { font-size: .9rem } svg { width: 100%; height: auto }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink) }
.line { stroke: var(--faint) } .settled { fill: var(--settled); fill-opacity: .3; stroke: var(--settled); stroke-width: 2 }
.sent { fill: none; stroke: var(--sent); stroke-width: 2 } .killed { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 5 4 }
svg .of-settled { fill: var(--settled) } svg .of-sent { fill: var(--sent) } svg .of-killed { fill: var(--bad) }
pre { font: .85rem/1.4 ui-monospace, monospace; overflow-x: auto }
";

/// The times of the events in a demo, in milliseconds since the first letter.
#[derive(Debug, Default)]
pub struct Night {
    /// The time from the first letter to the last receipt of the burst, that is, of all letters but the one that is sent alone at the end.
    pub lasted: u64,
    /// The times at which letters were handed to the relay. A letter that was sent several times counts once.
    pub sent: Vec<u64>,
    /// The times at which letters were settled, accepted or refused.
    pub settled: Vec<u64>,
    /// Times at which the centre was killed.
    pub killed: Vec<u64>,
}

/// The texts of the page, in the reader's language.
pub struct Words<'a> {
    /// The language's tag (BCP 47).
    pub language: &'a str,
    /// The page's title.
    pub title: &'a str,
    /// The sentence of the verdict.
    pub verdict: &'a str,
    /// Whether the centre kept every promise; the verdict is coloured accordingly.
    pub is_sound: bool,
    /// The text that tells how many agencies and letters the demo had.
    pub size: &'a str,
    /// The caption that explains the curve.
    pub caption: &'a str,
    /// The caption that explains the dashed lines, which mark kills. It is shown only where there was a kill.
    pub caption_killed: &'a str,
    /// The description of the picture for people who cannot see it.
    pub picture: &'a str,
    /// The legend's names for the curve of settled letters, the curve of sent letters, and the dashed lines.
    pub legend: [&'a str; 3],
    /// The sheet of figures, as the terminal shows it.
    pub sheet: &'a str,
}

impl Night {
    /// Reads from the journal at which times letters were settled.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn read(database: &Database, traffic: &Traffic) -> Result<Night, Fault> {
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = Timestamptz)]
            posted_at: DateTime<Utc>,
        }
        let connection = &mut *database.get().await?;
        let lines: Vec<Line> = diesel::sql_query("SELECT posted_at FROM xm.journal").load(connection).await?;
        let since = |time: DateTime<Utc>| u64::try_from((time - traffic.began_at).num_milliseconds()).unwrap_or(0);
        Ok(Night {
            lasted: traffic.lasted.as_millis().try_into().unwrap_or(u64::MAX),
            sent: traffic.memory.letters.iter().filter_map(|letter| letter.sent_at).map(since).collect(),
            settled: lines.iter().map(|line| since(line.posted_at)).collect(),
            killed: traffic.killed_at.iter().copied().map(since).collect(),
        })
    }

    /// Writes the HTML page.
    pub fn page(&self, words: &Words<'_>) -> String {
        let class = if words.is_sound { "kept" } else { "broken" };
        let (language, title) = (escaped(words.language), escaped(words.title));
        let (verdict, size, sheet) = (escaped(words.verdict), escaped(words.size), escaped(words.sheet));
        let mut caption = escaped(words.caption);
        if !self.killed.is_empty() {
            caption.push_str(&format!(" {}", escaped(words.caption_killed)));
        }
        format!(
            "<!doctype html>\n<html lang=\"{language}\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n\
             <h1 class=\"{class}\">{verdict}</h1>\n<p>{size}</p>\n<figure>\n{}\
             <figcaption>{caption}\n\
             </figcaption>\n</figure>\n<pre>{sheet}</pre>\n</html>\n",
            self.picture(words)
        )
    }

    /// Draws the curve as SVG.
    fn picture(&self, words: &Words<'_>) -> String {
        let lasted = self.lasted.max(1);
        let step = round(lasted.div_ceil(STEPS_MAX).max(STEP_MS_MIN));
        let (sent, settled) = (self.rates(&self.sent, step), self.rates(&self.settled, step));
        let highest = sent.iter().chain(&settled).copied().max().unwrap_or(0).max(1);
        let (line, mark) = (round(highest.div_ceil(LINES)), round(lasted.div_ceil(MARKS)));
        let top = highest.next_multiple_of(line);
        let span = step.saturating_mul(settled.len() as u64);
        let x = |time: u64| LEFT + time.min(span) * (RIGHT - LEFT) / span;
        let y = |rate: u64| BOTTOM - rate * (BOTTOM - TOP) / top;

        let label = escaped(words.picture);
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n");
        let mut add = |element: String| svg.push_str(&(element + "\n"));
        for rate in (0..=top).step_by(usize::try_from(line).unwrap_or(1)) {
            let y = y(rate);
            add(format!("<path class=\"line\" d=\"M{LEFT} {y}H{RIGHT}\"/>"));
            add(format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{rate}</text>", LEFT - 8, y + 4));
        }
        for time in (0..=span).step_by(usize::try_from(mark).unwrap_or(1)) {
            let (x, seconds) = (x(time), seconds(time));
            add(format!("<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{seconds} s</text>", BOTTOM + 22));
        }
        let steps = |rates: &[u64]| {
            let step = |(at, rate): (u64, &u64)| format!("V{}H{}", y(*rate), x((at + 1) * step));
            (0..).zip(rates).map(step).collect::<String>()
        };
        add(format!("<path class=\"settled\" d=\"M{LEFT} {BOTTOM}{}V{BOTTOM}Z\"/>", steps(&settled)));
        add(format!("<path class=\"sent\" d=\"M{LEFT} {BOTTOM}{}V{BOTTOM}\"/>", steps(&sent)));
        for time in &self.killed {
            add(format!("<path class=\"killed\" d=\"M{0} {TOP}V{BOTTOM}\"/>", x(*time)));
        }
        let mut left = LEFT;
        for (class, word) in ["settled", "sent", "killed"].into_iter().zip(words.legend) {
            if class != "killed" || !self.killed.is_empty() {
                let shown = escaped(word);
                add(format!("<text class=\"of-{class}\" x=\"{left}\" y=\"22\">■ {shown}</text>"));
                left += LEGEND_WIDTH_MIN.max(LEGEND_LETTER * (word.chars().count() as u64 + 3));
            }
        }
        svg + "</svg>\n"
    }

    /// Returns the number of letters per second in each time step, up to the last receipt of the burst. Later events belong to the letter
    /// that is sent alone at the end, and are left out.
    fn rates(&self, times: &[u64], step: u64) -> Vec<u64> {
        let mut counts = vec![0_u64; usize::try_from(self.lasted / step).unwrap_or(0) + 1];
        for time in times.iter().filter(|time| **time <= self.lasted) {
            counts[usize::try_from(time / step).unwrap_or(0)] += 1;
        }
        counts.into_iter().map(|count| count * 1000 / step).collect()
    }
}

/// Returns the smallest number of the form 1, 2 or 5 times a power of ten that is not below `least`.
fn round(least: u64) -> u64 {
    let all = (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    all.into_iter().find(|round| *round >= least).unwrap_or(u64::MAX)
}

/// Writes milliseconds as seconds, without needless zeros at the end.
fn seconds(milliseconds: u64) -> String {
    let mut text = (milliseconds / 1000).to_string();
    if !milliseconds.is_multiple_of(1000) {
        // Writing into a `String` never fails.
        write!(text, ".{:03}", milliseconds % 1000).ok();
    }
    if text.contains('.') { text.trim_end_matches('0').to_owned() } else { text }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(is_sound: bool) -> Words<'static> {
        Words {
            language: "en",
            title: "the night",
            verdict: "A <verdict>",
            is_sound,
            size: "9 letters & 2 offices",
            caption: "Letters a second.",
            caption_killed: "A dashed line is a kill.",
            picture: "letters a second",
            legend: ["settled", "sent", "the centre is killed"],
            sheet: "0  lost",
        }
    }

    fn written(night: &Night, is_sound: bool) -> String {
        night.page(&words(is_sound))
    }

    #[test]
    fn the_verdict_stands_first_and_nothing_is_loaded() {
        let night = Night { lasted: 2000, sent: vec![0, 100], settled: vec![1500, 1999], killed: vec![700] };
        let page = written(&night, true);
        let body = page.split_once("</style>").unwrap().1;
        assert!(body.trim_start().starts_with("<h1 class=\"kept\">A &lt;verdict&gt;</h1>"), "{page}");
        assert!(page.contains("9 letters &amp; 2 offices") && page.contains("the centre is killed"));
        for word in ["http:", "https:", "src=", "href=", "url(", "<script", "@import"] {
            assert!(!page.contains(word), "{word}: {page}");
        }
        let broken = written(&Night::default(), false);
        assert!(broken.contains("<h1 class=\"broken\">") && !broken.contains("is killed"), "{broken}");
    }

    #[test]
    fn every_letter_of_the_burst_is_in_one_step_and_what_comes_later_in_none() {
        let settled = (0..1000).map(|number| number * 5).chain([5000, 5001, 90_000]).collect();
        let night = Night { lasted: 5000, settled, ..Night::default() };
        let rates = night.rates(&night.settled, 200);
        assert_eq!(rates.len(), 26);
        assert!(rates[..25].iter().all(|rate| *rate == 200), "{rates:?}");
        assert_eq!(rates[25], 5, "one letter in a fifth of a second");
    }

    #[test]
    fn the_curve_stays_in_its_picture_however_short_or_long_the_night() {
        for lasted in [0, 1, 199, 4321, 47_000, 400_000] {
            let times: Vec<u64> = (0..500).map(|number| lasted * number / 500).collect();
            let night = Night { lasted, sent: times.clone(), settled: times, killed: vec![lasted] };
            let picture = night.picture(&words(true));
            let path = picture.lines().find(|line| line.contains("class=\"settled\"")).unwrap();
            let numbers = |from: char| {
                let rest = path.split(from).skip(1);
                rest.map(|rest| {
                    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap()
                })
                .collect::<Vec<_>>()
            };
            let (across, down) = (numbers('H'), numbers('V'));
            assert!(across.len() <= 101 && across.is_sorted() && across.last() == Some(&RIGHT), "{lasted}: {path}");
            assert!(down.iter().all(|y| (TOP..=BOTTOM).contains(y)), "{lasted}: {path}");
            assert!(down.iter().min().unwrap() < &(BOTTOM - (BOTTOM - TOP) / 3), "{lasted}: {path}");
        }
    }

    #[test]
    fn numbers_are_those_that_people_count_in() {
        assert_eq!([0, 1, 3, 11, 21, 480].map(round), [1, 1, 5, 20, 50, 500]);
        assert_eq!([0, 500, 1000, 2250, 10_000].map(seconds), ["0", "0.5", "1", "2.25", "10"]);
    }
}
