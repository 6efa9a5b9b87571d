#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod bytes;

use std::sync::Arc;

use domain::{ChildChange, Device};
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
        let Notice::Command { number, body, .. } = notice else { panic!("{notice:?}") };
        self.heard.lock().push(match body {
            CommandBody::Call { method, params } => format!("{number} {method} {params}"),
            CommandBody::Raw { bytes, .. } => format!("{number} {}", String::from_utf8_lossy(bytes)),
        });
        self.receipts.lock().extend(receipt);
        Told::Taken
    }

    fn displaced(&self, _: OrgId, _: DeviceId) {}

    fn child_changed(&self, _: OrgId, _: DeviceId, change: &ChildChange<'_>) {
        self.heard.lock().push(format!("{change:?}"));
    }
}

struct Stage {
    house: House,
    porch: Arc<Porch>,
    device: DeviceId,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    /// What is asked for with each command.
    retries: Option<u8>,
}

impl Stage {
    fn set() -> Stage {
        Stage::with(CommandRules::default())
    }

    fn with(rules: CommandRules) -> Stage {
        let mut house = House::new();
        house.platform = house.platform.with_command_rules(rules);
        let porch = Arc::new(Porch::default());
        house.platform.set_courier(porch.clone());
        let device = house.id("sensor", "s1");
        Stage { house, porch, device, outcomes: Arc::default(), retries: None }
    }

    /// The same after a restart; the device is away.
    fn reopened(&self) -> Stage {
        let house = self.house.reopened();
        let porch = Arc::new(Porch::default());
        house.platform.set_courier(porch.clone());
        Stage { house, porch, device: self.device, outcomes: Arc::default(), retries: None }
    }

    fn comes(&self) {
        *self.porch.is_there.lock() = true;
        self.house.platform.deliver_waiting(self.house.org, self.device, 1);
    }

    fn command(&self, method: &str, reply: Reply, keeping: Keeping) -> Result<CommandId, Code> {
        let outcomes = self.outcomes.clone();
        self.give(NewCommand {
            keeping,
            retries_count_max: self.retries,
            done: Some(Box::new(move |it| outcomes.lock().push(it))),
            ..NewCommand::passing(CommandBody::call(method, "1"), reply, 100)
        })
    }

