//! The slots for registrations that wait for the store, and the line of gateways in front of them.
//!
//! An organisation has 128 slots by default (spec watson 2.7). A slot is taken by a registration until its ticket is
//! stored. When all are taken, a gateway that asks is told which ticket to wait for and gets a place in the line; it
//! leaves the line with each registration, so gateways with many new devices take turns. Free slots belong to the front
//! of the line first, and while others wait, nobody takes more than an equal share of all slots. A gateway that was
//! called and does not come within two seconds loses its place, so that closed connections hold nobody up.

use std::collections::VecDeque;

use domain::{DeviceId, Millis};
use store::Ticket;

use crate::limits::{REGISTRATION_LINE_COUNT_MAX, REGISTRATION_TURN_MS_MAX};

/// The slots of one organisation.
#[derive(Default)]
pub(crate) struct Slots {
    /// Registrations that are not stored yet, oldest first.
    pending: VecDeque<Pending>,
    line: VecDeque<Place>,
}

/// A registration that is not stored yet.
struct Pending {
    gateway: DeviceId,
    ticket: Ticket,
}

/// A gateway's place in the line.
struct Place {
    gateway: DeviceId,
    /// It is called when this is stored.
    called_by: Ticket,
    asked_ms: Millis,
}

impl Slots {
    /// How many registrations are not stored yet.
    pub(crate) fn pending(&self, stored: Ticket) -> usize {
        self.pending.len() - self.pending.partition_point(|it| it.ticket <= stored)
    }

    /// Whether it is the gateway's turn: `Err` with the ticket after which it should ask again.
    /// `pending_count_max` is how many slots there are.
    pub(crate) fn ask(
        &mut self,
        gateway: DeviceId,
        pending_count_max: usize,
        stored: Ticket,
        now_ms: Millis,
    ) -> Result<(), Ticket> {
        self.settle(stored, now_ms);
        let place = self.line.iter().position(|it| it.gateway == gateway);
        // With nothing pending there is nothing to wait for, and everyone in front has been called already.
        let Some(oldest) = self.pending.front().map(|it| it.ticket) else {
            self.leave(place);
            return Ok(());
        };
        let free = pending_count_max.saturating_sub(self.pending.len());
        let own = self.pending.iter().filter(|it| it.gateway == gateway).count();
        let rivals = self.line.len() - usize::from(place.is_some());
        let share = (pending_count_max / (rivals + 1)).max(1);
        if place.unwrap_or(self.line.len()) < free && (rivals == 0 || own < share) {
            self.leave(place);
            return Ok(());
        }
        let line_len = self.line.len();
        match place.and_then(|it| self.line.get_mut(it)) {
            Some(place) => (place.called_by, place.asked_ms) = (oldest, now_ms),
            None if line_len < REGISTRATION_LINE_COUNT_MAX => {
                self.line.push_back(Place { gateway, called_by: oldest, asked_ms: now_ms });
            }
            None => {}
        }
        Err(oldest)
    }

    /// Takes a slot until the ticket is stored.
    pub(crate) fn take(&mut self, gateway: DeviceId, ticket: Ticket) {
        self.pending.push_back(Pending { gateway, ticket });
    }

    fn leave(&mut self, place: Option<usize>) {
        if let Some(place) = place {
            self.line.remove(place);
        }
    }

