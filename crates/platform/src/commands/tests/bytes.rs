//! Commands as OneNET's applications give them: bytes, once or until they are answered (spec onenet 7.2 to 7.4).

use domain::{Claim, Class, DeviceName, Identity, Peer};

use super::*;
use crate::ConnectionId;

fn raw(text: &str) -> CommandBody {
    CommandBody::raw(text.as_bytes())
}

fn found(house: &House, id: CommandId) -> Command {
    house.platform.stored_command(house.org, id).unwrap()
}

fn answer(stage: &Stage, id: CommandId, text: &[u8], now_ms: Millis) -> Ticket {
    stage.house.platform.answer_command_by_id(stage.house.org, stage.device, id, text, now_ms)
}

impl Stage {
    /// The device connects itself anew.
    fn logs_in(&self, connection: u64) {
        let name = DeviceName { device_type: "sensor", name: "s1" };
        let identity = Identity::Certified { class: Class::Device, name };
        let claim = Claim { org: self.house.org.as_str(), identity, token: b"" };
        let peer: Peer = self.house.platform.admit(&claim, "s1").unwrap();
        self.house.platform.enter(&peer, ConnectionId(connection), 1);
        self.comes();
    }
}

#[test]
fn one_that_does_not_wait_is_refused_when_nobody_is_there() {
    let stage = Stage::set();
    let now = || NewCommand { waiting: Waiting::Never, ..NewCommand::once(raw("on"), 100) };
    assert_eq!(stage.give(now()), Err(Code::DeviceAbsent));
    stage.house.flush();
    for house in [&stage.house, &stage.house.reopened()] {
        assert_eq!(house.platform.stored_commands(house.org, stage.device), [], "nothing is left of it");
    }
    stage.comes();
    assert_eq!(stage.heard(), [""; 0]);
    let id = stage.give(now()).unwrap();
    assert_eq!(
        (stage.heard(), found(&stage.house, id).state),
        (vec!["1 on".to_owned()], CommandState::Delivered)
    );
}

#[test]
fn once_is_once_whatever_becomes_of_it() {
    let stage = Stage::set();
    let id = stage.give(NewCommand::once(raw("on"), 100)).unwrap();
    assert_eq!(found(&stage.house, id).state, CommandState::Queued);
    stage.house.flush();
    assert_eq!(found(&stage.house.reopened(), id).state, CommandState::Queued, "it has not gone out");
    stage.logs_in(1);
    assert_eq!(stage.heard(), ["0 on"]);
    assert_eq!(
        (found(&stage.house, id).state, found(&stage.house, id).sent_ms),
        (CommandState::Delivered, Some(1))
    );
    // The connection is lost before anybody says that it has arrived.
    stage.goes();
    stage.logs_in(2);
    stage.house.platform.sweep_commands(1_000_000);
    assert_eq!(stage.heard(), [""; 0]);
    assert_eq!(found(&stage.house, id).state, CommandState::Delivered);
    stage.house.flush();
    assert_eq!(found(&stage.house.reopened(), id).state, CommandState::Delivered);
}

#[test]
fn what_is_not_answered_goes_out_each_time_the_device_comes_while_it_is_valid() {
    let stage = Stage::set();
    stage.logs_in(1);
    let answered = stage.give(NewCommand::until_answered(raw("a"), 100)).unwrap();
    let silent = stage.give(NewCommand::until_answered(raw("b"), 100)).unwrap();
    assert_eq!(stage.heard(), ["0 a", "1 b"]);
    stage.confirms();
    stage.comes();
    assert_eq!(stage.heard(), [""; 0], "it has not come anew");
    answer(&stage, answered, b"ok", 5);
    stage.logs_in(2);
    assert_eq!(stage.heard(), ["1 b"]);
    stage.confirms();
    stage.house.flush();
    // Also by a process that was started meanwhile.
    let house = stage.house.reopened();
    house.platform.set_courier(stage.porch.clone());
    let again = Stage {
        house,
        porch: stage.porch.clone(),
        device: stage.device,
        outcomes: Arc::default(),
        retries: None,
    };
    again.logs_in(3);
    assert_eq!(again.heard(), ["1 b"]);
    again.confirms();
    again.house.platform.sweep_commands(100);
    assert_eq!(found(&again.house, silent).state, CommandState::TimedOut);
    assert_eq!(found(&again.house, answered).state, CommandState::Successful);
    again.logs_in(4);
    assert_eq!(again.heard(), [""; 0]);
    // The last answer counts, however late.
    answer(&again, silent, b"late", 200);
    answer(&again, silent, b"\xFFlast", 201);
    let kept = found(&again.house, silent);
    assert_eq!((kept.state, kept.answer.as_deref()), (CommandState::Successful, Some(&b"\xFFlast"[..])));
    assert_eq!((kept.sent_ms, kept.answered_ms), (Some(1), Some(201)));
}

