//! A place in a payload. It takes what is there, and says what is missing where; it never reads beyond the end.

use std::borrow::Cow;

use domain::{Code, Refusal};

/// Why an upload cannot be read, from this byte of the payload on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) code: Code,
    pub(super) at: usize,
    /// Ends a sentence.
    pub(super) what: Cow<'static, str>,
}

impl Wrong {
    pub(super) fn malformed(at: usize, what: impl Into<Cow<'static, str>>) -> Wrong {
        Wrong { code: Code::Malformed, at, what: what.into() }
    }

    pub(super) fn refusal(self, kind: Option<u8>) -> Refusal {
        let kind = kind.map(|it| format!(" of type {it}")).unwrap_or_default();
        let Wrong { code, at, what } = self;
        Refusal::new(code, format!("The upload{kind} cannot be read at byte {at}: {what}."))
    }
}

/// Bytes that are read one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    /// Where the rest begins in the payload.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: payload, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn wrong(&self, what: impl Into<Cow<'static, str>>) -> Wrong {
        Wrong::malformed(self.at, what)
    }

    /// The next `len` bytes, which are `what`.
    pub(super) fn take(&mut self, len: usize, what: &str) -> Result<Cursor<'a>, Wrong> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            let there = self.rest.len();
            return Err(self.wrong(format!("{what} should have {len} bytes, and there are {there}")));
        };
        let taken = Cursor { rest: taken, at: self.at };
        *self = Cursor { rest, at: self.at + len };
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Wrong> {
        let taken = self.take(N, what)?;
        taken.rest.first_chunk().copied().ok_or_else(|| taken.wrong("it is too short"))
    }

    pub(super) fn byte(&mut self, what: &str) -> Result<u8, Wrong> {
        self.array(what).map(|[it]| it)
    }

    pub(super) fn u16(&mut self, what: &str) -> Result<u16, Wrong> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, Wrong> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// The bytes before the next zero, which is stepped over.
    pub(super) fn until_zero(&mut self, what: &str) -> Result<Cursor<'a>, Wrong> {
        let Some(len) = self.rest.iter().position(|it| *it == 0) else {
            return Err(self.wrong(format!("{what} does not end with a zero byte")));
        };
        let taken = self.take(len, what)?;
        self.take(1, what)?;
        Ok(taken)
    }

    /// The rest as text.
    pub(super) fn text(&self) -> Result<&'a str, Wrong> {
        std::str::from_utf8(self.rest)
            .map_err(|it| Wrong::malformed(self.at + it.valid_up_to(), "this is not UTF-8 text"))
    }
}
