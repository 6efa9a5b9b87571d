//! Permanent ids: `(milliseconds << 20) | counter`, strictly growing, never used twice.
//!
//! The clock alone cannot promise that, since it can be set back while the process is down. So a stretch ahead of the
//! last id is reserved in the store before any id of it is handed out, and a start begins behind the reservation.

use std::sync::Arc;

use domain::Millis;
use parking_lot::Mutex;
use store::{Change, Store, StoreFault};

use crate::limits::ID_RESERVATION_MS;

const SETTING: &str = "ids_reserved_until";
const COUNTER_BITS: u32 = 20;

/// Gives out ids.
pub(crate) struct Ids {
    store: Arc<dyn Store>,
    state: Mutex<State>,
}

struct State {
    last: u64,
    reserved_until: u64,
}

impl Ids {
    pub(crate) fn open(store: Arc<dyn Store>, now_ms: Millis) -> Result<Ids, StoreFault> {
        let reserved_until = match store.setting(SETTING)? {
            None => 0,
            Some(bytes) => match <[u8; 8]>::try_from(bytes.as_slice()) {
                Ok(bytes) => u64::from_le_bytes(bytes),
                Err(_) => return Err(StoreFault::Corrupt(format!("the setting {SETTING}"))),
            },
        };
        let last = reserved_until.max(now_ms << COUNTER_BITS);
        Ok(Ids { store, state: Mutex::new(State { last, reserved_until }) })
    }

    /// The next id whose counter is 0: its milliseconds alone tell it, and no other id has them with that counter. When
    /// there are more than one a millisecond, they run ahead of the clock.
    pub(crate) fn next_of_ms(&self, now_ms: Millis) -> (u64, Millis) {
        let mut state = self.state.lock();
        let ms = ((state.last >> COUNTER_BITS) + 1).max(now_ms);
        state.last = ms << COUNTER_BITS;
        self.reserve(&mut state);
        (state.last, ms)
    }

    /// The id of [`Ids::next_of_ms`] that these milliseconds tell.
    pub(crate) fn of_ms(ms: Millis) -> Option<u64> {
        ms.checked_mul(1 << COUNTER_BITS)
    }

    /// The next id. A reservation that it needs is handed to the store first, so it has an earlier ticket than
    /// anything that carries the id.
    pub(crate) fn next(&self, now_ms: Millis) -> u64 {
        let mut state = self.state.lock();
        state.last = (state.last + 1).max(now_ms << COUNTER_BITS);
        self.reserve(&mut state);
        state.last
    }

    fn reserve(&self, state: &mut State) {
        if state.last >= state.reserved_until {
            state.reserved_until = state.last + (ID_RESERVATION_MS << COUNTER_BITS);
            let value = state.reserved_until.to_le_bytes().to_vec();
            self.store.commit(Change::PutSetting { name: SETTING, value }.into());
        }
    }
}
