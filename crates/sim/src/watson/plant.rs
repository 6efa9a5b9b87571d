//! A small plant on Watson's wire: one gateway that speaks for pumps and tanks, and one application that listens and
//! now and then asks a pump for another speed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use mqtt::QoS::AtLeastOnce;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::machine::Machine;
use super::{Parts, application, command_topic, event_topic, gateway, notify_topic};
use crate::random::Random;
use crate::{Client, Event, Fault, Message};

/// Messages of the gateway that may wait for their PUBACK; beyond it the plant holds its breath.
const UNACKNOWLEDGED_COUNT_MAX: usize = 100;
/// Rounds between two commands.
const COMMAND_EVERY_ROUNDS: u64 = 8;
/// The round in which the gateway speaks for a device of a type that nobody has made, and is told so.
const MISTAKE_ROUND: u64 = 1;

/// The gateway's identity.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The name of its type, which is of class gateway.
    pub device_type: String,
    /// Its name.
    pub name: String,
    /// Its token.
    pub token: String,
}

/// A plant, ready to run. The types `pump` and `tank` have to exist in the organisation; the devices appear when the
/// gateway first speaks for them. Once it speaks for a `valve`, a type that is not among them: to be refused.
#[derive(Clone, Debug)]
pub struct Plant {
    /// Where the server listens for plain MQTT.
    pub addr: SocketAddr,
    /// The organisation.
    pub org: String,
    /// The gateway.
    pub gateway: Gateway,
    /// The application's API key.
    pub key: String,
    /// The API key's token.
    pub token: String,
    /// How often each machine speaks.
    pub pace: Duration,
    /// Makes the plant repeatable.
    pub seed: u64,
}

/// What happened in the plant, as one of its two clients saw it.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The application received an event.
    Event {
        /// Where it came from.
        parts: Parts<'a>,
        /// What it says.
        payload: &'a [u8],
    },
    /// The application sent a command.
    Command {
        /// Where it goes.
        parts: Parts<'a>,
        /// What it says.
        payload: &'a [u8],
    },
    /// The gateway was told that something was refused.
    Notice {
        /// The notification's JSON.
        payload: &'a [u8],
    },
}

