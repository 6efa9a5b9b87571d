//! How ThingsBoard types what it reads (spec thingsboard 5.2), and how it is printed again (5.3). One table of tests.

use std::borrow::Cow;
use std::fmt::Write;

use domain::{Points, Value};

use super::json::{Bracket, Mistake, Reader, Token};
use crate::limits::THINGSBOARD_DIGITS_MAX;

/// A value that was read; `None` where there is none (`null`).
pub(super) type Typed<'a> = Option<Owned<'a>>;

/// A value, with the texts that had to be made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Owned<'a> {
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(Cow<'a, str>),
    Json(String),
}

impl Owned<'_> {
    pub(super) fn as_value(&self) -> Value<'_> {
        match self {
            Owned::Bool(it) => Value::Bool(*it),
            Owned::I64(it) => Value::I64(*it),
            Owned::F64(it) => Value::F64(*it),
            Owned::Text(it) => Value::Text(it),
            Owned::Json(it) => Value::Json(it),
        }
    }
}

/// Reads and types the value that `token` begins.
pub(super) fn typed<'a>(reader: &mut Reader<'a>, token: Token<'a>) -> Result<Typed<'a>, Mistake> {
    Ok(match token {
        Token::Word(word) => {
            if let Some(it) = short_whole(word) {
                return Ok(Some(Owned::I64(it)));
            }
            match Word::of(word) {
                Word::Null => None,
                Word::Bool(it) => Some(Owned::Bool(it)),
                Word::Number => Some(number(word)),
                Word::Text => Some(text(Cow::Borrowed(word))),
            }
        }
        Token::Text(it) | Token::Name(it) => Some(text(it)),
        token => Some(Owned::Json(compact(reader, token)?)),
    })
}

/// A whole number of few digits, as most are: told in one look at each.
fn short_whole(word: &str) -> Option<i64> {
    let digits = word.strip_prefix('-').unwrap_or(word).as_bytes();
    if digits.is_empty() || digits.len() > SHORT_DIGITS_MAX || digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    let mut number = 0;
    for it in digits {
        if !it.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(it - b'0');
    }
    Some(if digits.len() < word.len() { -number } else { number })
}

/// So many digits are never too large a number.
const SHORT_DIGITS_MAX: usize = 18;

/// What stands without quotes.
enum Word {
    Null,
    Bool(bool),
    Number,
    /// A text whose quotes are missing.
    Text,
}

impl Word {
    fn of(word: &str) -> Word {
        match word {
            _ if word.eq_ignore_ascii_case("null") => Word::Null,
            _ if word.eq_ignore_ascii_case("true") => Word::Bool(true),
            _ if word.eq_ignore_ascii_case("false") => Word::Bool(false),
            _ if is_number(word) => Word::Number,
            _ => Word::Text,
        }
    }
}

/// Whether this is a number in JSON's grammar.
fn is_number(word: &str) -> bool {
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (word, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

/// The most decimals with which a number is a float.
const DECIMALS_MAX: i64 = 16;

/// A number: whole, float, or a text of its digits where it is neither.
fn number(word: &str) -> Owned<'_> {
    let (mantissa, exponent) = match word.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i64>().unwrap_or(i64::MAX))),
        None => (word, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    match exponent {
        None if !mantissa.contains('.') => {
            word.parse().map_or_else(|_| Owned::Text(Cow::Borrowed(word)), Owned::I64)
        }
        None => float(word, fraction.len() as i64),
        Some(exponent) => scientific(word, whole, fraction, exponent),
    }
}

fn float(word: &str, decimals: i64) -> Owned<'_> {
    match word.parse::<f64>() {
        // The decimal arithmetic of the original knows no negative zero.
        Ok(it) if it == 0.0 && decimals <= DECIMALS_MAX => Owned::F64(0.0),
        Ok(it) if it.is_finite() && decimals <= DECIMALS_MAX => Owned::F64(it),
        _ => Owned::Text(Cow::Borrowed(word)),
    }
}

/// A number with an exponent is a whole one if it has no decimals when it is written out.
fn scientific<'a>(word: &'a str, whole: &str, fraction: &str, exponent: i64) -> Owned<'a> {
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |it| ("-", it));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Owned::I64(0);
    }
    let decimals = (fraction.len() as i64).saturating_sub(exponent);
    let stripped = decimals.saturating_sub((digits.len() - significant.len()) as i64);
    if decimals.unsigned_abs() as usize > THINGSBOARD_DIGITS_MAX {
        return Owned::Text(Cow::Borrowed(word));
    }
    if stripped <= 0 {
        let plain = format!("{sign}{significant}{}", "0".repeat(stripped.unsigned_abs() as usize));
        return plain.parse().map_or(Owned::Text(Cow::Owned(plain)), Owned::I64);
    }
    if decimals <= DECIMALS_MAX
        && let Ok(it) = word.parse::<f64>()
        && it.is_finite()
    {
        return Owned::F64(it);
    }
    let decimals = decimals.unsigned_abs() as usize;
    let padded = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, fraction) = padded.split_at(padded.len() - decimals);
    Owned::Text(Cow::Owned(format!("{sign}{whole}.{fraction}")))
}

