//! How often something may happen. Time is an argument: nothing here looks at a clock.

use std::fmt;

use crate::Millis;
use crate::limits::{RATE_SECONDS_MAX, RATES_COUNT_MAX};

/// So many times in so many seconds, evenly: what was used comes back by and by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many times, at least 1.
    pub count: u32,
    /// In how many seconds, at least 1.
    pub seconds: u32,
}

/// Rates all of which hold; without any, there is no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates(Vec<Rate>);

impl Rates {
    /// One rate.
    pub fn of(rate: Rate) -> Rates {
        Rates(vec![rate])
    }

    /// Reads `count:seconds[,count:seconds…]`; an empty text is no bound (spec thingsboard 10). `None`: it is not of
    /// that form.
    pub fn parse(text: &str) -> Option<Rates> {
        if text.trim().is_empty() {
            return Some(Rates::default());
        }
        let rate = |it: &str| {
            let (count, seconds) = it.split_once(':')?;
            let rate = Rate { count: count.trim().parse().ok()?, seconds: seconds.trim().parse().ok()? };
            (rate.count > 0 && (1..=RATE_SECONDS_MAX).contains(&rate.seconds)).then_some(rate)
        };
        let rates: Vec<_> = text.split(',').map(rate).collect::<Option<_>>()?;
        (rates.len() <= RATES_COUNT_MAX).then_some(Rates(rates))
    }

    /// Whether there is no bound.
    pub fn is_unlimited(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Rate { count, seconds }) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{count}:{seconds}")?;
        }
        Ok(())
    }
}

/// What is left of rates: a bucket for each, full at first.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// What is left, in parts: as many parts make one time as the rate has milliseconds.
    parts: Vec<u64>,
    at_ms: Millis,
}

impl Rate {
    fn ms(self) -> u64 {
        u64::from(self.seconds) * 1_000
    }

    fn parts_max(self) -> u64 {
        u64::from(self.count) * self.ms()
    }
}

impl Buckets {
    /// Full ones.
    pub fn full(rates: &Rates, now_ms: Millis) -> Buckets {
        Buckets { parts: rates.0.iter().map(|it| it.parts_max()).collect(), at_ms: now_ms }
    }

    /// Lets come back what has come back until now. A clock that was set back gives nothing.
    fn refill(&mut self, rates: &Rates, now_ms: Millis) {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        self.at_ms = now_ms;
        for (parts, rate) in self.parts.iter_mut().zip(&rates.0) {
            let back = passed_ms.saturating_mul(u64::from(rate.count));
            *parts = parts.saturating_add(back).min(rate.parts_max());
        }
    }

    /// Whether it may happen so many times now. More than a bucket ever holds may happen when it is full: otherwise it
    /// never could.
    pub fn allow(&mut self, rates: &Rates, times: u64, now_ms: Millis) -> bool {
        self.refill(rates, now_ms);
        self.parts.iter().zip(&rates.0).all(|(parts, rate)| *parts >= cost(*rate, times))
    }

    /// It happens so many times.
    pub fn take(&mut self, rates: &Rates, times: u64) {
        for (parts, rate) in self.parts.iter_mut().zip(&rates.0) {
            *parts = parts.saturating_sub(cost(*rate, times));
        }
    }

    /// Whether nothing of it is used any more: it is as good as new.
    pub fn is_full(&mut self, rates: &Rates, now_ms: Millis) -> bool {
        self.refill(rates, now_ms);
        self.parts.iter().zip(&rates.0).all(|(parts, rate)| *parts == rate.parts_max())
    }
}

fn cost(rate: Rate, times: u64) -> u64 {
    times.min(u64::from(rate.count)) * rate.ms()
}

/// What a message, or several, count for (spec thingsboard 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages without points.
    pub messages: u64,
    /// Messages with points.
    pub readings: u64,
    /// Points.
    pub points: u64,
}

/// How much traffic there may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficRates {
    /// Of messages without points.
    pub messages: Rates,
    /// Of messages with points.
    pub readings: Rates,
    /// Of points.
    pub points: Rates,
}

impl TrafficRates {
    /// Whether there is no bound.
    pub fn is_unlimited(&self) -> bool {
        self.messages.is_unlimited() && self.readings.is_unlimited() && self.points.is_unlimited()
    }
}

/// What is left of it.
#[derive(Clone, Debug)]
pub struct Meter {
    messages: Buckets,
    readings: Buckets,
    points: Buckets,
}

