//! The little that rows are written and read with: fixed-width numbers, and texts and bytes with a length before them.
//!
//! Numbers are big-endian, so that those in keys sort. Reading never panics: what is missing or wrong gives `None`,
//! and the caller reports a corrupt row.

/// Appends to a row.
pub(crate) trait Put {
    /// Appends bytes as they are.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    fn put_u8(&mut self, it: u8) {
        self.put(&[it]);
    }

    /// Appends four bytes.
    fn put_u32(&mut self, it: u32) {
        self.put(&it.to_be_bytes());
    }

    /// Appends eight bytes.
    fn put_u64(&mut self, it: u64) {
        self.put(&it.to_be_bytes());
    }

    /// Appends a float as its bits.
    fn put_f64(&mut self, it: f64) {
        self.put_u64(it.to_bits());
    }

    /// Appends a number in as few bytes as it needs, seven bits in each, the lowest first.
    fn put_varint(&mut self, mut it: u64) {
        while it >= 0x80 {
            self.put_u8(it as u8 | 0x80);
            it >>= 7;
        }
        self.put_u8(it as u8);
    }

    /// Appends a signed number in the same way; small ones are short on either side of 0.
    fn put_signed(&mut self, it: i64) {
        self.put_varint(((it << 1) ^ (it >> 63)) as u64);
    }

    /// Appends the length (four bytes), then the bytes.
    fn put_sized(&mut self, bytes: &[u8]) {
        self.put_u32(bytes.len() as u32);
        self.put(bytes);
    }

    /// Appends 0, or 1 and what `put` appends.
    fn put_option<T>(&mut self, it: Option<&T>, put: impl FnOnce(&mut Self, &T))
    where
        Self: Sized,
        T: ?Sized,
    {
        match it {
            None => self.put_u8(0),
            Some(it) => {
                self.put_u8(1);
                put(self, it);
            }
        }
    }

    /// Appends a text that may be absent.
    fn put_text_option(&mut self, it: Option<&str>)
    where
        Self: Sized,
    {
        self.put_option(it, |to, it| to.put_sized(it.as_bytes()));
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Reads a row from its start.
#[derive(Clone, Copy)]
pub(crate) struct Take<'a> {
    rest: &'a [u8],
}

impl<'a> Take<'a> {
    /// Reads these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Take<'a> {
        Take { rest: bytes }
    }

    /// The next so many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    /// One byte.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[it]| it)
    }

    /// Two bytes.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A float from its bits.
    pub(crate) fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    /// What [`Put::put_varint`] wrote.
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7F);
            if shift == 63 && part > 1 {
                return None;
            }
            number |= part << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// What [`Put::put_signed`] wrote.
    pub(crate) fn signed(&mut self) -> Option<i64> {
        self.varint().map(|it| (it >> 1) as i64 ^ -((it & 1) as i64))
    }

    /// One byte, 0 or 1.
    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Bytes with their length before them.
    pub(crate) fn sized(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()?;
        self.bytes(count as usize)
    }

    /// A text with its length before it.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.sized()?).ok()
    }

    /// The same, owned.
    pub(crate) fn string(&mut self) -> Option<String> {
        self.text().map(str::to_owned)
    }

    /// Something that may be absent. The outer `None` is a damaged row.
    pub(crate) fn option<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.flag()? {
            false => Some(None),
            true => take(self).map(Some),
        }
    }

    /// All that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// All that is left, as text.
    pub(crate) fn rest_text(self) -> Option<&'a str> {
        std::str::from_utf8(self.rest).ok()
    }

    /// Gives `it` when nothing is left.
    pub(crate) fn end<T>(self, it: T) -> Option<T> {
        self.rest.is_empty().then_some(it)
    }
}
