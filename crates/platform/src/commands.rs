//! Commands: what devices are asked to do, from the asking to the answer (spec thingsboard 8).
//!
//! A command waits until its device is there to take it, in the order of creation, and until its deadline at most.
//! Whoever asks is told once, by a call of theirs that they hand in: nothing here waits. A stored command outlives
//! whoever asked and this process. `line` keeps the books, `rules` says what may be set.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::limits::{
    COMMAND_ANSWER_BYTES_MAX, COMMAND_BYTES_MAX, COMMANDS_PER_DEVICE_COUNT_MAX, COMMANDS_PER_ORG_BYTES_MAX,
};
use domain::{
    Code, Command, CommandBody, CommandId, CommandState, Delivery, DeviceId, Keeping, Millis, Notice, OrgId,
    Refusal, Reply,
};
use store::{Aspect, Change, Changes, Store, Ticket};

use crate::courier::Told;
use crate::registry::{OrgCell, Platform};

mod line;
mod rules;

pub(crate) use line::Commands;
use line::{Changed, Checked, Open};
pub use rules::{CommandRules, Submission};

/// What is told of a command that was sent as often as it may be.
const EXHAUSTED: &str =
    r#"{"error":"The device did not acknowledge the command, however often it was sent."}"#;

/// What became of a command that somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device was there to take it; no answer was asked for.
    Taken,
    /// The device has answered: a JSON text, as a rule.
    Answered(String),
    /// The deadline is over.
    Late {
        /// Whether the device was there to take it.
        was_taken: bool,
    },
    /// The device was removed.
    Removed,
}

/// Told what became of a command. Called without any lock of the platform held.
pub type Done = Box<dyn FnOnce(Outcome) + Send>;

/// A command to be given.
pub struct NewCommand {
    /// What to do.
    pub body: CommandBody,
    /// Whether an answer is waited for.
    pub reply: Reply,
    /// Whether it is kept.
    pub keeping: Keeping,
    /// How often it goes out.
    pub delivery: Delivery,
    /// Whether it waits for the device.
    pub waiting: Waiting,
    /// When it stops being worth delivering or answering.
    pub deadline_ms: Millis,
    /// How often it is sent again, if it is kept and the device does not acknowledge it; `None`: as often as the rules
    /// allow.
    pub retries_count_max: Option<u8>,
    /// What whoever asks wants to find again beside it.
    pub additional: Option<String>,
    /// Who is told what becomes of it.
    pub done: Option<Done>,
}

/// Whether a command waits for a device that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Until its deadline.
    UntilDeadline,
    /// Not at all: it is refused then.
    Never,
}

impl NewCommand {
    /// A command that is gone once it is done, for a device that takes it once.
    pub fn passing(body: CommandBody, reply: Reply, deadline_ms: Millis) -> NewCommand {
        NewCommand {
            body,
            reply,
            keeping: Keeping::Passing,
            delivery: Delivery::UntilTaken,
            waiting: Waiting::UntilDeadline,
            deadline_ms,
            retries_count_max: None,
            additional: None,
            done: None,
        }
    }

    /// A command that goes out once; what became of it and the last answer are kept for as long as there is room.
    pub fn once(body: CommandBody, deadline_ms: Millis) -> NewCommand {
        NewCommand { delivery: Delivery::Once, ..NewCommand::stored(body, Reply::None, deadline_ms) }
    }

    /// The same, but it goes out each time the device comes until it has answered or the deadline is over.
    pub fn until_answered(body: CommandBody, deadline_ms: Millis) -> NewCommand {
        NewCommand {
            delivery: Delivery::UntilAnswered,
            ..NewCommand::stored(body, Reply::Wanted, deadline_ms)
        }
    }

    /// A command that is kept, with its answer, until it is removed.
    pub fn stored(body: CommandBody, reply: Reply, deadline_ms: Millis) -> NewCommand {
        NewCommand { keeping: Keeping::Stored, ..NewCommand::passing(body, reply, deadline_ms) }
    }
}

/// A command that goes out.
struct Outgoing {
    id: CommandId,
    attempt: u32,
    number: u32,
    body: CommandBody,
}