#[test]
fn an_answer_counts_for_its_own_command_of_its_own_device() {
    let stage = Stage::set();
    let waiting = stage.give(NewCommand::until_answered(raw("a"), 100)).unwrap();
    assert_eq!(answer(&stage, waiting, b"early", 1), Ticket::NONE, "it has not gone out");
    stage.comes();
    let other = stage.house.id("sensor", "s2");
    let org = stage.house.org;
    assert_eq!(stage.house.platform.answer_command_by_id(org, other, waiting, b"x", 1), Ticket::NONE);
    assert_eq!(answer(&stage, CommandId(7), b"x", 1), Ticket::NONE);
    assert_eq!(found(&stage.house, waiting).answer, None);
    let ticket = answer(&stage, waiting, b"yes", 2);
    assert!(ticket > Ticket::NONE);
    stage.house.platform.store().wait(ticket).unwrap();
    assert_eq!(found(&stage.house.reopened(), waiting).answer.as_deref(), Some(&b"yes"[..]));

    let once = stage.give(NewCommand::once(raw("b"), 100)).unwrap();
    let large = vec![b'x'; COMMAND_ANSWER_BYTES_MAX + 1];
    answer(&stage, once, &large, 3);
    assert_eq!(
        (found(&stage.house, once).state, found(&stage.house, once).answer),
        (CommandState::AnswerTooLarge, None)
    );
    answer(&stage, once, &large[1..], 4);
    assert_eq!(found(&stage.house, once).answer.map(|it| it.len()), Some(COMMAND_ANSWER_BYTES_MAX));
    // What is waited for in another way is answered in the same.
    stage.command("c", Reply::Wanted, Keeping::Passing).unwrap();
    let number = 2;
    stage.answer(number, "true");
    stage.answer(1, "by number");
    assert_eq!(stage.outcomes(), [Outcome::Answered("true".to_owned())]);
    assert_eq!(found(&stage.house, once).answer.as_deref(), Some(&b"by number"[..]));
}

#[test]
fn what_is_done_makes_room_and_what_is_somebody_elses_to_remove_does_not() {
    let stage = Stage::set();
    stage.comes();
    stage.command("theirs", Reply::None, Keeping::Stored).unwrap();
    stage.confirms();
    let first = stage.give(NewCommand::once(raw("first"), 100)).unwrap();
    let waits = stage.give(NewCommand::until_answered(raw("waits"), 100)).unwrap();
    for _ in 0..2 * COMMANDS_PER_DEVICE_COUNT_MAX {
        stage.give(NewCommand::once(raw("next"), 100)).unwrap();
    }
    stage.house.flush();
    for house in [&stage.house, &stage.house.reopened()] {
        let kept = house.platform.stored_commands(house.org, stage.device);
        assert_eq!(kept.len(), COMMANDS_PER_DEVICE_COUNT_MAX);
        assert_eq!(kept[0].body, CommandBody::call("theirs", "1"));
        assert_eq!(kept[1].id, waits);
        assert_eq!(house.platform.stored_command(house.org, first), None);
    }
    let cell = stage.house.platform.cell(stage.house.org).unwrap();
    let mut commands = cell.commands.lock();
    let gone = commands.make_bytes(COMMANDS_PER_ORG_BYTES_MAX);
    assert_eq!(gone.len(), COMMANDS_PER_DEVICE_COUNT_MAX - 2, "all that may go, and no more");
    assert_eq!(commands.make_bytes(COMMANDS_PER_ORG_BYTES_MAX), []);
}
