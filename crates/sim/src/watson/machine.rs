//! The machines of the simulated plant: just enough physics for the numbers to belong together.

use std::f64::consts::TAU;

use crate::random::Random;

/// A machine behind the gateway.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) device_type: &'static str,
    pub(super) name: String,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Pump { target_rpm: f64, rpm: f64 },
    Tank { level: f64, phase: f64 },
}

impl Machine {
    /// A pump that turns at its usual speed.
    pub(super) fn pump(name: impl Into<String>) -> Machine {
        Machine {
            device_type: "pump",
            name: name.into(),
            state: State::Pump { target_rpm: 1450.0, rpm: 1450.0 },
        }
    }

    /// A tank, somewhere in its daily rise and fall.
    pub(super) fn tank(name: impl Into<String>, phase: f64) -> Machine {
        Machine { device_type: "tank", name: name.into(), state: State::Tank { level: 50.0, phase } }
    }

    /// One step of time: the name of the event and its JSON.
    pub(super) fn step(&mut self, random: &mut Random) -> (&'static str, String) {
        match &mut self.state {
            State::Pump { target_rpm, rpm } => {
                *rpm += (*target_rpm - *rpm) * 0.5 + random.swing() * 4.0;
                let pressure = 3.2 * (*rpm / 1450.0).powi(2) + random.swing() * 0.03;
                let current = 0.8 + 5.4 * (*rpm / 1450.0) + random.swing() * 0.05;
                let running = *rpm > 50.0;
                (
                    "status",
                    format!(
                        r#"{{"running":{running},"rpm":{rpm:.0},"pressure":{pressure:.2},"current":{current:.2}}}"#
                    ),
                )
            }
            State::Tank { level, phase } => {
                *phase = (*phase + 0.01) % 1.0;
                *level = 55.0 + 30.0 * (*phase * TAU).sin() + random.swing() * 0.4;
                let temperature = 18.0 + 3.0 * (*phase * TAU).cos() + random.swing() * 0.1;
                ("level", format!(r#"{{"level":{level:.1},"temperature":{temperature:.1}}}"#))
            }
        }
    }

    /// Carries out a command; the answer is an event's JSON.
    pub(super) fn command(&mut self, command: &str, payload: &[u8]) -> String {
        match (&mut self.state, command) {
            (State::Pump { target_rpm, .. }, "set") => match number_after(payload, "\"rpm\":") {
                Some(wanted) if (0.0..=3000.0).contains(&wanted) => {
                    *target_rpm = wanted;
                    format!(r#"{{"done":true,"rpm":{wanted:.0}}}"#)
                }
                _ => r#"{"done":false,"why":"wanted: {\"rpm\": 0 to 3000}"}"#.to_owned(),
            },
            _ => r#"{"done":false,"why":"no such command"}"#.to_owned(),
        }
    }
}

/// The number behind a JSON key. Enough for one key, and no reason to depend on a parser.
fn number_after(payload: &[u8], key: &str) -> Option<f64> {
    let text = std::str::from_utf8(payload).ok()?.replace(' ', "");
    let (_, rest) = text.split_once(key)?;
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest.get(..end)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pump_follows_its_command() {
        let (mut random, mut pump) = (Random::new(7), Machine::pump("p1"));
        assert_eq!(pump.command("set", br#"{ "rpm": 900 }"#), r#"{"done":true,"rpm":900}"#);
        for _ in 0..20 {
            pump.step(&mut random);
        }
        let (event, payload) = pump.step(&mut random);
        let rpm = number_after(payload.as_bytes(), "\"rpm\":").unwrap_or_default();
        assert!(event == "status" && (rpm - 900.0).abs() < 30.0, "{payload}");
    }

    #[test]
    fn a_command_that_makes_no_sense_is_answered_with_why() {
        for (command, payload) in
            [("set", "{}"), ("set", "{\"rpm\":\"x\"}"), ("set", "{\"rpm\":9000}"), ("go", "")]
        {
            let answer = Machine::pump("p1").command(command, payload.as_bytes());
            assert!(answer.contains("\"done\":false"), "{command} {payload}: {answer}");
        }
    }
}
