//! How long things took: counts in buckets whose width grows with the value.
//!
//! Values below 256 ns have a bucket each; above, every doubling is divided into 128, so that a percentile is read to
//! within one per cent however long the tail. Recording is an index computed and a count raised.

/// Buckets of one doubling, as a power of two.
const DETAIL_BITS: u32 = 7;
const DETAIL: usize = 1 << DETAIL_BITS;
/// The longest time told apart: 2^42 ns are 73 minutes.
const VALUE_BITS_MAX: u32 = 42;
const BUCKET_COUNT: usize = (VALUE_BITS_MAX - DETAIL_BITS + 1) as usize * DETAIL;

/// A distribution of times in nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: vec![0; BUCKET_COUNT], count: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts one time.
    pub fn record(&mut self, ns: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(ns)) {
            *bucket += 1;
        }
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets.fill(0);
        (self.count, self.max_ns) = (0, 0);
    }

    /// Times counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest time, exactly; 0 without any.
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The time within which `share` (0 to 1) of all were done, rounded up to the end of its bucket; 0 without any.
    pub fn at(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return bucket_end(index).min(self.max_ns);
            }
        }
        self.max_ns
    }
}

/// The lower `2 * DETAIL` values are their own index; then each doubling adds `DETAIL`.
fn bucket_of(ns: u64) -> usize {
    let doublings = (u64::BITS - ns.leading_zeros()).saturating_sub(DETAIL_BITS + 1);
    let index = doublings as usize * DETAIL + (ns >> doublings) as usize;
    index.min(BUCKET_COUNT - 1)
}

/// The largest value of a bucket.
fn bucket_end(index: usize) -> u64 {
    let doublings = (index / DETAIL).saturating_sub(1);
    ((index - doublings * DETAIL + 1) as u64) << doublings as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_within_its_bucket_and_the_bucket_is_narrow() {
        let mut ns = 1_u64;
        while ns < 1 << 41 {
            for value in [ns - 1, ns, ns + 1, ns + ns / 3] {
                let end = bucket_end(bucket_of(value));
                assert!(end > value, "{value} is beyond its bucket's end {end}");
                assert!(end - value <= 1 + value / DETAIL as u64, "{value} is put at {end}");
            }
            ns *= 2;
        }
    }

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for index in 1..BUCKET_COUNT {
            let start = bucket_end(index - 1);
            assert_eq!(bucket_of(start), index, "bucket {index} starts at {start}");
        }
    }

    #[test]
    fn percentiles_are_those_of_a_sorted_list() {
        let mut histogram = Histogram::default();
        for value in (1..=100_000_u64).rev() {
            histogram.record(value * 100);
        }
        for (share, expected) in [(0.5, 5_000_000.0), (0.99, 9_900_000.0), (0.999, 9_990_000.0)] {
            let error = (histogram.at(share) as f64 - expected) / expected;
            assert!((0.0..0.01).contains(&error), "{share}: {}", histogram.at(share));
        }
        assert_eq!(
            (histogram.at(1.0), histogram.max_ns(), histogram.count()),
            (10_000_000, 10_000_000, 100_000)
        );
    }

    #[test]
    fn nothing_and_far_too_long_are_no_trouble() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.at(0.5), 0);
        histogram.record(u64::MAX);
        assert_eq!((histogram.max_ns(), histogram.count()), (u64::MAX, 1));
        histogram.clear();
        assert_eq!((histogram.at(0.99), histogram.count()), (0, 0));
    }
}
