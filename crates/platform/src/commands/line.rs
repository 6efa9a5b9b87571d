//! The commands that wait, are under way or are kept: a line for each device, in the order of creation.
//!
//! What is told and what is stored is decided by whoever calls: this is the bookkeeping, which knows when a command has
//! to be looked at again. It never calls anybody.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use domain::limits::{COMMANDS_PER_DEVICE_COUNT_MAX, COMMANDS_PER_ORG_BYTES_MAX};
use domain::{Command, CommandId, CommandState, Delivery, DeviceId, Keeping, Millis, OrgId, Reply};
use store::Aspect;

use super::rules::{CommandRules, Submission};
use super::{Done, Outgoing};

/// The commands of an organisation.
#[derive(Default)]
pub(crate) struct Commands {
    pub(super) lines: HashMap<DeviceId, Line>,
    /// Commands that are not done, by deadline.
    pub(super) due: BTreeSet<(Millis, DeviceId, CommandId)>,
    /// Commands under way, by the time at which something has to have come back.
    pub(super) checks: BTreeSet<(Millis, DeviceId, CommandId)>,
    /// Where a stored command is found.
    pub(super) places: HashMap<CommandId, DeviceId>,
    pub(super) bytes: usize,
    /// Stored commands that are done and make room for others, in the order of creation.
    replaceable: BTreeSet<(CommandId, DeviceId)>,
}

/// The commands of a device, oldest first.
#[derive(Default)]
pub(super) struct Line {
    next_number: u32,
    pub(super) list: VecDeque<Open>,
    /// Counts the attempts to deliver what waits.
    pub(super) visits: u64,
}

pub(super) struct Open {
    pub(super) command: Command,
    pub(super) number: u32,
    done: Option<Done>,
    /// How often it went out, for whatever reason.
    attempt_count: u32,
    /// How often it went out again because nothing came back.
    retried_count: u8,
    sent_ms: Millis,
    /// Its entry among the checks.
    check_ms: Option<Millis>,
}

impl Open {
    fn cost_bytes(&self) -> usize {
        let Command { body, answer, additional, .. } = &self.command;
        let rest = answer.as_ref().map_or(0, Vec::len) + additional.as_ref().map_or(0, String::len);
        size_of::<Open>() + body.size_bytes() + rest
    }

    pub(super) fn is_final(&self) -> bool {
        self.command.state.is_final(self.command.reply)
    }

    /// Whether it is done and kept only for as long as there is room. Nobody removes these, as the platform whose they
    /// are has no call for that.
    fn is_replaceable(&self) -> bool {
        let Command { keeping, delivery, .. } = &self.command;
        *keeping == Keeping::Stored && *delivery != Delivery::UntilTaken && self.is_final()
    }

    /// Whether nothing more is waited for when somebody has taken it to the device.
    pub(super) fn is_over_when_taken(&self) -> bool {
        let Command { reply, keeping, delivery, state, .. } = &self.command;
        match delivery {
            // An answer may have been quicker.
            Delivery::Once => *state == CommandState::Sent,
            _ => *reply == Reply::None && *keeping == Keeping::Passing,
        }
    }

    /// Whether an answer to it counts now.
    pub(super) fn awaits_answer(&self) -> bool {
        match self.command.delivery {
            Delivery::UntilTaken => self.command.reply == Reply::Wanted && !self.is_final(),
            Delivery::Once | Delivery::UntilAnswered => {
                self.command.state == CommandState::Sent || self.command.sent_ms.is_some()
            }
        }
    }

    /// Whether it is on its way since this attempt.
    pub(super) fn is_under_way(&self, id: CommandId, attempt: u32) -> bool {
        self.command.id == id && self.command.state == CommandState::Sent && self.attempt_count == attempt
    }

    /// Whether it went out and nothing has come back.
    pub(super) fn is_undelivered(&self, id: CommandId) -> bool {
        let waits = matches!(self.command.state, CommandState::Sent | CommandState::Queued);
        self.command.id == id && waits && self.attempt_count > 0
    }

    /// Until when those behind it have to wait for it, whatever comes.
    fn holds_up_until(&self, rules: &CommandRules) -> Option<Millis> {
        match (self.command.state, rules.submission) {
            (_, Submission::Burst) => None,
            (CommandState::Sent, _) => Some(self.command.deadline_ms),
            (CommandState::Delivered, Submission::AfterAnswer) if self.command.reply == Reply::Wanted => {
                Some(self.sent_ms.saturating_add(rules.answer_ms_max))
            }
            _ => None,
        }
    }
}

