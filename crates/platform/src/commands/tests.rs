#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;

use domain::Device;
use parking_lot::Mutex;

use super::*;
use crate::courier::Courier;
use crate::testing::House;

/// A device that is there or not, and writes down what it is told.
#[derive(Default)]
struct Porch {
    is_there: Mutex<bool>,
    heard: Mutex<Vec<String>>,
    receipts: Mutex<Vec<Receipt>>,
}

impl Courier for Porch {
    fn tell(&self, _: &Arc<Device>, notice: &Notice<'_>, receipt: Option<Receipt>) -> Told {
        if !*self.is_there.lock() {
            return Told::Absent;
        }
        let Notice::Command { number, method, params } = notice else { panic!("{notice:?}") };
        self.heard.lock().push(format!("{number} {method} {params}"));
        self.receipts.lock().extend(receipt);
        Told::Taken
    }

    fn displaced(&self, _: OrgId, _: DeviceId) {}

    fn removed(&self, _: OrgId, _: DeviceId, name: &str) {
        self.heard.lock().push(format!("removed {name}"));
    }
}

struct Stage {
    house: House,
    porch: Arc<Porch>,
    device: DeviceId,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

impl Stage {
    fn set() -> Stage {
        let house = House::new();
        let porch = Arc::new(Porch::default());
        house.platform.set_courier(porch.clone());
        let device = house.id("sensor", "s1");
        Stage { house, porch, device, outcomes: Arc::default() }
    }

    fn comes(&self) {
        *self.porch.is_there.lock() = true;
        self.house.platform.deliver_waiting(self.house.org, self.device);
    }

    fn command(&self, method: &str, reply: Reply, keeping: Keeping) -> Result<CommandId, Code> {
        let outcomes = self.outcomes.clone();
        let draft = NewCommand {
            method: method.to_owned(),
            params: "1".to_owned(),
            reply,
            keeping,
            deadline_ms: 100,
            additional: None,
            done: Some(Box::new(move |it| outcomes.lock().push(it))),
        };
        self.house
            .platform
            .command(self.house.org, self.device, draft, 1)
            .map(|it| it.0)
            .map_err(|it| it.code)
    }

    /// The device says that it has what it was told.
    fn confirms(&self) {
        let receipts = std::mem::take(&mut *self.porch.receipts.lock());
        receipts.into_iter().for_each(Receipt::delivered);
    }

    /// The connection is lost, with all that was on its way.
    fn goes(&self) {
        *self.porch.is_there.lock() = false;
        let receipts = std::mem::take(&mut *self.porch.receipts.lock());
        drop(receipts);
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.porch.heard.lock())
    }

    fn outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut *self.outcomes.lock())
    }

    fn answer(&self, number: i64, text: &str) {
        self.house.platform.answer_command(self.house.org, self.device, number, text);
    }
}

#[test]
fn commands_wait_for_their_device_in_order_and_count_from_zero() {
    let stage = Stage::set();
    stage.command("a", Reply::None, Keeping::Passing).unwrap();
    stage.command("b", Reply::Wanted, Keeping::Passing).unwrap();
    assert_eq!((stage.heard(), stage.outcomes()), (vec![], vec![]));
    stage.comes();
    assert_eq!(stage.heard(), ["0 a 1", "1 b 1"]);
    assert_eq!(stage.outcomes(), [Outcome::Taken]);
    stage.comes();
    assert_eq!(stage.heard(), [""; 0], "once is enough");
    stage.answer(0, "nobody waits for it");
    stage.answer(7, "unknown");
    stage.answer(1, "true");
    stage.answer(1, "again");
    assert_eq!(stage.outcomes(), [Outcome::Answered("true".to_owned())]);
}