impl Plant {
    /// The types of device that the plant has, besides the gateway's own.
    pub const DEVICE_TYPES: [&'static str; 2] = ["pump", "tank"];

    /// Runs until a connection fails, or until the future is dropped. `seen` is told of everything.
    pub async fn run(&self, mut seen: impl FnMut(Seen<'_>)) -> Result<Infallible, Fault> {
        let mut running = Running::start(self).await?;
        loop {
            tokio::select! {
                _ = running.beat.tick() => running.beat(&mut seen).await?,
                event = running.gateway.next_event() => running.gateway_heard(event?, &mut seen).await?,
                event = running.application.next_event() => tell(&event?, &mut seen),
            }
        }
    }
}

/// A plant at work.
struct Running<'a> {
    plant: &'a Plant,
    gateway: Client,
    application: Client,
    machines: Vec<Machine>,
    random: Random,
    beat: Interval,
    beats: u64,
}

impl Running<'_> {
    async fn start(plant: &Plant) -> Result<Running<'_>, Fault> {
        let Gateway { device_type, name, token } = &plant.gateway;
        let mut application =
            Client::connect(plant.addr, application(&plant.org, "plant", &plant.key, &plant.token)).await?;
        application.subscribe(&[(&event_topic("+", "+", "+", "+"), AtLeastOnce)]).await?;
        let mut gateway = Client::connect(plant.addr, gateway(&plant.org, device_type, name, token)).await?;
        let (commands, notices) = (command_topic("+", "+", "+", "+"), notify_topic(device_type, name));
        gateway.subscribe(&[(&commands, AtLeastOnce), (&notices, AtLeastOnce)]).await?;
        let machines = machines();
        let mut beat = interval(plant.pace / machines.len() as u32);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let random = Random::new(plant.seed);
        Ok(Running { plant, gateway, application, machines, random, beat, beats: 0 })
    }

    /// One machine speaks; after every round the gateway does, and now and then the application asks for something.
    async fn beat(&mut self, seen: &mut impl FnMut(Seen<'_>)) -> Result<(), Fault> {
        if self.gateway.unacknowledged().count() >= UNACKNOWLEDGED_COUNT_MAX {
            return Ok(());
        }
        let (round, turn) =
            (self.beats / self.machines.len() as u64, self.beats as usize % self.machines.len());
        self.beats += 1;
        if let Some(machine) = self.machines.get_mut(turn) {
            let (event, payload) = machine.step(&mut self.random);
            let topic = event_topic(machine.device_type, &machine.name, event, "json");
            self.gateway.publish(&topic, payload.as_bytes(), AtLeastOnce).await?;
        }
        if turn == 0 {
            self.report_gateway(round).await?;
        }
        if turn == 1 && round == MISTAKE_ROUND {
            let topic = event_topic("valve", "v1", "status", "json");
            self.gateway.publish(&topic, br#"{"open":true}"#, AtLeastOnce).await?;
        }
        if turn == 1 && round % COMMAND_EVERY_ROUNDS == 2 {
            self.send_command(seen).await?;
        }
        Ok(())
    }

    async fn report_gateway(&mut self, round: u64) -> Result<(), Fault> {
        let Gateway { device_type, name, .. } = &self.plant.gateway;
        let load = 0.2 + 0.05 * self.random.swing();
        let payload = format!(r#"{{"uptime":{round},"load":{load:.2},"machines":{}}}"#, self.machines.len());
        let topic = event_topic(device_type, name, "health", "json");
        self.gateway.publish(&topic, payload.as_bytes(), AtLeastOnce).await?;
        Ok(())
    }

    async fn send_command(&mut self, seen: &mut impl FnMut(Seen<'_>)) -> Result<(), Fault> {
        let pumps: Vec<&Machine> = self.machines.iter().filter(|it| it.device_type == "pump").collect();
        let rpm = 900 + 50 * self.random.below(15);
        let Some(pump) = pumps.get(self.random.below(pumps.len())) else { return Ok(()) };
        let (topic, payload) =
            (command_topic("pump", &pump.name, "set", "json"), format!(r#"{{"rpm":{rpm}}}"#));
        self.application.publish(&topic, payload.as_bytes(), AtLeastOnce).await?;
        if let Some(parts) = Parts::of(&topic) {
            seen(Seen::Command { parts, payload: payload.as_bytes() });
        }
        Ok(())
    }

    /// A command goes to its machine, whose answer is an event named after the command.
    async fn gateway_heard(&mut self, event: Event, seen: &mut impl FnMut(Seen<'_>)) -> Result<(), Fault> {
        let Event::Message(Message { topic, payload, .. }) = event else { return Ok(()) };
        let Some(parts) = Parts::of(&topic) else {
            seen(Seen::Notice { payload: &payload });
            return Ok(());
        };
        let addressed = |it: &&mut Machine| it.device_type == parts.device_type && it.name == parts.name;
        if let Some(machine) = self.machines.iter_mut().find(addressed) {
            let answer = machine.command(parts.event, &payload);
            let topic = event_topic(parts.device_type, parts.name, &format!("{}-done", parts.event), "json");
            self.gateway.publish(&topic, answer.as_bytes(), AtLeastOnce).await?;
        }
        Ok(())
    }
}

fn machines() -> Vec<Machine> {
    vec![
        Machine::pump("p1"),
        Machine::tank("t1", 0.0),
        Machine::pump("p2"),
        Machine::tank("t2", 0.3),
        Machine::pump("p3"),
        Machine::pump("p4"),
    ]
}

fn tell(event: &Event, seen: &mut impl FnMut(Seen<'_>)) {
    if let Event::Message(Message { topic, payload, .. }) = event
        && let Some(parts) = Parts::of(topic)
    {
        seen(Seen::Event { parts, payload });
    }
}