impl Platform {
    /// Gives a device a command. It is delivered at once if the device is there, otherwise when it comes in time.
    /// Whoever is named in the draft is told what becomes of it, perhaps before this returns.
    ///
    /// Refuses with [`Code::NotFound`], [`Code::DeviceDisabled`], [`Code::DeviceAbsent`] (it does not wait, and nobody
    /// is there), [`Code::TooLarge`] or [`Code::TooMany`].
    pub fn command(
        &self,
        org: OrgId,
        device: DeviceId,
        draft: NewCommand,
        now_ms: Millis,
    ) -> Result<(CommandId, Ticket), Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let known = self.device_by_id(org, device);
        let known = known.ok_or_else(|| Refusal::new(Code::NotFound, "There is no such device."))?;
        if !known.enabled {
            let hint = format!("The device {} is disabled.", known.wire_name());
            return Err(Refusal::new(Code::DeviceDisabled, hint));
        }
        let bytes = draft.body.size_bytes() + draft.additional.as_ref().map_or(0, String::len);
        if bytes > COMMAND_BYTES_MAX {
            let hint = format!("The command has {bytes} bytes; at most {COMMAND_BYTES_MAX} are taken.");
            return Err(Refusal::new(Code::TooLarge, hint));
        }
        let id = CommandId(self.ids.next(now_ms));
        let command = Command {
            id,
            org,
            device,
            body: draft.body,
            reply: draft.reply,
            keeping: draft.keeping,
            delivery: draft.delivery,
            created_ms: now_ms,
            deadline_ms: draft.deadline_ms,
            retries_count_max: self.retries_count_max(draft.retries_count_max),
            state: CommandState::Queued,
            sent_ms: None,
            answer: None,
            answered_ms: None,
            additional: draft.additional,
        };
        let mut commands = cell.commands.lock();
        let mut changes = Changes::new();
        changes.list.extend(commands.make_room(device, bytes).into_iter().map(|it| gone(org, it)));
        let count = commands.lines.get(&device).map_or(0, |it| it.list.len());
        if count >= COMMANDS_PER_DEVICE_COUNT_MAX || commands.bytes + bytes > COMMANDS_PER_ORG_BYTES_MAX {
            let hint = format!(
                "A device may have {COMMANDS_PER_DEVICE_COUNT_MAX} commands that wait or are kept, an organisation \
                 {COMMANDS_PER_ORG_BYTES_MAX} bytes of them. Wait, or remove some."
            );
            return Err(Refusal::new(Code::TooMany, hint));
        }
        if command.keeping != Keeping::Passing {
            let aspect = Aspect::Command(Arc::new(command.clone()));
            changes.list.push(Change::Aspect { org, device, aspect });
        }
        let ticket = if changes.is_empty() { Ticket::NONE } else { self.store.commit(changes) };
        commands.push(command, draft.done);
        drop(commands);
        self.deliver_waiting(org, device, now_ms);
        if draft.waiting == Waiting::Never && self.withdraw(&cell, device, id) {
            let hint = format!("The device {} is not there to take the command now.", known.wire_name());
            return Err(Refusal::new(Code::DeviceAbsent, hint));
        }
        Ok((id, ticket))
    }

    /// Takes a command back that has not gone out; whether it had not.
    fn withdraw(&self, cell: &OrgCell, device: DeviceId, id: CommandId) -> bool {
        let mut commands = cell.commands.lock();
        let found = commands.lines.get(&device).and_then(|it| it.list.iter().find(|it| it.command.id == id));
        let Some(Open { command, .. }) = found.filter(|it| it.command.state == CommandState::Queued) else {
            return false;
        };
        let (org, keeping) = (command.org, command.keeping);
        commands.remove_one(device, id);
        if keeping != Keeping::Passing {
            self.store.commit(gone(org, (device, id)).into());
        }
        true
    }

    /// A device has come: what it may not have answered the last time goes out to it again, where that is asked for.
    /// Nothing is delivered by this alone.
    pub(crate) fn remind(&self, cell: &OrgCell, device: DeviceId) {
        cell.commands.lock().remind(device);
    }

    fn retries_count_max(&self, asked: Option<u8>) -> u8 {
        let allowed = self.command_rules.retries_count_max;
        asked.map_or(allowed, |it| it.min(allowed))
    }

    /// The device may be there now: what waits for it is delivered.
    pub fn deliver_waiting(&self, org: OrgId, device: DeviceId, now_ms: Millis) {
        let Some(cell) = self.cell(org) else { return };
        let has_any = cell.commands.lock().lines.get(&device).is_some_and(|it| !it.list.is_empty());
        let Some(known) = self.device_by_id(org, device).filter(|_| has_any) else { return };
        let visits = |count: u64| {
            let mut commands = cell.commands.lock();
            let line = commands.lines.get_mut(&device)?;
            line.visits += count;
            Some(line.visits)
        };
        let mut seen = visits(1);
        loop {
            let mut commands = cell.commands.lock();
            let Some(outgoing) = commands.next_waiting(device, &self.command_rules, now_ms) else { return };
            drop(commands);
            let Outgoing { id, attempt, number, body } = outgoing;
            let notice = Notice::Command { number, id, body: &body };
            let (store, cell_of) = (self.store.clone(), cell.clone());
            let receipt = Receipt { store, cell: cell_of, device, id, attempt, is_settled: false };
            let told = self.told(|it| it.tell(&known, &notice, Some(receipt))).unwrap_or(Told::Absent);
            if told == Told::Taken {
                let is_over = |it: &Open| it.command.id == id && it.is_over_when_taken();
                note(&*self.store, &cell, device, is_over, |it| it.state = CommandState::Delivered);
            }
            // Nobody was there. Whoever came meanwhile has not seen this command: then it is tried again.
            if told == Told::Absent && std::mem::replace(&mut seen, visits(0)) == seen {
                return;
            }
        }
    }

    /// A device has acknowledged or done something: where the next command waits for that, it is delivered now.
    pub fn deliver_next(&self, org: OrgId, device: DeviceId, now_ms: Millis) {
        if self.command_rules.submission != Submission::Burst {
            self.deliver_waiting(org, device, now_ms);
        }
    }

    /// A device answers the command with this number. Answers that nobody waits for are ignored (spec thingsboard 3.8).
    pub fn answer_command(&self, org: OrgId, device: DeviceId, number: i64, answer: &str, now_ms: Millis) {
        let Some(cell) = self.cell(org) else { return };
        let is_it = |it: &Open| i64::from(it.number) == number && it.awaits_answer();
        note(&*self.store, &cell, device, is_it, |it| {
            it.state = CommandState::Successful;
            it.answer = Some(answer.as_bytes().to_vec());
            it.answered_ms = Some(now_ms);
        });
        self.deliver_next(org, device, now_ms);
    }

    /// A device answers the command with this id. What was never sent to it, or waits for no answer any more, is left
    /// as it is (spec onenet 7.3).
    pub fn answer_command_by_id(
        &self,
        org: OrgId,
        device: DeviceId,
        id: CommandId,
        answer: &[u8],
        now_ms: Millis,
    ) -> Ticket {
        let Some(cell) = self.cell(org) else { return Ticket::NONE };
        let is_it = |it: &Open| it.command.id == id && it.awaits_answer();
        let ticket = note(&*self.store, &cell, device, is_it, |it| {
            let fits = answer.len() <= COMMAND_ANSWER_BYTES_MAX;
            it.state = if fits { CommandState::Successful } else { CommandState::AnswerTooLarge };
            it.answer = fits.then(|| answer.to_vec());
            it.answered_ms = Some(now_ms);
        });
        self.deliver_next(org, device, now_ms);
        ticket
    }

    /// Ends the commands whose deadline is over, and sends those again that were not acknowledged. To be called every
    /// now and then.
    pub fn sweep_commands(&self, now_ms: Millis) {
        let cells: Vec<_> = self.orgs.read().iter().map(|(org, cell)| (*org, cell.clone())).collect();
        for (org, cell) in cells {
            let mut devices = self.end_late_commands(&cell, now_ms);
            devices.append(&mut self.check_commands(&cell, now_ms));
            for device in devices {
                self.deliver_waiting(org, device, now_ms);
            }
        }
    }

    /// Gives the devices that may be told something else now.
    fn end_late_commands(&self, cell: &OrgCell, now_ms: Millis) -> BTreeSet<DeviceId> {
        let mut devices = BTreeSet::new();
        loop {
            let first = cell.commands.lock().due.first().copied();
            let Some((_, device, id)) = first.filter(|(due_ms, ..)| *due_ms <= now_ms) else { break };
            let is_it = |it: &Open| it.command.id == id;
            note(&*self.store, cell, device, is_it, |it| {
                it.state = match it.state {
                    CommandState::Queued => CommandState::Expired,
                    _ => CommandState::TimedOut,
                };
            });
            if self.command_rules.submission != Submission::Burst {
                devices.insert(device);
            }
        }
        devices
    }

    /// The same for those of which something should have come back.
    fn check_commands(&self, cell: &OrgCell, now_ms: Millis) -> BTreeSet<DeviceId> {
        let mut devices = BTreeSet::new();
        loop {
            let checked = cell.commands.lock().check_first(&self.command_rules, now_ms);
            let Some((device, id, outcome)) = checked else { return devices };
            if let Checked::Exhausted = outcome {
                let is_it = |it: &Open| it.command.id == id && it.command.state == CommandState::Sent;
                note(&*self.store, cell, device, is_it, |it| {
                    it.state = CommandState::Failed;
                    it.answer = Some(EXHAUSTED.as_bytes().to_vec());
                });
            }
            devices.insert(device);
        }
    }

    /// A stored command.
    pub fn stored_command(&self, org: OrgId, id: CommandId) -> Option<Command> {
        let cell = self.cell(org)?;
        let commands = cell.commands.lock();
        let device = commands.places.get(&id)?;
        let line = commands.lines.get(device)?;
        line.list.iter().find(|it| it.command.id == id).map(|it| it.command.clone())
    }

    /// The stored commands of a device, oldest first.
    pub fn stored_commands(&self, org: OrgId, device: DeviceId) -> Vec<Command> {
        let Some(cell) = self.cell(org) else { return Vec::new() };
        let commands = cell.commands.lock();
        let list = commands.lines.get(&device).into_iter().flat_map(|it| &it.list).map(|it| &it.command);
        list.filter(|it| it.keeping == Keeping::Stored).cloned().collect()
    }

    /// Forgets a stored command, whatever has become of it.
    ///
    /// Refuses with [`Code::NotFound`].
    pub fn drop_command(&self, org: OrgId, id: CommandId, now_ms: Millis) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut commands = cell.commands.lock();
        let device = commands.places.get(&id).copied();
        let device = device.ok_or_else(|| Refusal::new(Code::NotFound, "There is no such command."))?;
        commands.remove_one(device, id);
        let gone = Change::Aspect { org, device, aspect: Aspect::CommandGone(id) };
        let ticket = self.store.commit(gone.into());
        drop(commands);
        self.deliver_next(org, device, now_ms);
        Ok(ticket)
    }
}

