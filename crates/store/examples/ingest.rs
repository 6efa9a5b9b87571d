//! How many durable events a second the embedded store takes, and what each costs.
//!
//! `cargo run --release -p store --example ingest -- [seconds] [threads] [devices a thread] [folder]`
//!
//! Each thread hands in batches of 100 events, as a connection with 100 messages in flight would, and keeps up to 10
//! batches outstanding. An event is about 100 bytes of JSON with 3 points. Nothing is counted before it is synced.

#![allow(clippy::unwrap_used, reason = "a measurement may simply stop")]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::{DeviceId, Event, Message, OrgId, Points, Value};
use store::{Change, Changes, Store, embedded};

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH_COUNT: u64 = 100;
const OUTSTANDING_COUNT_MAX: usize = 10;
/// Linux counts CPU time in hundredths of a second, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| args.get(index).map_or(default, |it| it.parse().unwrap());
    let (seconds, threads, devices) = (number(0, 10), number(1, 4), number(2, 25));
    let temporary = tempfile::tempdir().unwrap();
    let folder = args.get(3).map_or(temporary.path().to_owned(), PathBuf::from);
    let store: Arc<dyn Store> = Arc::new(embedded::open(&folder.join("ingest")).unwrap());

    let (stored, latency_us) = (AtomicU64::new(0), AtomicU64::new(0));
    let (start, ticks) = (Instant::now(), cpu_ticks());
    let until = start + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (store, stored, latency_us) = (&store, &stored, &latency_us);
            scope.spawn(move || produce(&**store, thread, devices, until, stored, latency_us));
        }
    });
    let (elapsed, used) = (start.elapsed().as_secs_f64(), (cpu_ticks() - ticks) / TICKS_PER_SECOND);
    let events = stored.load(Ordering::Relaxed) as f64;
    let stats = store.stats();
    println!("{:.0} events/s durable", events / elapsed);
    println!(
        "{:.2} µs of CPU per event, all threads ({:.2} cores busy)",
        used * 1e6 / events,
        used / elapsed
    );
    println!(
        "{:.0} events per group, {:.0} groups/s",
        events / stats.commits as f64,
        stats.commits as f64 / elapsed
    );
    println!(
        "{:.1} ms from handing in to stored, on average",
        latency_us.load(Ordering::Relaxed) as f64 / (events / BATCH_COUNT as f64) / 1_000.0
    );
    store.close().unwrap();
}

fn produce(
    store: &dyn Store,
    thread: u64,
    devices: u64,
    until: Instant,
    stored: &AtomicU64,
    latency_us: &AtomicU64,
) {
    let org = OrgId::parse("abc123").unwrap();
    let (name, format): (Arc<str>, Arc<str>) = ("status".into(), "json".into());
    let mut outstanding = VecDeque::new();
    let mut settle = |(ticket, handed_at): (store::Ticket, Instant)| {
        store.wait(ticket).unwrap();
        stored.fetch_add(BATCH_COUNT, Ordering::Relaxed);
        latency_us.fetch_add(handed_at.elapsed().as_micros() as u64, Ordering::Relaxed);
    };
    let mut at_ms = 1_700_000_000_000;
    while Instant::now() < until {
        let mut changes = Changes::new();
        changes.list.reserve(BATCH_COUNT as usize);
        for n in 0..BATCH_COUNT {
            let device = DeviceId(thread * devices + n % devices);
            at_ms += u64::from(n % devices == 0);
            changes.push(Change::Event(event(org, device, &name, &format, at_ms)));
        }
        outstanding.push_back((store.commit(changes), Instant::now()));
        if outstanding.len() == OUTSTANDING_COUNT_MAX {
            outstanding.pop_front().into_iter().for_each(&mut settle);
        }
    }
    outstanding.into_iter().for_each(settle);
}

fn event(org: OrgId, device: DeviceId, name: &Arc<str>, format: &Arc<str>, at_ms: u64) -> Event {
    let payload = br#"{"d":{"temperature":21.573,"pressure":1013,"state":"running, all within the limits that were set"}}"#;
    let topic = "iot-2/type/pump/id/pump-00017/evt/status/fmt/json";
    let mut points = Points::new();
    points.push("status.d.temperature", Value::F64(21.573 + (at_ms % 100) as f64));
    points.push("status.d.pressure", Value::I64(1_013));
    points.push("status.d.state", Value::Text("running, all within the limits that were set"));
    Event {
        org,
        device,
        name: name.clone(),
        format: format.clone(),
        at_ms,
        message: Message::shared(topic, b"", payload),
        points,
    }
}

/// User and system time of this process, in ticks; 0 where there is no `/proc`.
fn cpu_ticks() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|it| fields.get(*it)?.parse::<f64>().ok()).sum()
}