impl Meter {
    /// A meter of which nothing is used.
    pub fn full(rates: &TrafficRates, now_ms: Millis) -> Meter {
        Meter {
            messages: Buckets::full(&rates.messages, now_ms),
            readings: Buckets::full(&rates.readings, now_ms),
            points: Buckets::full(&rates.points, now_ms),
        }
    }

    /// Counts traffic, all of it or, where a rate does not allow that, nothing: then it gives the rate.
    pub fn count<'r>(
        &mut self,
        rates: &'r TrafficRates,
        traffic: Traffic,
        now_ms: Millis,
    ) -> Result<(), &'r Rates> {
        let TrafficRates { messages, readings, points } = rates;
        let mut parts = [
            (&mut self.messages, messages, traffic.messages),
            (&mut self.readings, readings, traffic.readings),
            (&mut self.points, points, traffic.points),
        ];
        for (buckets, rates, times) in &mut parts {
            if *times > 0 && !buckets.allow(rates, *times, now_ms) {
                return Err(rates);
            }
        }
        for (buckets, rates, times) in parts {
            buckets.take(rates, times);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn rates(text: &str) -> Rates {
        Rates::parse(text).unwrap()
    }

    #[test]
    fn rates_are_read_and_written() {
        for (text, written) in [
            ("", ""),
            (" ", ""),
            ("100:1", "100:1"),
            ("100:1,2000:60", "100:1,2000:60"),
            (" 1 : 2 ,3:4", "1:2,3:4"),
        ] {
            assert_eq!(rates(text).to_string(), written);
        }
        for wrong in
            ["1", "1:", ":1", "0:1", "1:0", "1:1,", "-1:1", "1:1:1", "x:1", "1:86401", "5000000000:1"]
        {
            assert_eq!(Rates::parse(wrong), None, "{wrong}");
        }
        assert!(Rates::parse(&["1:1"; RATES_COUNT_MAX].join(",")).is_some());
        assert_eq!(Rates::parse(&["1:1"; RATES_COUNT_MAX + 1].join(",")), None);
    }

    fn happens(buckets: &mut Buckets, rates: &Rates, times: u64, now_ms: Millis) -> bool {
        let allowed = buckets.allow(rates, times, now_ms);
        if allowed {
            buckets.take(rates, times);
        }
        allowed
    }

    #[test]
    fn what_was_used_comes_back_evenly() {
        let rates = rates("10:1,15:60");
        let mut it = Buckets::full(&rates, 1_000);
        assert!(happens(&mut it, &rates, 4, 1_000) && happens(&mut it, &rates, 6, 1_000));
        assert!(!happens(&mut it, &rates, 1, 1_099) && happens(&mut it, &rates, 1, 1_100), "one in 100 ms");
        assert!(!happens(&mut it, &rates, 1, 500), "the clock was set back");
        assert!(happens(&mut it, &rates, 4, 2_000), "the last four of the minute");
        assert!(!happens(&mut it, &rates, 1, 4_000) && happens(&mut it, &rates, 1, 6_000), "one in 4 s");
        assert!(!it.is_full(&rates, 60_000) && it.is_full(&rates, 70_000));
        assert!(happens(&mut it, &rates, 1_000, 70_000), "more than it holds when it is full");
        assert!(!happens(&mut it, &rates, 1, 70_000));
        assert!(!it.is_full(&rates, 70_001) && it.is_full(&rates, u64::MAX));
    }

    #[test]
    fn traffic_is_counted_whole_or_not_at_all() {
        let rates = TrafficRates { messages: rates("1:1"), readings: rates("2:1"), points: rates("3:1") };
        let mut meter = Meter::full(&rates, 0);
        let reading = |points| Traffic { readings: 1, points, ..Traffic::default() };
        assert_eq!(meter.count(&rates, reading(2), 0), Ok(()));
        assert_eq!(meter.count(&rates, reading(2), 0), Err(&rates.points));
        assert_eq!(meter.count(&rates, reading(1), 0), Ok(()), "the message before has cost nothing");
        assert_eq!(meter.count(&rates, reading(0), 0), Err(&rates.readings));
        let message = Traffic { messages: 1, ..Traffic::default() };
        assert_eq!(meter.count(&rates, message, 0), Ok(()));
        assert_eq!(meter.count(&rates, message, 999), Err(&rates.messages));
        let mut free = Meter::full(&TrafficRates::default(), 0);
        assert_eq!(free.count(&TrafficRates::default(), reading(u64::MAX), 0), Ok(()));
    }
}
