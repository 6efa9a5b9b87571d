//! Devices that fetch over HTTP what there is for them: each request waits for the next notice of one kind.
//!
//! A request waits here until there is something or its client gives up. Nothing is kept for requests to come:
//! commands wait in the platform, attributes are asked for.

use std::collections::HashMap;

use dialects::thingsboard::http::device::{Awaited, polled};
use domain::{Code, Device, DeviceId, Notice, Refusal};
use parking_lot::Mutex;
use platform::{Receipt, Told};
use tokio::sync::oneshot;

use crate::limits;

/// The requests that wait.
#[derive(Default)]
pub(crate) struct Polls(Mutex<HashMap<DeviceId, Vec<Poll>>>);

struct Poll {
    awaited: Awaited,
    to: oneshot::Sender<String>,
}

impl Polls {
    /// A request waits for the next notice of this kind.
    ///
    /// Refuses with [`Code::TooMany`].
    pub(crate) fn wait(
        &self,
        device: &Device,
        awaited: Awaited,
    ) -> Result<oneshot::Receiver<String>, Refusal> {
        let mut waiting = self.0.lock();
        if waiting.len() >= limits::POLLING_DEVICE_COUNT_MAX {
            waiting.retain(|_, polls| polls.iter().any(|it| !it.to.is_closed()));
        }
        let is_known = waiting.contains_key(&device.id);
        if !is_known && waiting.len() >= limits::POLLING_DEVICE_COUNT_MAX {
            return Err(Refusal::new(Code::TooMany, "Too many devices wait already. Try again later."));
        }
        let polls = waiting.entry(device.id).or_default();
        polls.retain(|it| !it.to.is_closed());
        if polls.len() >= limits::POLLS_PER_DEVICE_COUNT_MAX {
            return Err(Refusal::new(Code::TooMany, "Too many requests of the device wait already."));
        }
        let (to, receiver) = oneshot::channel();
        polls.push(Poll { awaited, to });
        Ok(receiver)
    }

    /// Answers those who wait for this: a command goes to one, a change of attributes to all.
    pub(crate) fn tell(&self, device: &Device, notice: &Notice<'_>, receipt: &mut Option<Receipt>) -> Told {
        let mut waiting = self.0.lock();
        let Some(polls) = waiting.get_mut(&device.id) else { return Told::Absent };
        let Some((awaited, text)) = polled(notice) else { return Told::Absent };
        let mut told = Told::Absent;
        let mut rest = Vec::new();
        for poll in polls.drain(..) {
            let is_meant =
                poll.awaited == awaited && (awaited == Awaited::Attributes || told == Told::Absent);
            if !is_meant {
                rest.push(poll);
            } else if poll.to.send(text.clone()).is_ok() {
                told = Told::Taken;
            }
        }
        if rest.is_empty() {
            waiting.remove(&device.id);
        } else {
            *polls = rest;
        }
        drop(waiting);
        if let Some(receipt) = receipt.take_if(|_| told == Told::Taken) {
            receipt.delivered();
        }
        told
    }
}