/// What a look at a command that is under way has shown.
pub(super) enum Checked {
    /// It holds those behind it up no longer.
    MakesWay,
    /// It is in the line again.
    GoesAgain,
    /// It went out as often as it may.
    Exhausted,
}

/// What a change of a command entails.
pub(super) struct Changed {
    pub(super) done: Option<Done>,
    pub(super) org: OrgId,
    /// What has to be stored of it.
    pub(super) aspect: Option<Aspect>,
}

impl Commands {
    /// Brings a stored command back. What was under way is delivered again.
    pub(crate) fn restore(&mut self, mut command: Command) {
        if matches!(command.state, CommandState::Sent) {
            command.state = match command.delivery {
                Delivery::Once => CommandState::Delivered,
                Delivery::UntilTaken | Delivery::UntilAnswered => CommandState::Queued,
            };
        }
        self.push(command, None);
    }

    pub(super) fn push(&mut self, command: Command, done: Option<Done>) {
        let (device, id) = (command.device, command.id);
        let line = self.lines.entry(device).or_default();
        let number = line.next_number;
        let open =
            Open { number, command, done, attempt_count: 0, retried_count: 0, sent_ms: 0, check_ms: None };
        line.next_number = line.next_number.wrapping_add(1);
        self.bytes += open.cost_bytes();
        if !open.is_final() {
            self.due.insert((open.command.deadline_ms, device, id));
        }
        if open.command.keeping == Keeping::Stored {
            self.places.insert(id, device);
        }
        if open.is_replaceable() {
            self.replaceable.insert((id, device));
        }
        line.list.push_back(open);
    }

    /// Forgets the commands of a device; gives those who waited.
    pub(crate) fn remove(&mut self, device: DeviceId) -> Vec<Done> {
        let Some(line) = self.lines.remove(&device) else { return Vec::new() };
        let mut waiting = Vec::new();
        for mut open in line.list {
            self.forget(&mut open);
            waiting.extend(open.done);
        }
        waiting
    }

    /// Forgets one command of a device.
    pub(super) fn remove_one(&mut self, device: DeviceId, id: CommandId) {
        let list = self.lines.get_mut(&device).map(|it| &mut it.list);
        let gone = list.and_then(|list| {
            let at = list.iter().position(|it| it.command.id == id)?;
            list.remove(at)
        });
        if let Some(mut gone) = gone {
            self.forget(&mut gone);
        }
    }

    fn forget(&mut self, open: &mut Open) {
        let (device, id) = (open.command.device, open.command.id);
        self.bytes -= open.cost_bytes();
        self.due.remove(&(open.command.deadline_ms, device, id));
        if let Some(at_ms) = open.check_ms.take() {
            self.checks.remove(&(at_ms, device, id));
        }
        self.places.remove(&id);
        self.replaceable.remove(&(id, device));
    }

    /// Forgets commands that are done and replaceable, the oldest first, until another one of so many bytes fits: those
    /// of the device while it has too many, anybody's while all together are too large. Gives them.
    pub(super) fn make_room(&mut self, device: DeviceId, bytes: usize) -> Vec<(DeviceId, CommandId)> {
        let mut gone = Vec::new();
        while self.lines.get(&device).is_some_and(|it| it.list.len() >= COMMANDS_PER_DEVICE_COUNT_MAX) {
            let line = self.lines.get(&device);
            let oldest = line.and_then(|it| it.list.iter().find(|it| it.is_replaceable()));
            let Some(id) = oldest.map(|it| it.command.id) else { break };
            self.remove_one(device, id);
            gone.push((device, id));
        }
        gone.append(&mut self.make_bytes(bytes));
        gone
    }

    /// The same until so many bytes more fit.
    pub(super) fn make_bytes(&mut self, bytes: usize) -> Vec<(DeviceId, CommandId)> {
        let mut gone = Vec::new();
        while self.bytes + bytes > COMMANDS_PER_ORG_BYTES_MAX {
            let Some((id, device)) = self.replaceable.first().copied() else { break };
            self.remove_one(device, id);
            gone.push((device, id));
        }
        gone
    }

    /// Lets what a device did not answer wait for it again, where it goes out until that.
    pub(super) fn remind(&mut self, device: DeviceId) {
        let list = self.lines.get_mut(&device).into_iter().flat_map(|it| &mut it.list);
        for open in list {
            let Command { state, delivery, .. } = &mut open.command;
            if *delivery == Delivery::UntilAnswered && *state == CommandState::Delivered {
                *state = CommandState::Queued;
            }
        }
    }