/// Changes a command, stores the change where it is kept, and tells who waits. The ticket is that of the change.
fn note(
    store: &dyn Store,
    cell: &OrgCell,
    device: DeviceId,
    which: impl Fn(&Open) -> bool,
    change: impl FnOnce(&mut Command),
) -> Ticket {
    let mut outcome = None;
    let mut commands = cell.commands.lock();
    let changed = commands.change(device, which, |it| {
        change(it);
        outcome = outcome_of(it);
    });
    let Some(Changed { done, org, aspect }) = changed else { return Ticket::NONE };
    let ticket = aspect.map_or(Ticket::NONE, |aspect| {
        let mut changes = Changes::from(Change::Aspect { org, device, aspect });
        changes.list.extend(commands.make_bytes(0).into_iter().map(|it| gone(org, it)));
        store.commit(changes)
    });
    drop(commands);
    if let (Some(done), Some(outcome)) = (done, outcome) {
        done(outcome);
    }
    ticket
}

fn gone(org: OrgId, (device, id): (DeviceId, CommandId)) -> Change {
    Change::Aspect { org, device, aspect: Aspect::CommandGone(id) }
}

/// A command on its way. Whoever carries it says that the device has it; one that is dropped before that waits again,
/// for the device to come back.
pub struct Receipt {
    store: Arc<dyn Store>,
    cell: Arc<OrgCell>,
    device: DeviceId,
    id: CommandId,
    attempt: u32,
    is_settled: bool,
}

