//! The body of `recharge`: the code of a voucher. The voucher's amount is credited to the account of the agency that first sends the code.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{members, text};
use crate::refusal::Refusal;

/// Digits of a code, the check digit among them.
pub const VOUCHER_DIGITS: usize = 16;

/// Maximum number of octets of a text that the centre accepts as the code of a request.
const OCTETS_MAX: usize = 64;

/// A request to credit a voucher to the agency's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recharge {
    /// Code of the voucher.
    pub code: VoucherCode,
}

/// The code of a voucher, or any text that a letter contains as the code. A text that cannot be a code is refused like a wrong code.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct VoucherCode(String);

impl VoucherCode {
    /// Makes a code from what a person typed, without blanks and hyphens.
    pub fn typed(text: &str) -> VoucherCode {
        VoucherCode(text.chars().filter(|character| !character.is_whitespace() && *character != '-').collect())
    }

    /// Makes a code of its first 15 digits and the check digit that belongs to them.
    pub fn with_check_digit(digits: &str) -> VoucherCode {
        VoucherCode(format!("{digits}{}", check_digit(digits)))
    }

    /// Says whether the text may be a code: 16 digits, the last of which is the check digit of the others. An office calls this before it
    /// sends a code, since five wrong codes lock its recharging.
    pub fn may_be(&self) -> bool {
        let is_number = self.0.len() == VOUCHER_DIGITS && self.0.bytes().all(|octet| octet.is_ascii_digit());
        is_number && VoucherCode::with_check_digit(&self.0[..VOUCHER_DIGITS - 1]) == *self
    }

    /// Returns the code as letters contain it, without blanks and hyphens.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// Anybody who reads the code can spend the voucher, so `Debug` does not show it.
impl fmt::Debug for VoucherCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VoucherCode")
    }
}

/// Returns the check digit of ISO/IEC 7812-1, annex B (Luhn). The check digit no longer fits where one digit is wrong, and in nearly every
/// case where two neighbouring digits have changed places.
fn check_digit(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, octet)| {
            let digit = u32::from(octet.wrapping_sub(b'0'));
            let doubled = if place % 2 == 0 { digit * 2 } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    (10 - sum % 10) % 10
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value) -> Result<Recharge, Refusal> {
    let [code] = members(body, "body", &["code"])?;
    let is_bounded = |text: &String| (1..=OCTETS_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    let code = text(code).filter(is_bounded).ok_or_else(|| malformed("body.code", Expected::VoucherCode))?;
    Ok(Recharge { code: VoucherCode(code) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_code_has_sixteen_digits_of_which_the_last_fits() {
        let code = VoucherCode::with_check_digit("401288888888188");
        assert_eq!(code.as_str(), "4012888888881881");
        assert!(code.may_be() && VoucherCode::typed(" 4012-8888 8888 1881 ") == code);
        for wrong in
            ["4012888888881882", "4021888888881881", "401288888888188", "40128888888818810", "401288888888188x", ""]
        {
            assert!(!VoucherCode::typed(wrong).may_be(), "{wrong}");
        }
        for place in 0..VOUCHER_DIGITS {
            let mut digits = code.as_str().to_owned().into_bytes();
            digits[place] = b'0' + (digits[place] - b'0' + 3) % 10;
            assert!(!VoucherCode::typed(str::from_utf8(&digits).unwrap()).may_be(), "digit {place} is wrong");
        }
    }

    #[test]
    fn whatever_is_sent_as_a_code_is_looked_at_within_a_bound() {
        for text in ["4012888888881881", "no code", "1"] {
            assert_eq!(read(json!({ "code": text })).unwrap().code, VoucherCode(text.to_owned()));
        }
        for body in [json!({}), json!({ "code": "" }), json!({ "code": 4_012_888 }), json!({ "code": "1\n2" })] {
            read(body.clone()).expect_err(&body.to_string());
        }
        read(json!({ "code": "1".repeat(65) })).unwrap_err();
        assert_eq!(format!("{:?}", read(json!({ "code": "1" })).unwrap()), "Recharge { code: VoucherCode }");
    }
}