/// A text, or the number that it looks like: digits with at most one point, and no exponent.
fn text(it: Cow<'_, str>) -> Owned<'_> {
    let unsigned = it.strip_prefix('-').unwrap_or(&it);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let looks_like_one =
        !unsigned.is_empty() && !unsigned.ends_with('.') && is_digits(whole) && is_digits(fraction);
    if !looks_like_one {
        return Owned::Text(it);
    }
    if unsigned.contains('.') {
        return match float(&it, fraction.len() as i64) {
            Owned::F64(number) => Owned::F64(number),
            _ => Owned::Text(it),
        };
    }
    match it.parse() {
        Ok(number) => Owned::I64(number),
        Err(_) => {
            let sign = if it.starts_with('-') { "-" } else { "" };
            Owned::Text(Cow::Owned(format!("{sign}{}", whole.trim_start_matches('0'))))
        }
    }
}

/// The JSON text of the value that `token` begins, without blanks, members in their order.
pub(super) fn compact<'a>(reader: &mut Reader<'a>, token: Token<'a>) -> Result<String, Mistake> {
    let mut to = String::new();
    let mut depth = 0;
    let mut token = token;
    // Whether something stands before, on the same level.
    let mut has_before = false;
    loop {
        let closes = matches!(token, Token::Close(_));
        if has_before && !closes {
            to.push(',');
        }
        has_before = true;
        match &token {
            Token::Open(bracket) => {
                to.push(if *bracket == Bracket::Object { '{' } else { '[' });
                depth += 1;
                has_before = false;
            }
            Token::Close(bracket) => {
                to.push(if *bracket == Bracket::Object { '}' } else { ']' });
                depth -= 1;
            }
            Token::Name(it) => {
                quote(&mut to, it);
                to.push(':');
                has_before = false;
            }
            Token::Text(it) => quote(&mut to, it),
            Token::Word(word) => match Word::of(word) {
                Word::Null => to.push_str("null"),
                Word::Bool(it) => to.push_str(if it { "true" } else { "false" }),
                Word::Number => to.push_str(word),
                Word::Text => quote(&mut to, word),
            },
        }
        if depth == 0 && !matches!(token, Token::Name(_)) {
            return Ok(to);
        }
        token = reader.token()?;
    }
}

/// Appends a text in quotes.
pub(super) fn quote(to: &mut String, text: &str) {
    to.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        to.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        if escape.is_empty() {
            // Writing to a string cannot fail.
            write!(to, "\\u{byte:04x}").ok();
        } else {
            to.push_str(escape);
        }
    }
    to.push_str(&text[plain_from..]);
    to.push('"');
}

/// Appends a value as JSON; a float keeps its point: 42.0 (spec 5.3).
pub(super) fn print(to: &mut String, value: Value<'_>) {
    match value {
        Value::Bool(it) => to.push_str(if it { "true" } else { "false" }),
        // Writing to a string cannot fail.
        Value::I64(it) => _ = write!(to, "{it}"),
        Value::F64(it) if it.is_finite() => _ = write!(to, "{it:?}"),
        Value::F64(it) => _ = write!(to, "\"{it}\""),
        Value::Text(it) => quote(to, it),
        Value::Json(it) => to.push_str(it),
        Value::Bytes(it) => quote(to, &String::from_utf8_lossy(it)),
    }
}

