//! Commands: what devices are asked to do, from the asking to the answer (spec thingsboard 8).
//!
//! A command waits until its device is there to take it, in the order of creation, and until its deadline at most.
//! Whoever asks is told once, by a call of theirs that they hand in: nothing here waits. A stored command outlives
//! whoever asked and this process.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use domain::limits::{COMMAND_BYTES_MAX, COMMANDS_PER_DEVICE_COUNT_MAX, COMMANDS_PER_ORG_BYTES_MAX};
use domain::{
    Code, Command, CommandId, CommandState, DeviceId, Keeping, Millis, Notice, OrgId, Refusal, Reply,
};
use store::{Aspect, Change, Store, Ticket};

use crate::courier::Told;
use crate::registry::{OrgCell, Platform};

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
    pub method: String,
    /// With what: a JSON text.
    pub params: String,
    /// Whether an answer is waited for.
    pub reply: Reply,
    /// Whether it is kept.
    pub keeping: Keeping,
    /// When it stops being worth delivering or answering.
    pub deadline_ms: Millis,
    /// What whoever asks wants to find again beside it.
    pub additional: Option<String>,
    /// Who is told what becomes of it.
    pub done: Option<Done>,
}

/// The commands of an organisation.
#[derive(Default)]
pub(crate) struct Commands {
    lines: HashMap<DeviceId, Line>,
    /// Commands that are not done, by deadline.
    due: BTreeSet<(Millis, DeviceId, CommandId)>,
    /// Where a stored command is found.
    places: HashMap<CommandId, DeviceId>,
    bytes: usize,
}

/// The commands of a device, oldest first.
#[derive(Default)]
struct Line {
    next_number: u32,
    list: VecDeque<Open>,
    /// Counts the attempts to deliver what waits.
    visits: u64,
}

struct Open {
    command: Command,
    number: u32,
    done: Option<Done>,
}

impl Open {
    fn cost_bytes(&self) -> usize {
        let Command { method, params, answer, additional, .. } = &self.command;
        let options = [answer, additional].into_iter().flatten().map(String::len).sum::<usize>();
        size_of::<Open>() + method.len() + params.len() + options
    }

    fn is_final(&self) -> bool {
        self.command.state.is_final(self.command.reply)
    }
}

impl Commands {
    /// Brings a stored command back. What was under way is delivered again.
    pub(crate) fn restore(&mut self, mut command: Command) {
        if matches!(command.state, CommandState::Sent) {
            command.state = CommandState::Queued;
        }
        self.push(command, None);
    }

    fn push(&mut self, command: Command, done: Option<Done>) {
        let (device, id) = (command.device, command.id);
        let line = self.lines.entry(device).or_default();
        let open = Open { number: line.next_number, command, done };
        line.next_number = line.next_number.wrapping_add(1);
        self.bytes += open.cost_bytes();
        if !open.is_final() {
            self.due.insert((open.command.deadline_ms, device, id));
        }
        if open.command.keeping == Keeping::Stored {
            self.places.insert(id, device);
        }
        line.list.push_back(open);
    }

    /// Forgets the commands of a device; gives those who waited.
    pub(crate) fn remove(&mut self, device: DeviceId) -> Vec<Done> {
        let Some(line) = self.lines.remove(&device) else { return Vec::new() };
        let mut waiting = Vec::new();
        for open in line.list {
            self.bytes -= open.cost_bytes();
            self.due.remove(&(open.command.deadline_ms, device, open.command.id));
            self.places.remove(&open.command.id);
            waiting.extend(open.done);
        }
        waiting
    }

    /// Lets something happen to a command. One that is done is told of, and forgotten unless it is kept; a change of a
    /// stored one is stored. `None` when there is no such command.
    fn change(
        &mut self,
        device: DeviceId,
        which: impl Fn(&Open) -> bool,
        change: impl FnOnce(&mut Command),
    ) -> Option<Changed> {
        let line = self.lines.get_mut(&device)?;
        let at = line.list.iter().position(which)?;
        let open = line.list.get_mut(at)?;
        self.bytes -= open.cost_bytes();
        change(&mut open.command);
        self.bytes += open.cost_bytes();
        let mut changed = Changed { done: None, stored: None };
        if open.command.keeping == Keeping::Stored {
            changed.stored = Some(Arc::new(open.command.clone()));
        }
        if open.is_final() {
            self.due.remove(&(open.command.deadline_ms, device, open.command.id));
            changed.done = open.done.take();
            if open.command.keeping == Keeping::Passing {
                self.bytes -= open.cost_bytes();
                line.list.remove(at);
            }
        }
        Some(changed)
    }