    /// Lets something happen to a command. One that is done is told of, and forgotten unless it is kept; a change of a
    /// stored one is stored. `None` when there is no such command.
    pub(super) fn change(
        &mut self,
        device: DeviceId,
        which: impl Fn(&Open) -> bool,
        change: impl FnOnce(&mut Command),
    ) -> Option<Changed> {
        let line = self.lines.get_mut(&device)?;
        let at = line.list.iter().position(which)?;
        let open = line.list.get_mut(at)?;
        self.bytes -= open.cost_bytes();
        let was_sent = open.command.state == CommandState::Sent;
        change(&mut open.command);
        // What waits again has not gone out, as far as anybody knows.
        let is_gone = was_sent && open.command.state != CommandState::Queued;
        if is_gone || open.command.state == CommandState::Delivered {
            open.command.sent_ms = Some(open.sent_ms);
        }
        self.bytes += open.cost_bytes();
        let (keeping, is_final) = (open.command.keeping, open.is_final());
        let aspect = match keeping {
            Keeping::Passing => None,
            Keeping::UntilDone if is_final => Some(Aspect::CommandGone(open.command.id)),
            Keeping::Stored | Keeping::UntilDone => Some(Aspect::Command(Arc::new(open.command.clone()))),
        };
        let mut changed = Changed { done: None, org: open.command.org, aspect };
        if is_final {
            self.due.remove(&(open.command.deadline_ms, device, open.command.id));
            if let Some(at_ms) = open.check_ms.take() {
                self.checks.remove(&(at_ms, device, open.command.id));
            }
            changed.done = open.done.take();
            if open.is_replaceable() {
                self.replaceable.insert((open.command.id, device));
            }
            if keeping != Keeping::Stored {
                self.bytes -= open.cost_bytes();
                line.list.remove(at);
            }
        }
        Some(changed)
    }

    /// The oldest command that waits, marked as on its way; `None` as well while one before it holds it up.
    pub(super) fn next_waiting(
        &mut self,
        device: DeviceId,
        rules: &CommandRules,
        now_ms: Millis,
    ) -> Option<Outgoing> {
        let list = &mut self.lines.get_mut(&device)?.list;
        if list.iter().any(|it| it.holds_up_until(rules).is_some_and(|until_ms| now_ms < until_ms)) {
            return None;
        }
        let open = list.iter_mut().find(|it| it.command.state == CommandState::Queued)?;
        open.command.state = CommandState::Sent;
        open.attempt_count = open.attempt_count.saturating_add(1);
        open.sent_ms = now_ms;
        let wait_ms = match open.command.keeping {
            Keeping::Stored | Keeping::UntilDone => Some(rules.delivery_ms_max),
            Keeping::Passing if rules.submission == Submission::AfterAnswer => Some(rules.answer_ms_max),
            Keeping::Passing => None,
        };
        let check_ms = wait_ms.map(|it| now_ms.saturating_add(it));
        let before = std::mem::replace(&mut open.check_ms, check_ms);
        let Command { id, body, .. } = &open.command;
        let outgoing =
            Outgoing { id: *id, attempt: open.attempt_count, number: open.number, body: body.clone() };
        if let Some(at_ms) = before {
            self.checks.remove(&(at_ms, device, outgoing.id));
        }
        if let Some(at_ms) = check_ms {
            self.checks.insert((at_ms, device, outgoing.id));
        }
        Some(outgoing)
    }

    /// Looks at the first command of which something should have come back by now.
    pub(super) fn check_first(
        &mut self,
        rules: &CommandRules,
        now_ms: Millis,
    ) -> Option<(DeviceId, CommandId, Checked)> {
        let first = self.checks.first().copied().filter(|(at_ms, ..)| *at_ms <= now_ms)?;
        self.checks.remove(&first);
        let (_, device, id) = first;
        let list = self.lines.get_mut(&device).map(|it| &mut it.list);
        let Some(open) = list.and_then(|it| it.iter_mut().find(|it| it.command.id == id)) else {
            return Some((device, id, Checked::MakesWay));
        };
        open.check_ms = None;
        let is_lost = open.command.state == CommandState::Sent && open.command.keeping != Keeping::Passing;
        if is_lost && open.retried_count >= open.command.retries_count_max {
            return Some((device, id, Checked::Exhausted));
        }
        if is_lost {
            open.retried_count += 1;
            open.command.state = CommandState::Queued;
            return Some((device, id, Checked::GoesAgain));
        }
        if let Some(until_ms) = open.holds_up_until(rules).filter(|it| *it > now_ms) {
            open.check_ms = Some(until_ms);
            self.checks.insert((until_ms, device, id));
        }
        Some((device, id, Checked::MakesWay))
    }
}
