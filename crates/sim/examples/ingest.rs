//! Durable ingest: gateways publish events at QoS 1 as fast as they are acknowledged.
//!
//! Prints the rate of PUBACKs and, with `--pid`, the server's CPU time (user + system) per message. The gateways must
//! be registered beforehand, as `{type}/load0`, `{type}/load1`, … with the same token:
//!
//! ```text
//! cargo run --release -p sim --example ingest -- \
//!     --addr 127.0.0.1:1883 --org abc123 --token secret --pid $(pidof tidegate)
//! ```

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mqtt::packet::{ConnAck, Connect, Publish};
use mqtt::property::Properties;
use mqtt::{Packet, QoS, Version, codec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Clone)]
struct Settings {
    addr: SocketAddr,
    org: String,
    device_type: String,
    token: String,
    pid: Option<u32>,
    connections: usize,
    in_flight: usize,
    seconds: u64,
    children: usize,
}

/// A PUBACK is four bytes in MQTT 3.1.1.
const PUBACK_BYTES: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = settings()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(settings))
}

fn settings() -> Result<Settings, Box<dyn std::error::Error>> {
    let mut settings = Settings {
        addr: "127.0.0.1:1883".parse()?,
        org: "abc123".into(),
        device_type: "gw".into(),
        token: "secret".into(),
        pid: None,
        connections: 50,
        in_flight: 100,
        seconds: 10,
        children: 10,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--addr" => settings.addr = value.parse()?,
            "--org" => settings.org = value,
            "--type" => settings.device_type = value,
            "--token" => settings.token = value,
            "--pid" => settings.pid = Some(value.parse()?),
            "--connections" => settings.connections = value.parse()?,
            "--in-flight" => settings.in_flight = value.parse()?,
            "--seconds" => settings.seconds = value.parse()?,
            "--children" => settings.children = value.parse()?,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(settings)
}

async fn run(settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
    let mut gateways = Vec::new();
    for index in 0..settings.connections {
        gateways.push(connect(&settings, index).await?);
    }
    let start = Instant::now();
    let cpu_before_s = cpu_s(settings.pid);
    let until = start + Duration::from_secs(settings.seconds);
    let tasks: Vec<_> =
        gateways.into_iter().map(|(stream, packets)| tokio::spawn(pump(stream, packets, until))).collect();
    let mut acknowledged = 0;
    for task in tasks {
        acknowledged += task.await??;
    }
    let (took_s, used_s) = (start.elapsed().as_secs_f64(), cpu_s(settings.pid) - cpu_before_s);
    println!(
        "{acknowledged} messages acknowledged in {took_s:.2} s: {:.0} a second",
        acknowledged as f64 / took_s
    );
    if settings.pid.is_some() {
        println!("server CPU: {:.2} µs a message", used_s * 1e6 / acknowledged as f64);
    }
    Ok(())
}

async fn connect(
    settings: &Settings,
    index: usize,
) -> Result<(TcpStream, Vec<Vec<u8>>), Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(settings.addr).await?;
    stream.set_nodelay(true)?;
    let client_id = format!("g:{}:{}:load{index}", settings.org, settings.device_type);
    let connect = Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive_s: 60,
        client_id: &client_id,
        will: None,
        username: Some("use-token-auth"),
        password: Some(settings.token.as_bytes()),
        properties: Properties::EMPTY,
    };
    let mut bytes = Vec::new();
    codec::encode(&Packet::Connect(connect), Version::V311, &mut bytes);
    stream.write_all(&bytes).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    match codec::decode(&answer, Version::V311)? {
        Packet::ConnAck(ConnAck { code: 0, .. }) => Ok((stream, packets(settings, index))),
        other => Err(format!("{client_id} was answered {other:?}").into()),
    }
}

/// The packets of one window, each with its packet id; children share the messages.
fn packets(settings: &Settings, index: usize) -> Vec<Vec<u8>> {
    let packet = |at: usize| {
        let child = at % settings.children;
        let topic = format!("iot-2/type/dev/id/load{index}-{child}/evt/status/fmt/json");
        let payload = format!(
            r#"{{"temperature":{}.{},"humidity":{}.5,"counter":{},"state":"running","site":"north-hall-7","unit":"C"}}"#,
            20 + at % 9,
            at % 10,
            40 + at % 20,
            100_000 + at
        );
        let publish = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: &topic,
            packet_id: at as u16 + 1,
            properties: Properties::EMPTY,
            payload: payload.as_bytes(),
        };
        let mut bytes = Vec::new();
        codec::encode(&Packet::Publish(publish), Version::V311, &mut bytes);
        bytes
    };
    (0..settings.in_flight).map(packet).collect()
}

/// Keeps the window full until the time is over, then waits for what is under way.
async fn pump(mut stream: TcpStream, packets: Vec<Vec<u8>>, until: Instant) -> std::io::Result<u64> {
    let (mut sent, mut acknowledged, mut left_over) = (0_u64, 0_u64, 0);
    let mut answers = vec![0; 64 * 1024];
    let mut bytes = Vec::new();
    loop {
        let more = if Instant::now() < until { acknowledged + packets.len() as u64 - sent } else { 0 };
        bytes.clear();
        for at in sent..sent + more {
            bytes.extend_from_slice(&packets[at as usize % packets.len()]);
        }
        sent += more;
        stream.write_all(&bytes).await?;
        if sent == acknowledged {
            return Ok(acknowledged);
        }
        let count = stream.read(&mut answers).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        acknowledged += ((left_over + count) / PUBACK_BYTES) as u64;
        left_over = (left_over + count) % PUBACK_BYTES;
    }
}

/// User and system time of a process in seconds, from /proc.
fn cpu_s(pid: Option<u32>) -> f64 {
    let read = |pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
        let ticks: [f64; 2] = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?];
        Some((ticks[0] + ticks[1]) / 100.0)
    };
    pid.and_then(read).unwrap_or(0.0)
}
