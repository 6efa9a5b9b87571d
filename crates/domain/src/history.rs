//! Asking for telemetry: a series, an order of reading, and what many points come to.

use crate::{DeviceId, Millis, OrgId, Value};

/// All points of one key of a device. There is at most one point for each millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series<'a> {
    /// The organisation of the device.
    pub org: OrgId,
    /// The device.
    pub device: DeviceId,
    /// The points' key.
    pub key: &'a str,
}

/// In which order points are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// What the points of an interval come to.
///
/// All kinds of values count; only numbers have a least, a greatest and a sum. Whole numbers stay whole as long as no
/// other number is among them, as ThingsBoard has it (spec thingsboard 11.5).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Points of any kind.
    pub count: u64,
    /// The whole numbers among them.
    pub whole: Numbers<i64, i128>,
    /// The other numbers among them.
    pub float: Numbers<f64, f64>,
}

/// Numbers of one kind. Where `count` is 0 the rest means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers<T, S> {
    /// How many there are.
    pub count: u64,
    /// The least.
    pub min: T,
    /// The greatest.
    pub max: T,
    /// Their sum.
    pub sum: S,
}

impl Summary {
    /// Adds a point.
    pub fn add(&mut self, value: Value<'_>) {
        self.count += 1;
        match value {
            Value::I64(it) => {
                self.whole.merge(&Numbers { count: 1, min: it, max: it, sum: it.into() }, i64::min, i64::max);
            }
            Value::F64(it) => {
                self.float.merge(&Numbers { count: 1, min: it, max: it, sum: it }, f64::min, f64::max);
            }
            _ => {}
        }
    }

    /// Adds all points of another summary.
    pub fn merge(&mut self, other: &Summary) {
        self.count += other.count;
        self.whole.merge(&other.whole, i64::min, i64::max);
        self.float.merge(&other.float, f64::min, f64::max);
    }

    /// The least number; `None` when no point is a number.
    pub fn min(&self) -> Option<Value<'static>> {
        self.number(Value::I64(self.whole.min), self.whole.min as f64, self.float.min, f64::min)
    }

    /// The greatest number; `None` when no point is a number.
    pub fn max(&self) -> Option<Value<'static>> {
        self.number(Value::I64(self.whole.max), self.whole.max as f64, self.float.max, f64::max)
    }

    /// The sum of the numbers; `None` when no point is a number. A sum of whole numbers beyond 64 bits is not whole.
    pub fn sum(&self) -> Option<Value<'static>> {
        let sum = self.whole.sum as f64;
        let whole = i64::try_from(self.whole.sum).map_or(Value::F64(sum), Value::I64);
        self.number(whole, sum, self.float.sum, |a, b| a + b)
    }

    /// The mean of the numbers; `None` when no point is a number.
    pub fn avg(&self) -> Option<f64> {
        let count = self.whole.count + self.float.count;
        let float = if self.float.count == 0 { 0.0 } else { self.float.sum };
        (count > 0).then(|| (self.whole.sum as f64 + float) / count as f64)
    }

    fn number(
        &self,
        whole: Value<'static>,
        of_whole: f64,
        of_float: f64,
        both: impl FnOnce(f64, f64) -> f64,
    ) -> Option<Value<'static>> {
        match (self.whole.count, self.float.count) {
            (0, 0) => None,
            (_, 0) => Some(whole),
            (0, _) => Some(Value::F64(of_float)),
            _ => Some(Value::F64(both(of_whole, of_float))),
        }
    }
}

impl<T: Copy, S: Copy + std::ops::AddAssign> Numbers<T, S> {
    fn merge(&mut self, other: &Numbers<T, S>, min: fn(T, T) -> T, max: fn(T, T) -> T) {
        match (self.count, other.count) {
            (_, 0) => {}
            (0, _) => *self = *other,
            _ => {
                self.count += other.count;
                self.min = min(self.min, other.min);
                self.max = max(self.max, other.max);
                self.sum += other.sum;
            }
        }
    }
}

/// The intervals of `interval_ms` that a range is cut into, counted from its start; the last may be shorter. An
/// interval of 0 is the whole range. Gives the one that holds `at_ms`, which must be in the range.
pub fn interval_of(
    range: &std::ops::Range<Millis>,
    interval_ms: u64,
    at_ms: Millis,
) -> std::ops::Range<Millis> {
    let Some(number) = at_ms.saturating_sub(range.start).checked_div(interval_ms) else {
        return range.clone();
    };
    let start = range.start + number * interval_ms;
    start..start.saturating_add(interval_ms).min(range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: &[Value<'_>]) -> Summary {
        let mut summary = Summary::default();
        for value in values {
            summary.add(*value);
        }
        summary
    }

    #[test]
    fn whole_numbers_stay_whole_until_others_are_among_them() {
        let (two, five, half) = (Value::I64(2), Value::I64(-5), Value::F64(0.5));
        let whole = summary(&[two, five, Value::Text("7"), Value::Bool(true)]);
        assert_eq!((whole.count, whole.avg()), (4, Some(-1.5)));
        assert_eq!([whole.min(), whole.max(), whole.sum()], [Some(five), Some(two), Some(Value::I64(-3))]);
        let float = summary(&[half, Value::F64(-1.0)]);
        assert_eq!([float.min(), float.max()], [Some(Value::F64(-1.0)), Some(half)]);
        let mixed = summary(&[two, half]);
        assert_eq!(mixed.avg(), Some(1.25));
        let all = [mixed.min(), mixed.max(), mixed.sum()];
        assert_eq!(all, [Some(half), Some(Value::F64(2.0)), Some(Value::F64(2.5))]);
        let none = summary(&[Value::Json("null")]);
        assert_eq!((none.count, none.min(), none.max(), none.sum(), none.avg()), (1, None, None, None, None));
    }

    #[test]
    fn sums_of_whole_numbers_do_not_overflow() {
        let many = summary(&[Value::I64(i64::MAX), Value::I64(i64::MAX)]);
        assert_eq!(many.sum(), Some(Value::F64(2.0 * i64::MAX as f64)));
        let back = summary(&[Value::I64(i64::MAX), Value::I64(i64::MAX), Value::I64(-i64::MAX)]);
        assert_eq!(back.sum(), Some(Value::I64(i64::MAX)));
    }

    #[test]
    fn merging_is_adding_all_points() {
        let (some, others) = ([Value::I64(3), Value::F64(-0.5)], [Value::I64(-9), Value::Text("x")]);
        let mut merged = summary(&some);
        merged.merge(&summary(&others));
        merged.merge(&Summary::default());
        assert_eq!(merged, summary(&[some, others].concat()));
    }

    #[test]
    fn intervals_are_counted_from_the_start_and_end_with_the_range() {
        assert_eq!(interval_of(&(7..30), 10, 7), 7..17);
        assert_eq!(interval_of(&(7..30), 10, 29), 27..30);
        assert_eq!(interval_of(&(7..30), 0, 29), 7..30);
        assert_eq!(interval_of(&(5..u64::MAX), 10, u64::MAX - 1), (u64::MAX - 10)..u64::MAX);
    }
}
