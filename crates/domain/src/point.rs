//! Telemetry: points, and the compact list in which the points of one message travel from the parser to the store.

/// A value of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// Any other number.
    F64(f64),
    /// Text.
    Text(&'a str),
    /// JSON text that is none of the above: an array, an object kept whole, `null`.
    Json(&'a str),
    /// Anything else, as it came.
    Bytes(&'a [u8]),
}

/// The points of one message, in one allocation: written by a dialect's parser, kept by the store as they are.
///
/// Layout of each entry: key length (u16 LE), key, tag (u8), then the value: tag 0 and 1 = false and true; 2 = i64 LE;
/// 3 = f64 LE bits; 4 = text, 5 = JSON, 6 = bytes, each as length (u32 LE) and content. This is also the stored form,
/// so a change here is a change of the store's format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
    bytes: Vec<u8>,
    count: u32,
}

impl Points {
    /// An empty list.
    pub fn new() -> Points {
        Points::default()
    }

    /// An empty list with room for so many bytes, before it has to grow.
    pub fn with_capacity(bytes: usize) -> Points {
        Points { bytes: Vec::with_capacity(bytes), count: 0 }
    }

    /// Appends a point. A key longer than 65,535 bytes is cut at a character boundary.
    pub fn push(&mut self, key: &str, value: Value<'_>) {
        let mut cut = key.len().min(u16::MAX as usize);
        while !key.is_char_boundary(cut) {
            cut -= 1;
        }
        let key = &key.as_bytes()[..cut];
        self.bytes.extend_from_slice(&(key.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(key);
        match value {
            Value::Bool(it) => self.bytes.push(u8::from(it)),
            Value::I64(it) => self.push_fixed(2, it.to_le_bytes()),
            Value::F64(it) => self.push_fixed(3, it.to_bits().to_le_bytes()),
            Value::Text(it) => self.push_sized(4, it.as_bytes()),
            Value::Json(it) => self.push_sized(5, it.as_bytes()),
            Value::Bytes(it) => self.push_sized(6, it),
        }
        self.count += 1;
    }

    fn push_fixed(&mut self, tag: u8, value: [u8; 8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(&value);
    }

    fn push_sized(&mut self, tag: u8, value: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// How many points the list holds.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether the list holds no point.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Forgets all points but keeps the allocation.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// The points in the order they were pushed.
    pub fn iter(&self) -> PointsIter<'_> {
        PointsIter { rest: &self.bytes }
    }

    /// The encoded list, as the store keeps it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads back what [`Points::as_bytes`] gave; `None` when the bytes are not such a list.
    pub fn from_bytes(bytes: &[u8]) -> Option<Points> {
        let mut iter = PointsIter { rest: bytes };
        let count = iter.by_ref().count() as u32;
        iter.rest.is_empty().then(|| Points { bytes: bytes.to_vec(), count })
    }
}

/// Walks a [`Points`] list.
#[derive(Clone, Debug)]
pub struct PointsIter<'a> {
    rest: &'a [u8],
}

impl<'a> PointsIter<'a> {
    fn take_point(rest: &'a [u8]) -> Option<((&'a str, Value<'a>), &'a [u8])> {
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let (key, rest) = rest.split_at_checked(u16::from_le_bytes(*len) as usize)?;
        let key = std::str::from_utf8(key).ok()?;
        let (&tag, rest) = rest.split_first()?;
        let (value, rest) = match tag {
            0 => (Value::Bool(false), rest),
            1 => (Value::Bool(true), rest),
            2 | 3 => {
                let (bytes, rest) = rest.split_first_chunk::<8>()?;
                let value = match tag {
                    2 => Value::I64(i64::from_le_bytes(*bytes)),
                    _ => Value::F64(f64::from_bits(u64::from_le_bytes(*bytes))),
                };
                (value, rest)
            }
            4..=6 => {
                let (len, rest) = rest.split_first_chunk::<4>()?;
                let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
                let value = match tag {
                    4 => Value::Text(std::str::from_utf8(bytes).ok()?),
                    5 => Value::Json(std::str::from_utf8(bytes).ok()?),
                    _ => Value::Bytes(bytes),
                };
                (value, rest)
            }
            _ => return None,
        };
        Some(((key, value), rest))
    }
}

impl<'a> Iterator for PointsIter<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (point, rest) = PointsIter::take_point(self.rest)?;
        self.rest = rest;
        Some(point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_as_they_went_in() {
        let pairs = [
            ("status.t", Value::F64(21.5)),
            ("status.n", Value::I64(-3)),
            ("status.on", Value::Bool(true)),
            ("", Value::Text("wärm")),
            ("status.list", Value::Json("[1,2]")),
            ("raw", Value::Bytes(&[0, 255])),
        ];
        let mut points = Points::new();
        for (key, value) in pairs {
            points.push(key, value);
        }
        assert_eq!(points.iter().collect::<Vec<_>>(), pairs);
        assert_eq!(Points::from_bytes(points.as_bytes()), Some(points.clone()));
        let cut = &points.as_bytes()[..points.as_bytes().len() - 1];
        assert_eq!(Points::from_bytes(cut), None);
    }
}
