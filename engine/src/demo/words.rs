//! Names of the refusals in plain words, for visitors of the demo who do not know the codes.

use sdc::refusal::RefusalCode;

use crate::speech;

/// Returns a few words for a refusal code, such as "from a suspended office".
pub fn words(code: RefusalCode) -> String {
    speech::words().refusal_short(code)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_words_of_its_own_that_fit_a_line() {
        let all: HashSet<String> = RefusalCode::ALL.iter().map(|code| words(*code)).collect();
        assert_eq!(all.len(), RefusalCode::ALL.len());
        for code in RefusalCode::ALL {
            let words = words(*code);
            assert!((10..=40).contains(&words.len()) && !words.contains(code.as_str()), "{code}: {words}");
        }
    }
}