#[test]
fn a_deadline_ends_what_waits_and_what_is_not_answered() {
    let stage = Stage::set();
    stage.command("a", Reply::None, Keeping::Passing).unwrap();
    stage.house.platform.sweep_commands(99);
    assert_eq!(stage.outcomes(), []);
    stage.house.platform.sweep_commands(100);
    assert_eq!(stage.outcomes(), [Outcome::Late { was_taken: false }]);
    stage.comes();
    assert_eq!(stage.heard(), [""; 0]);
    stage.command("b", Reply::Wanted, Keeping::Passing).unwrap();
    stage.house.platform.sweep_commands(100);
    assert_eq!(stage.outcomes(), [Outcome::Late { was_taken: true }]);
    stage.answer(1, "too late");
    assert_eq!(stage.outcomes(), []);
}

#[test]
fn a_stored_command_keeps_its_state_and_survives_a_restart() {
    let stage = Stage::set();
    let waiting = stage.command("a", Reply::None, Keeping::Stored).unwrap();
    let answered = stage.command("b", Reply::Wanted, Keeping::Stored).unwrap();
    let state = |house: &House, id| house.platform.stored_command(house.org, id).map(|it| it.state);
    assert_eq!(state(&stage.house, waiting), Some(CommandState::Queued));
    stage.comes();
    assert_eq!(state(&stage.house, waiting), Some(CommandState::Sent));
    stage.confirms();
    assert_eq!(state(&stage.house, waiting), Some(CommandState::Delivered));
    assert_eq!(state(&stage.house, answered), Some(CommandState::Delivered));
    stage.house.flush();
    let again = stage.house.reopened();
    assert_eq!(state(&again, answered), Some(CommandState::Delivered));
    stage.answer(1, "[1]");
    let found = stage.house.platform.stored_command(stage.house.org, answered).unwrap();
    assert_eq!((found.state, found.answer.as_deref()), (CommandState::Successful, Some("[1]")));
    assert_eq!(stage.house.platform.stored_commands(stage.house.org, stage.device).len(), 2);
    stage.house.platform.drop_command(stage.house.org, answered).unwrap();
    assert_eq!(state(&stage.house, answered), None);
    stage.house.flush();
    let again = stage.house.reopened();
    assert_eq!(again.platform.stored_commands(again.org, stage.device).len(), 1);
}

#[test]
fn what_was_on_its_way_when_the_device_was_lost_is_delivered_again() {
    let stage = Stage::set();
    stage.comes();
    let kept = stage.command("a", Reply::None, Keeping::Stored).unwrap();
    stage.command("b", Reply::Wanted, Keeping::Passing).unwrap();
    stage.command("c", Reply::None, Keeping::Passing).unwrap();
    assert_eq!(stage.outcomes(), [Outcome::Taken], "nobody waits for more than that it went out");
    stage.goes();
    stage.house.flush();
    let again = stage.house.reopened();
    assert_eq!(again.platform.stored_command(again.org, kept).unwrap().state, CommandState::Queued);
    assert_eq!(stage.heard(), ["0 a 1", "1 b 1", "2 c 1"]);
    stage.comes();
    assert_eq!(stage.heard(), ["0 a 1", "1 b 1"]);
    stage.confirms();
    stage.goes();
    stage.comes();
    assert_eq!(stage.heard(), [""; 0]);
    stage.answer(1, "true");
    assert_eq!(stage.outcomes(), [Outcome::Taken, Outcome::Answered("true".to_owned())]);
}

#[test]
fn commands_are_bounded_and_a_removed_device_ends_them() {
    let stage = Stage::set();
    for _ in 0..COMMANDS_PER_DEVICE_COUNT_MAX {
        stage.command("a", Reply::None, Keeping::Passing).unwrap();
    }
    assert_eq!(stage.command("b", Reply::None, Keeping::Passing), Err(Code::TooMany));
    let long = "x".repeat(COMMAND_BYTES_MAX + 1);
    assert_eq!(stage.command(&long, Reply::None, Keeping::Passing), Err(Code::TooLarge));
    let name = domain::DeviceName { device_type: "sensor", name: "s1" };
    stage.house.platform.drop_device(stage.house.org, name).unwrap();
    assert_eq!(stage.outcomes().len(), COMMANDS_PER_DEVICE_COUNT_MAX);
    let cell = stage.house.platform.cell(stage.house.org).unwrap();
    let commands = cell.commands.lock();
    assert_eq!((commands.bytes, commands.due.len()), (0, 0));
}
