//! What a message counts for, where traffic is bounded (spec thingsboard 10). It is counted before any of the message
//! is carried out: a message stands whole or not at all.

use std::rc::Rc;

use domain::{Intent, Refusal};
use platform::Sent;

use super::Connection;
use super::household::{Asked, Resident};

/// What a message comes to, collected while it is read.
#[derive(Default)]
pub(super) struct Bill {
    sent: Sent,
    /// Whose reading was the last: several of one device, side by side, are one message.
    last: Option<Rc<Resident>>,
    /// The first device behind the client that the message is about.
    child: Option<Rc<Resident>>,
}

impl Connection {
    /// A bill for a message; `None` while nothing is bounded.
    pub(super) fn new_bill(&self) -> Option<Box<Bill>> {
        let household = self.household.as_ref()?;
        household.metered.as_ref().map(|_| Box::default())
    }

    /// Puts one thing that a message asks for on its bill. That a device behind a gateway had to be found is a message,
    /// too.
    pub(super) fn bill(&self, bill: &mut Bill, of: &Rc<Resident>, asked: Asked, intent: &Intent<'_>) {
        let is_own = self.household.as_ref().is_some_and(|it| it.is_own(of));
        let traffic = if is_own { &mut bill.sent.own } else { &mut bill.sent.behind };
        match intent {
            Intent::Telemetry { points, .. } => {
                let goes_on = bill.last.as_ref().is_some_and(|it| Rc::ptr_eq(it, of));
                traffic.readings += u64::from(!goes_on);
                traffic.points += points.len() as u64;
                traffic.messages += u64::from(asked == Asked::Yes);
                bill.last = Some(Rc::clone(of));
            }
            Intent::Attach { .. } => traffic.messages += 1,
            _ => traffic.messages += 1 + u64::from(asked == Asked::Yes),
        }
        if !is_own && bill.child.is_none() {
            bill.child = Some(Rc::clone(of));
        }
    }

    /// Counts a message, or refuses it. A gateway is told for which device it has sent too much.
    pub(super) fn settle(&self, bill: &Bill) -> Result<(), Refusal> {
        let Some(metered) = self.household.as_ref().and_then(|it| it.metered.as_ref()) else { return Ok(()) };
        let hub = &self.worker.hub;
        hub.platform.count_sent(metered, bill.sent, self.wall_ms()).inspect_err(|_| {
            let Some(child) = &bill.child else { return };
            let name = hub.platform.name_in_org(&child.device);
            if let Some(push) = self.dialect.slow_down(self.version, &name) {
                hub.push(&self.seat.space, self.seat.subscriber(), &push, &mut None);
            }
        })
    }
}

impl Bill {
    /// Something that is about no device in particular.
    pub(super) fn note_other(&mut self) {
        self.sent.own.messages += 1;
    }
}
