//! Parts that several messages have: readings, values, claims.
//!
//! Where something returns a result in a result, the inner one is about this part only: the reader has stepped over all
//! of it, and goes on behind it.

use std::borrow::Cow;

use domain::{Millis, Points};

use super::super::json::{Bracket, Mistake, Reader, Token};
use super::super::value::typed;
use crate::limits::{THINGSBOARD_KEY_CHARS_MAX, THINGSBOARD_VALUES_COUNT_MAX};

/// The name of the next member; `None` behind the last one.
pub(super) fn member<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>, Mistake> {
    match reader.token()? {
        Token::Name(name) => Ok(Some(name)),
        _ => Ok(None),
    }
}

/// What was measured at one time; `None`: now.
pub(super) struct Measured {
    pub(super) at_ms: Option<Millis>,
    pub(super) points: Points,
}

/// What a member `metadata` of a reading is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Metadata {
    /// A value like any other.
    AsValue,
    /// What a gateway says of its own work (spec 3.11): never a value.
    Stripped,
}

/// The elements of a list of readings that has been opened.
pub(super) fn list_of_readings(
    reader: &mut Reader<'_>,
    metadata: Metadata,
    readings: &mut Vec<Measured>,
) -> Result<Result<(), &'static str>, Mistake> {
    let mut wrong = None;
    loop {
        match reader.token()? {
            Token::Close(_) => return Ok(wrong.map_or(Ok(()), Err)),
            Token::Open(Bracket::Object) => match reading(reader, metadata)? {
                Ok(measured) => readings.push(measured),
                Err(what) => _ = wrong.get_or_insert(what),
            },
            token => {
                reader.skip(&token)?;
                wrong.get_or_insert("an element of the list is not an object");
            }
        }
    }
}

/// An object that has been opened: with `ts` and `values` these values at that time, otherwise values as it is.
pub(super) fn reading(
    reader: &mut Reader<'_>,
    metadata: Metadata,
) -> Result<Result<Measured, &'static str>, Mistake> {
    let start = *reader;
    let (mut ts, mut inner, mut is_plain, mut wrong) = (None, None, true, None);
    while let Some(name) = member(reader)? {
        let token = reader.token()?;
        match (&*name, &token) {
            // What most readings are is read in one go.
            ("values", Token::Open(Bracket::Object)) => {
                inner = Some(values(reader)?);
                continue;
            }
            ("values", _) => inner = Some(Err("values is not an object")),
            ("ts", _) => ts = Some(token.clone()),
            ("metadata", _) if metadata == Metadata::Stripped => {
                wrong = wrong.or(metadata_fault(*reader, &token)?);
                is_plain = false;
            }
            _ => {}
        }
        reader.skip(&token)?;
    }
    if let Some(wrong) = wrong {
        return Ok(Err(wrong));
    }
    let (Some(ts), Some(inner)) = (ts, inner) else {
        let mut again = start;
        let skip = if is_plain { None } else { Some("metadata") };
        return Ok(values_but(&mut again, skip)?.map(|points| Measured { at_ms: None, points }));
    };
    let at_ms = match &ts {
        Token::Word(it) => millis(it),
        Token::Text(it) => millis(it),
        _ => None,
    };
    Ok(match at_ms {
        None => Err("ts is not a number of milliseconds"),
        at_ms => inner.map(|points| Measured { at_ms, points }),
    })
}

fn millis(text: &str) -> Option<Millis> {
    let whole = text.parse::<Millis>().ok();
    // What is written with a fraction or an exponent is cut to whole milliseconds.
    let is_time = |it: &f64| (0.0..9.0e15).contains(it);
    whole
        .filter(|it| *it < 9_000_000_000_000_000)
        .or_else(|| text.parse::<f64>().ok().filter(is_time).map(|it| it as Millis))
}

/// What is wrong with a gateway's metadata, if anything: it has to have its three members.
fn metadata_fault(mut reader: Reader<'_>, token: &Token<'_>) -> Result<Option<&'static str>, Mistake> {
    let fault = Some("metadata is not a connector with receivedTs and publishedTs");
    if *token != Token::Open(Bracket::Object) {
        return Ok(fault);
    }
    let mut found = [false; 3];
    while let Some(name) = member(&mut reader)? {
        let token = reader.token()?;
        let at = ["connector", "receivedTs", "publishedTs"].iter().position(|it| *it == name);
        match (at, &token) {
            (Some(0), Token::Text(_)) => found[0] = true,
            (Some(at @ (1 | 2)), Token::Word(it)) => found[at] = it.parse::<i64>().is_ok(),
            _ => {}
        }
        reader.skip(&token)?;
    }
    Ok(fault.filter(|_| found != [true; 3]))
}

/// The members of an object that has been opened, as values; `null` is none.
pub(super) fn values(reader: &mut Reader<'_>) -> Result<Result<Points, &'static str>, Mistake> {
    values_but(reader, None)
}

/// The same without one of them.
fn values_but(
    reader: &mut Reader<'_>,
    without: Option<&str>,
) -> Result<Result<Points, &'static str>, Mistake> {
    let (mut points, mut wrong) = (Points::new(), None);
    while let Some(name) = member(reader)? {
        let token = reader.token()?;
        if without == Some(&*name) {
            reader.skip(&token)?;
            continue;
        }
        if let Some(value) = typed(reader, token)? {
            points.push(&name, value.as_value());
        }
        if name.is_empty() {
            wrong = Some("a key is empty");
        } else if name.len() > THINGSBOARD_KEY_CHARS_MAX && name.chars().count() > THINGSBOARD_KEY_CHARS_MAX {
            wrong = Some("a key has more than 255 characters");
        } else if points.len() > THINGSBOARD_VALUES_COUNT_MAX {
            wrong = Some("there are too many values in it");
            points.clear();
        }
    }
    Ok(wrong.map_or(Ok(points), Err))
}

/// `{"secretKey":"…","durationMs":…}`, of which everything may be missing.
#[derive(Default)]
pub(super) struct Claim {
    pub(super) secret: String,
    pub(super) duration_ms: Option<Millis>,
}

/// Reads a claim that `token` begins.
pub(super) fn claim(
    reader: &mut Reader<'_>,
    token: Token<'_>,
) -> Result<Result<Claim, &'static str>, Mistake> {
    let mut claim = Claim::default();
    if token != Token::Open(Bracket::Object) {
        return Ok(Err("a claim is an object"));
    }
    let mut wrong = None;
    while let Some(name) = member(reader)? {
        let token = reader.token()?;
        match (&*name, &token) {
            (_, Token::Word("null")) => {}
            ("secretKey", Token::Text(it)) => claim.secret = it.to_string(),
            ("secretKey", Token::Word(it)) => claim.secret = (*it).to_owned(),
            ("durationMs", Token::Word(it)) => match it.parse::<i64>() {
                Ok(it) => claim.duration_ms = u64::try_from(it).ok().filter(|it| *it > 0),
                Err(_) => wrong = Some("durationMs is not a number of milliseconds"),
            },
            ("secretKey" | "durationMs", _) => {
                wrong = Some("a claim has secretKey, a text, and durationMs, a number");
            }
            _ => {}
        }
        reader.skip(&token)?;
    }
    Ok(wrong.map_or(Ok(claim), Err))
}