    /// The oldest command that waits, marked as on its way.
    fn next_waiting(&mut self, device: DeviceId) -> Option<(CommandId, u32, String, String)> {
        let open = self.lines.get_mut(&device)?.list.iter_mut();
        let open = open.into_iter().find(|it| it.command.state == CommandState::Queued)?;
        open.command.state = CommandState::Sent;
        let Command { id, method, params, .. } = &open.command;
        Some((*id, open.number, method.clone(), params.clone()))
    }
}

/// What a change of a command entails.
struct Changed {
    done: Option<Done>,
    stored: Option<Arc<Command>>,
}

impl Platform {
    /// Gives a device a command. It is delivered at once if the device is there, otherwise when it comes in time.
    /// Whoever is named in the draft is told what becomes of it, perhaps before this returns.
    ///
    /// Refuses with [`Code::NotFound`], [`Code::DeviceDisabled`], [`Code::TooLarge`] or [`Code::TooMany`].
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
        let bytes =
            draft.method.len() + draft.params.len() + draft.additional.as_ref().map_or(0, String::len);
        if bytes > COMMAND_BYTES_MAX {
            let hint = format!("The command has {bytes} bytes; at most {COMMAND_BYTES_MAX} are taken.");
            return Err(Refusal::new(Code::TooLarge, hint));
        }
        let id = CommandId(self.ids.next(now_ms));
        let command = Command {
            id,
            org,
            device,
            method: draft.method,
            params: draft.params,
            reply: draft.reply,
            keeping: draft.keeping,
            created_ms: now_ms,
            deadline_ms: draft.deadline_ms,
            state: CommandState::Queued,
            answer: None,
            additional: draft.additional,
        };
        let mut commands = cell.commands.lock();
        let count = commands.lines.get(&device).map_or(0, |it| it.list.len());
        if count >= COMMANDS_PER_DEVICE_COUNT_MAX || commands.bytes + bytes > COMMANDS_PER_ORG_BYTES_MAX {
            let hint = format!(
                "A device may have {COMMANDS_PER_DEVICE_COUNT_MAX} commands that wait or are kept, an organisation \
                 {COMMANDS_PER_ORG_BYTES_MAX} bytes of them. Wait, or remove some."
            );
            return Err(Refusal::new(Code::TooMany, hint));
        }
        let ticket = match command.keeping {
            Keeping::Passing => Ticket::NONE,
            Keeping::Stored => {
                let aspect = Aspect::Command(Arc::new(command.clone()));
                self.store.commit(Change::Aspect { org, device, aspect }.into())
            }
        };
        commands.push(command, draft.done);
        drop(commands);
        self.deliver_waiting(org, device);
        Ok((id, ticket))
    }

    /// The device may be there now: what waits for it is delivered.
    pub fn deliver_waiting(&self, org: OrgId, device: DeviceId) {
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
            let Some((id, number, method, params)) = commands.next_waiting(device) else { return };
            drop(commands);
            let notice = Notice::Command { number, method: &method, params: &params };
            let receipt =
                Receipt { store: self.store.clone(), cell: cell.clone(), device, id, is_settled: false };
            let told = self.told(|it| it.tell(&known, &notice, Some(receipt))).unwrap_or(Told::Absent);
            if told == Told::Taken {
                // Nobody waits for more than this.
                let is_over = |it: &Open| {
                    it.command.id == id
                        && it.command.reply == Reply::None
                        && it.command.keeping == Keeping::Passing
                };
                note(&*self.store, &cell, device, is_over, |it| it.state = CommandState::Delivered);
            }
            // Nobody was there. Whoever came meanwhile has not seen this command: then it is tried again.
            if told == Told::Absent && std::mem::replace(&mut seen, visits(0)) == seen {
                return;
            }
        }
    }

    /// A device answers the command with this number. Answers that nobody waits for are ignored (spec thingsboard 3.8).
    pub fn answer_command(&self, org: OrgId, device: DeviceId, number: i64, answer: &str) {
        let Some(cell) = self.cell(org) else { return };
        let is_it =
            |it: &Open| i64::from(it.number) == number && it.command.reply == Reply::Wanted && !it.is_final();
        note(&*self.store, &cell, device, is_it, |it| {
            it.state = CommandState::Successful;
            it.answer = Some(answer.to_owned());
        });
    }

    /// Ends the commands whose deadline is over.
    pub fn sweep_commands(&self, now_ms: Millis) {
        let cells: Vec<_> = self.orgs.read().values().cloned().collect();
        for cell in cells {
            loop {
                let first = cell.commands.lock().due.first().copied();
                let Some((_, device, id)) = first.filter(|(due_ms, ..)| *due_ms <= now_ms) else { break };
                note(
                    &*self.store,
                    &cell,
                    device,
                    |it| it.command.id == id,
                    |it| {
                        it.state = match it.state {
                            CommandState::Queued => CommandState::Expired,
                            _ => CommandState::TimedOut,
                        };
                    },
                );
            }
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
    pub fn drop_command(&self, org: OrgId, id: CommandId) -> Result<Ticket, Refusal> {
        let cell = self.cell_or_refuse(org)?;
        let mut commands = cell.commands.lock();
        let device = commands.places.remove(&id);
        let device = device.ok_or_else(|| Refusal::new(Code::NotFound, "There is no such command."))?;
        let list = commands.lines.get_mut(&device).map(|it| &mut it.list);
        let gone = list.and_then(|list| {
            let at = list.iter().position(|it| it.command.id == id)?;
            list.remove(at)
        });
        if let Some(gone) = gone {
            commands.bytes -= gone.cost_bytes();
            commands.due.remove(&(gone.command.deadline_ms, device, id));
        }
        Ok(self.store.commit(Change::Aspect { org, device, aspect: Aspect::CommandGone(id) }.into()))
    }
}

/// Changes a command, stores the change where it is kept, and tells who waits.
fn note(
    store: &dyn Store,
    cell: &OrgCell,
    device: DeviceId,
    which: impl Fn(&Open) -> bool,
    change: impl FnOnce(&mut Command),
) {
    let mut outcome = None;
    let mut commands = cell.commands.lock();
    let changed = commands.change(device, which, |it| {
        change(it);
        outcome = outcome_of(it);
    });
    let Some(Changed { done, stored }) = changed else { return };
    if let Some(command) = stored {
        let (org, aspect) = (command.org, Aspect::Command(command));
        store.commit(Change::Aspect { org, device, aspect }.into());
    }
    drop(commands);
    if let (Some(done), Some(outcome)) = (done, outcome) {
        done(outcome);
    }
}

/// A command on its way. Whoever carries it says that the device has it; one that is dropped before that waits again,
/// for the device to come back.
pub struct Receipt {
    store: Arc<dyn Store>,
    cell: Arc<OrgCell>,
    device: DeviceId,
    id: CommandId,
    is_settled: bool,
}

impl Receipt {
    /// The device has the command.
    pub fn delivered(mut self) {
        self.settle(CommandState::Delivered);
    }

    fn settle(&mut self, state: CommandState) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        // An answer may have been quicker.
        let is_on_its_way = |it: &Open| it.command.id == self.id && it.command.state == CommandState::Sent;
        note(&*self.store, &self.cell, self.device, is_on_its_way, |it| it.state = state);
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
        CommandState::Delivered | CommandState::Failed => Some(Outcome::Taken),
        CommandState::Successful => Some(Outcome::Answered(command.answer.clone().unwrap_or_default())),
        CommandState::TimedOut => Some(Outcome::Late { was_taken: true }),
        CommandState::Expired => Some(Outcome::Late { was_taken: false }),
    }
}

#[cfg(test)]
mod tests;