    fn give(&self, draft: NewCommand) -> Result<CommandId, Code> {
        let given = self.house.platform.command(self.house.org, self.device, draft, 1);
        given.map(|it| it.0).map_err(|it| it.code)
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
        self.house.platform.answer_command(self.house.org, self.device, number, text, 1);
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
    assert_eq!((found.state, found.answer.as_deref()), (CommandState::Successful, Some(&b"[1]"[..])));
    assert_eq!(stage.house.platform.stored_commands(stage.house.org, stage.device).len(), 2);
    stage.house.platform.drop_command(stage.house.org, answered, 1).unwrap();
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

/// Rules with short times: unacknowledged for 10, unanswered for 20.
fn rules(submission: Submission) -> CommandRules {
    CommandRules { submission, retries_count_max: 2, delivery_ms_max: 10, answer_ms_max: 20 }
}

#[test]
fn in_a_burst_nothing_waits_for_another() {
    let stage = Stage::with(rules(Submission::Burst));
    stage.comes();
    for number in 0..10 {
        stage.command(&format!("m{number}"), Reply::Wanted, Keeping::Stored).unwrap();
    }
    let expected: Vec<_> = (0..10).map(|it| format!("{it} m{it} 1")).collect();
    assert_eq!(stage.heard(), expected);
}

#[test]
fn after_delivery_one_goes_out_when_the_one_before_is_there() {
    let stage = Stage::with(rules(Submission::AfterDelivery));
    for number in 0..10 {
        stage.command(&format!("m{number}"), Reply::Wanted, Keeping::Stored).unwrap();
    }
    stage.comes();
    for number in 0..10 {
        assert_eq!(stage.heard(), [format!("{number} m{number} 1")]);
        stage.comes();
        assert_eq!(stage.heard(), [""; 0], "not acknowledged yet");
        stage.confirms();
        stage.house.platform.deliver_next(stage.house.org, stage.device, 1);
    }
}

#[test]
fn after_an_answer_one_goes_out_when_the_one_before_is_answered_or_has_had_its_time() {
    let stage = Stage::with(rules(Submission::AfterAnswer));
    for (method, reply) in
        [("a", Reply::Wanted), ("b", Reply::None), ("c", Reply::Wanted), ("d", Reply::Wanted)]
    {
        stage.command(method, reply, Keeping::Stored).unwrap();
    }
    stage.comes();
    stage.confirms();
    stage.comes();
    assert_eq!(stage.heard(), ["0 a 1"], "it is there, and not answered");
    stage.answer(0, "true");
    assert_eq!(stage.heard(), ["1 b 1"]);
    stage.confirms();
    stage.comes();
    assert_eq!(stage.heard(), ["2 c 1"], "nobody waits for an answer to b");
    stage.confirms();
    stage.house.platform.sweep_commands(20);
    assert_eq!(stage.heard(), [""; 0]);
    stage.house.platform.sweep_commands(21);
    assert_eq!(stage.heard(), ["3 d 1"]);
    // What is late may be answered all the same.
    stage.answer(2, "true");
    let list = stage.house.platform.stored_commands(stage.house.org, stage.device);
    let states: Vec<_> = list.iter().map(|it| it.state).collect();
    use CommandState::{Delivered, Sent, Successful};
    assert_eq!(states, [Successful, Delivered, Successful, Sent]);
}

#[test]
fn a_deadline_or_a_removal_lets_the_next_one_go() {
    let stage = Stage::with(rules(Submission::AfterDelivery));
    stage.comes();
    let first = stage.command("a", Reply::Wanted, Keeping::Stored).unwrap();
    stage.command("b", Reply::Wanted, Keeping::Passing).unwrap();
    assert_eq!(stage.heard(), ["0 a 1"]);
    stage.house.platform.drop_command(stage.house.org, first, 1).unwrap();
    assert_eq!(stage.heard(), ["1 b 1"]);
    let deadline_ms = 100;
    stage.command("c", Reply::None, Keeping::Stored).unwrap();
    stage.house.platform.sweep_commands(deadline_ms);
    assert_eq!(stage.outcomes(), [Outcome::Late { was_taken: true }, Outcome::Late { was_taken: false }]);
    assert_eq!(stage.heard(), [""; 0], "it had the same deadline");
}

#[test]
fn a_stored_command_that_is_not_acknowledged_is_sent_again_and_fails_at_last() {
    let stage = Stage::with(rules(Submission::Burst));
    stage.comes();
    let id = stage.command("a", Reply::Wanted, Keeping::Stored).unwrap();
    let state = || stage.house.platform.stored_command(stage.house.org, id).unwrap().state;
    stage.house.platform.sweep_commands(10);
    assert_eq!(stage.heard(), ["0 a 1"]);
    for now_ms in [11, 21] {
        stage.house.platform.sweep_commands(now_ms);
        assert_eq!((stage.heard(), state()), (vec!["0 a 1".to_owned()], CommandState::Sent), "{now_ms}");
    }
    stage.house.platform.sweep_commands(31);
    assert_eq!((stage.heard(), state()), (vec![], CommandState::Failed));
    let failed = stage.house.platform.stored_command(stage.house.org, id).unwrap();
    assert!(String::from_utf8(failed.answer.unwrap()).unwrap().contains("error"));
    assert_eq!(stage.outcomes(), [Outcome::Late { was_taken: false }]);
    stage.confirms();
    assert_eq!(state(), CommandState::Failed);
}

#[test]
fn whichever_attempt_is_acknowledged_it_is_delivered() {
    let stage = Stage::with(rules(Submission::Burst));
    stage.comes();
    let id = stage.command("a", Reply::None, Keeping::Stored).unwrap();
    stage.house.platform.sweep_commands(11);
    assert_eq!(stage.heard().len(), 2);
    let receipts = std::mem::take(&mut *stage.porch.receipts.lock());
    let mut receipts = receipts.into_iter();
    drop(receipts.next_back());
    receipts.next().unwrap().delivered();
    let state = stage.house.platform.stored_command(stage.house.org, id).unwrap().state;
    assert_eq!(state, CommandState::Delivered);
    stage.comes();
    assert_eq!(stage.heard(), [""; 0]);
}

#[test]
fn retries_are_those_asked_for_and_no_more_than_allowed() {
    for (asked, count) in [(Some(0), 1), (Some(1), 2), (Some(9), 3), (None, 3)] {
        let mut stage = Stage::with(rules(Submission::Burst));
        stage.retries = asked;
        stage.comes();
        stage.command("a", Reply::None, Keeping::Stored).unwrap();
        stage.command("b", Reply::Wanted, Keeping::Passing).unwrap();
        (1..100).for_each(|now_ms| stage.house.platform.sweep_commands(now_ms));
        let heard = stage.heard();
        assert_eq!(heard.iter().filter(|it| it.contains("a")).count(), count, "{asked:?}");
        assert_eq!(heard.iter().filter(|it| it.contains("b")).count(), 1, "only what is kept is sent again");
        stage.house.platform.sweep_commands(100);
        let cell = stage.house.platform.cell(stage.house.org).unwrap();
        let commands = cell.commands.lock();
        assert_eq!((commands.checks.len(), commands.due.len()), (0, 0));
    }
}

#[test]
fn a_command_that_is_kept_until_it_is_done_outlives_a_restart_and_leaves_nothing_behind() {
    let stage = Stage::set();
    stage.command("a", Reply::None, Keeping::UntilDone).unwrap();
    stage.command("b", Reply::None, Keeping::UntilDone).unwrap();
    stage.house.flush();
    let stage = stage.reopened();
    assert_eq!(stage.house.platform.stored_commands(stage.house.org, stage.device), [], "nobody asks for it");
    stage.comes();
    assert_eq!(stage.heard(), ["0 a 1", "1 b 1"]);
    stage.confirms();
    stage.house.flush();
    let stage = stage.reopened();
    stage.comes();
    assert_eq!(stage.heard(), [""; 0]);
    stage.command("c", Reply::None, Keeping::UntilDone).unwrap();
    stage.goes();
    stage.house.platform.sweep_commands(100);
    stage.house.flush();
    let stage = stage.reopened();
    stage.comes();
    assert_eq!(stage.heard(), [""; 0], "its deadline is over");
    let cell = stage.house.platform.cell(stage.house.org).unwrap();
    assert_eq!(cell.commands.lock().bytes, 0);
}
