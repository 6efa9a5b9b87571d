//! What a run has shown.

use super::plan::{Target, Workload};
use super::{Fault, Histogram, process};

/// What was spent on a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Clocks {
    pub(super) ns: u64,
    server_cpu_s: Option<f64>,
    own_cpu_s: Option<f64>,
}

impl Clocks {
    /// What has been spent so far.
    pub(super) fn read(target: Target, ns: u64) -> Result<Clocks, Fault> {
        let server_cpu_s = target.pid.map(process::cpu_s).transpose()?;
        Ok(Clocks { ns, server_cpu_s, own_cpu_s: process::cpu_s(std::process::id()).ok() })
    }

    /// What has been spent since an earlier reading.
    pub(super) fn since(&self, earlier: &Clocks) -> Clocks {
        let difference = |now: Option<f64>, then: Option<f64>| Some(now? - then?);
        Clocks {
            ns: self.ns - earlier.ns,
            server_cpu_s: difference(self.server_cpu_s, earlier.server_cpu_s),
            own_cpu_s: difference(self.own_cpu_s, earlier.own_cpu_s),
        }
    }
}

/// What one run has shown.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The shape of the traffic.
    pub workload: Workload,
    /// Deliveries; acknowledgements at ingest; connects in a storm; connections held when idle.
    pub counted: u64,
    /// Points in each of these, where messages are of readings.
    pub points_per_message: Option<usize>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Open loop: from when a message was due to its arrival. Closed loop: from writing to arrival, samples. Storm:
    /// from the first packet of the TCP handshake to CONNACK.
    pub latency: Histogram,
    /// CPU time of the server, user and system, where its process is known.
    pub server_cpu_s: Option<f64>,
    /// CPU time of the generator: near one second a second it is the generator that is measured.
    pub own_cpu_s: Option<f64>,
    /// Messages of QoS 0 that did not come.
    pub lost: u64,
    /// Messages or clients that were refused.
    pub failed: u64,
    /// Resident memory of the server for each idle connection.
    pub bytes_per_connection: Option<f64>,
}

impl Outcome {
    pub(super) fn new(workload: Workload, spent: Clocks) -> Outcome {
        Outcome {
            workload,
            counted: 0,
            points_per_message: None,
            seconds: spent.ns as f64 / 1e9,
            latency: Histogram::default(),
            server_cpu_s: spent.server_cpu_s,
            own_cpu_s: spent.own_cpu_s,
            lost: 0,
            failed: 0,
            bytes_per_connection: None,
        }
    }

    /// Counted in a second.
    pub fn rate_per_s(&self) -> f64 {
        self.counted as f64 / self.seconds
    }

    /// The server's CPU time for each that was counted, in microseconds.
    pub fn cpu_us(&self) -> Option<f64> {
        (self.counted > 0).then_some(self.server_cpu_s? * 1e6 / self.counted as f64)
    }

    /// Points in a second.
    pub fn points_per_s(&self) -> Option<f64> {
        Some(self.rate_per_s() * self.points_per_message? as f64)
    }

    /// The server's CPU time for each point, in microseconds.
    pub fn cpu_us_per_point(&self) -> Option<f64> {
        Some(self.cpu_us()? / self.points_per_message? as f64)
    }

    /// Processors that the server kept busy.
    pub fn server_cores(&self) -> Option<f64> {
        Some(self.server_cpu_s? / self.seconds)
    }

    /// Processors that the generator kept busy, of the one that it can.
    pub fn own_cores(&self) -> Option<f64> {
        Some(self.own_cpu_s? / self.seconds)
    }
}

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some((upper + lower) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([7.0]), Some(7.0));
        assert_eq!(median([]), None);
    }

    #[test]
    fn cpu_is_told_for_each_message() {
        let spent = Clocks { ns: 2_000_000_000, server_cpu_s: Some(1.0), own_cpu_s: None };
        let outcome = Outcome { counted: 4_000_000, ..Outcome::new(Workload::Pair, spent) };
        assert_eq!((outcome.rate_per_s(), outcome.cpu_us()), (2_000_000.0, Some(0.25)));
        assert_eq!((outcome.server_cores(), outcome.own_cores()), (Some(0.5), None));
        assert_eq!(Outcome::new(Workload::Pair, spent).cpu_us(), None);
    }
}