impl Receipt {
    /// Whose command it is.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The device has the command. Whoever says so outside [`Courier::tell`](crate::Courier::tell) has the next one
    /// delivered ([`Platform::deliver_next`]).
    pub fn delivered(mut self) {
        self.settle(CommandState::Delivered);
    }

    fn settle(&mut self, state: CommandState) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        // An answer may have been quicker. Of several attempts, one that arrived counts, and one that was lost says
        // nothing of the others.
        let is_meant = |it: &Open| match state {
            CommandState::Delivered => it.is_undelivered(self.id),
            _ => it.is_under_way(self.id, self.attempt),
        };
        note(&*self.store, &self.cell, self.device, is_meant, |it| it.state = state);
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.settle(CommandState::Queued);
    }
}

/// What is told of a command that is done.
fn outcome_of(command: &Command) -> Option<Outcome> {
    match command.state {
        CommandState::Queued | CommandState::Sent => None,
        CommandState::Delivered => Some(Outcome::Taken),
        CommandState::Failed => Some(Outcome::Late { was_taken: false }),
        CommandState::Successful => {
            let answer = command.answer.as_deref().unwrap_or_default();
            Some(Outcome::Answered(String::from_utf8_lossy(answer).into_owned()))
        }
        CommandState::AnswerTooLarge | CommandState::TimedOut => Some(Outcome::Late { was_taken: true }),
        CommandState::Expired => Some(Outcome::Late { was_taken: false }),
    }
}

#[cfg(test)]
mod tests;