/// Appends points as an object.
pub(super) fn print_points(to: &mut String, points: &Points) {
    to.push('{');
    for (at, (key, value)) in points.iter().enumerate() {
        if at > 0 {
            to.push(',');
        }
        quote(to, key);
        to.push(':');
        print(to, value);
    }
    to.push('}');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn read(text: &str) -> Typed<'_> {
        let mut reader = Reader::new(text);
        let token = reader.token().unwrap();
        typed(&mut reader, token).unwrap()
    }

    fn text(it: &str) -> Typed<'static> {
        Some(Owned::Text(Cow::Owned(it.to_owned())))
    }

    fn json(it: &str) -> Typed<'static> {
        Some(Owned::Json(it.to_owned()))
    }

    fn whole(it: i64) -> Typed<'static> {
        Some(Owned::I64(it))
    }

    fn float(it: f64) -> Typed<'static> {
        Some(Owned::F64(it))
    }

    fn check(rows: &[(&str, Typed<'_>)]) {
        for (written, expected) in rows {
            assert_eq!(read(written), *expected, "{written}");
        }
    }

    #[test]
    fn numbers_are_typed_as_the_table_says() {
        check(&[
            // Truth values and nothing.
            ("true", Some(Owned::Bool(true))),
            ("False", Some(Owned::Bool(false))),
            ("null", None),
            ("NULL", None),
            // Whole numbers.
            ("73", whole(73)),
            ("-3", whole(-3)),
            ("0", whole(0)),
            ("-0", whole(0)),
            ("9223372036854775807", whole(i64::MAX)),
            ("-9223372036854775808", whole(i64::MIN)),
            ("1e3", whole(1000)),
            ("1E+1", whole(10)),
            ("1.5e1", whole(15)),
            ("1.0E1", whole(10)),
            ("100e-2", whole(1)),
            ("0e5", whole(0)),
            ("0.0e-99999", whole(0)),
            // Floats.
            ("42.0", float(42.0)),
            ("1.1", float(1.1)),
            ("-0.5", float(-0.5)),
            ("-0.0", float(0.0)),
            ("101E-1", float(10.1)),
            ("1.25e1", float(12.5)),
            ("1.1234567890123456", float(1.123_456_789_012_345_6)),
            // Whole numbers that are too large, and decimals that are too long, are the text of their digits.
            ("9223372036854775808", text("9223372036854775808")),
            ("1E19", text("10000000000000000000")),
            ("9.9701010061400066E19", text("99701010061400066000")),
            ("-1E19", text("-10000000000000000000")),
            ("1.12345678901234567", text("1.12345678901234567")),
            ("1e-17", text("0.00000000000000001")),
            ("-12e-18", text("-0.000000000000000012")),
            // A few bytes must not become megabytes.
            ("1e400", text(&format!("1{}", "0".repeat(400)))),
            ("1e401", text("1e401")),
            ("1e999999999999999999999", text("1e999999999999999999999")),
            ("1e-999999999", text("1e-999999999")),
        ]);
    }

    #[test]
    fn texts_and_json_are_typed_as_the_table_says() {
        check(&[
            // Texts, and texts that look like numbers.
            (r#""on""#, text("on")),
            ("on", text("on")),
            (r#""""#, text("")),
            (r#""42""#, whole(42)),
            (r#""-7""#, whole(-7)),
            (r#""007""#, whole(7)),
            ("007", whole(7)),
            (r#""1.5""#, float(1.5)),
            (r#""42.0""#, float(42.0)),
            (r#"".5""#, float(0.5)),
            (r#""5.""#, text("5.")),
            (r#"".""#, text(".")),
            (r#""-""#, text("-")),
            (r#""+5""#, text("+5")),
            (r#""1e5""#, text("1e5")),
            (r#"" 42""#, text(" 42")),
            (r#""1.2.3""#, text("1.2.3")),
            (r#""12:30""#, text("12:30")),
            (r#""10000000000000000000""#, text("10000000000000000000")),
            (r#""0010000000000000000000""#, text("10000000000000000000")),
            (r#""1.12345678901234567""#, text("1.12345678901234567")),
            (r#""true""#, text("true")),
            (r#""null""#, text("null")),
            ("NaN", text("NaN")),
            // JSON, compact and in its order; numbers as they were written.
            (r#"{ "b" : 1.0, "a" : [ 1 , "2", null ] }"#, json(r#"{"b":1.0,"a":[1,"2",null]}"#)),
            ("[]", json("[]")),
            ("{a:{b:c},d:TRUE}", json(r#"{"a":{"b":"c"},"d":true}"#)),
            (r#"["q\"\\\u0001ä"]"#, json(r#"["q\"\\\u0001ä"]"#)),
        ]);
    }

    #[test]
    fn values_are_printed_with_their_type() {
        for (value, expected) in [
            (Value::Bool(true), "true"),
            (Value::I64(73), "73"),
            (Value::F64(42.0), "42.0"),
            (Value::F64(-0.5), "-0.5"),
            (Value::F64(1e300), "1e300"),
            (Value::Text("a\"b\n"), r#""a\"b\n""#),
            (Value::Json(r#"{"a":[1]}"#), r#"{"a":[1]}"#),
        ] {
            let mut to = String::new();
            print(&mut to, value);
            assert_eq!(to, expected);
            serde_json::from_str::<serde_json::Value>(&to).unwrap();
        }
        let mut points = Points::new();
        points.push("a", Value::I64(1));
        points.push("ä\"", Value::F64(2.0));
        let mut to = String::new();
        print_points(&mut to, &points);
        assert_eq!(to, r#"{"a":1,"ä\"":2.0}"#);
    }
}
