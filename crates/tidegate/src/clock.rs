//! The one place that reads a clock. Everything below the binary is told the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::Millis;

/// Wall-clock and monotonic time in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts at 0 now.
    pub(crate) fn start() -> Clock {
        Clock { started: Instant::now() }
    }

    /// Milliseconds since the clock was started; never goes back.
    pub(crate) fn monotonic_ms(self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The moment when [`Clock::monotonic_ms`] is this.
    pub(crate) fn instant_at(self, monotonic_ms: u64) -> Instant {
        self.started + Duration::from_millis(monotonic_ms)
    }

    /// Milliseconds since the Unix epoch, as the machine believes.
    pub(crate) fn wall_ms(self) -> Millis {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as Millis)
    }
}
