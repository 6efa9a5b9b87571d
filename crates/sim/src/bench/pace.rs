//! When the next message of an open loop is due, and how to wait for it.
//!
//! `poll` waits in whole milliseconds, and asking again and again would take a processor from the server that is
//! measured. A timer of the kernel's, seen by `poll` like a socket, wakes us to within some microseconds.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

const NS_PER_S: u64 = 1_000_000_000;

/// The timetable of all publishers: message `k` is due at `k / rate`, and is publisher `k % count`'s. Messages may be
/// due in bursts, several at the time of the first of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timetable {
    start_ns: u64,
    rate_per_s: f64,
    publishers: u64,
    burst: u64,
}

impl Timetable {
    /// A timetable that starts at `start_ns`.
    pub(super) fn new(start_ns: u64, rate_per_s: f64, publishers: usize, burst: usize) -> Timetable {
        Timetable { start_ns, rate_per_s, publishers: publishers as u64, burst: burst as u64 }
    }

    /// When message `k` of all is due.
    pub(super) fn due_ns(&self, k: u64) -> u64 {
        let first = k - k % self.burst;
        self.start_ns + (first as f64 / self.rate_per_s * NS_PER_S as f64) as u64
    }

    /// When a publisher's own message `m` is due.
    pub(super) fn due_of(&self, publisher: usize, m: u64) -> u64 {
        self.due_ns(m * self.publishers + publisher as u64)
    }

    /// Whose message `k` is.
    pub(super) fn publisher_of(&self, k: u64) -> usize {
        (k % self.publishers) as usize
    }
}

/// An alarm that `poll` reports like a socket.
pub(super) struct Alarm(OwnedFd);

impl Alarm {
    /// An alarm that is reported as `token`.
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Alarm> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Alarm(timer))
    }

    /// Wakes once, in so many nanoseconds; an earlier setting is forgotten.
    pub(super) fn set(&self, in_ns: u64) -> io::Result<()> {
        let in_ns = in_ns.max(1);
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: (in_ns / NS_PER_S) as i64, tv_nsec: (in_ns % NS_PER_S) as _ },
        };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_spread_evenly_over_time_and_publishers() {
        let timetable = Timetable::new(1_000, 10_000.0, 100, 1);
        assert_eq!(timetable.due_ns(0), 1_000);
        assert_eq!(timetable.due_ns(10_000), 1_000 + NS_PER_S);
        assert_eq!((timetable.publisher_of(0), timetable.publisher_of(199)), (0, 99));
        assert_eq!(timetable.due_of(99, 1), timetable.due_ns(199));
    }

    #[test]
    fn a_burst_is_due_at_once() {
        let timetable = Timetable::new(0, 1_000.0, 7, 10);
        let due_ms = |k| timetable.due_ns(k) / 1_000_000;
        assert_eq!([0, 9, 10, 19, 20].map(due_ms), [0, 0, 10, 10, 20]);
    }
}