    fn settle(&mut self, stored: Ticket, now_ms: Millis) {
        while self.pending.front().is_some_and(|it| it.ticket <= stored) {
            self.pending.pop_front();
        }
        self.line.retain(|it| it.called_by > stored || now_ms < it.asked_ms + REGISTRATION_TURN_MS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use domain::limits::REGISTRATIONS_PENDING_COUNT_MAX;

    use super::*;

    const A: DeviceId = DeviceId(1);
    const B: DeviceId = DeviceId(2);
    const C: DeviceId = DeviceId(3);
    const LAST: u64 = REGISTRATIONS_PENDING_COUNT_MAX as u64;

    fn ask(slots: &mut Slots, gateway: DeviceId, stored: Ticket, now_ms: Millis) -> Result<(), Ticket> {
        slots.ask(gateway, REGISTRATIONS_PENDING_COUNT_MAX, stored, now_ms)
    }

    fn full() -> Slots {
        let mut slots = Slots::default();
        for ticket in 1..=LAST {
            assert_eq!(ask(&mut slots, A, Ticket::NONE, 0), Ok(()));
            slots.take(A, Ticket(ticket));
        }
        slots
    }

    #[test]
    fn the_line_is_served_in_turns() {
        let mut slots = full();
        assert_eq!(ask(&mut slots, B, Ticket::NONE, 0), Err(Ticket(1)));
        assert_eq!(ask(&mut slots, C, Ticket::NONE, 0), Err(Ticket(1)));
        // One slot is free, and B is first: neither C nor A gets it.
        assert_eq!(ask(&mut slots, C, Ticket(1), 1), Err(Ticket(2)));
        assert_eq!(ask(&mut slots, A, Ticket(1), 1), Err(Ticket(2)));
        assert_eq!(ask(&mut slots, B, Ticket(1), 1), Ok(()));
        slots.take(B, Ticket(LAST + 1));
        // B has more to register, but C and A are first now.
        assert_eq!(ask(&mut slots, B, Ticket(1), 1), Err(Ticket(2)));
        assert_eq!(ask(&mut slots, B, Ticket(2), 2), Err(Ticket(3)));
        assert_eq!(ask(&mut slots, C, Ticket(2), 2), Ok(()));
        slots.take(C, Ticket(LAST + 2));
    }

    #[test]
    fn while_others_wait_nobody_takes_more_than_a_share() {
        let mut slots = full();
        for gateway in [A, B] {
            assert_eq!(ask(&mut slots, gateway, Ticket::NONE, 0), Err(Ticket(1)));
        }
        // All slots are free again, and A asks before B can.
        let take_all = |slots: &mut Slots, gateway| {
            let mut taken = 0;
            while ask(slots, gateway, Ticket(LAST), 0).is_ok() {
                taken += 1;
                slots.take(gateway, Ticket(LAST + taken));
            }
            taken
        };
        assert_eq!(take_all(&mut slots, A), LAST / 2);
        // The last slot is kept for A, which is in front of B again.
        assert_eq!(take_all(&mut slots, B), LAST / 2 - 1);
    }

    #[test]
    fn a_gateway_that_does_not_come_loses_its_place() {
        let mut slots = full();
        assert_eq!(ask(&mut slots, B, Ticket::NONE, 0), Err(Ticket(1)));
        assert_eq!(ask(&mut slots, C, Ticket(1), 1), Err(Ticket(2)), "B was called and has its slot");
        assert_eq!(ask(&mut slots, C, Ticket(1), REGISTRATION_TURN_MS_MAX), Ok(()), "B did not come");
    }

    #[test]
    fn an_empty_store_queue_lets_anybody_in() {
        let mut slots = full();
        for gateway in 0..500 {
            assert_eq!(ask(&mut slots, DeviceId(gateway), Ticket::NONE, 0), Err(Ticket(1)));
        }
        assert_eq!(ask(&mut slots, DeviceId(499), Ticket(LAST), 0), Ok(()));
        slots.take(DeviceId(499), Ticket(LAST + 1));
        assert_eq!(slots.pending(Ticket(LAST)), 1);
        assert_eq!(
            ask(&mut slots, DeviceId(498), Ticket(LAST), 0),
            Err(Ticket(LAST + 1)),
            "rank 498 of 127 free"
        );
        assert_eq!(ask(&mut slots, DeviceId(0), Ticket(LAST), 0), Ok(()));
    }

    #[test]
    fn the_line_is_bounded_and_still_everyone_waits() {
        let mut slots = full();
        for gateway in 0..2 * REGISTRATION_LINE_COUNT_MAX as u64 {
            assert_eq!(ask(&mut slots, DeviceId(gateway), Ticket::NONE, 0), Err(Ticket(1)));
        }
        assert_eq!(slots.line.len(), REGISTRATION_LINE_COUNT_MAX);
    }
}
