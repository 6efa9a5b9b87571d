//! How many durable events a second the embedded store takes, and what each costs.
//!
//! `cargo run --release -p store --example ingest -- [seconds] [threads] [devices a thread] [folder]`
//!
//! Each thread hands in batches of 100 events, as a connection with 100 messages in flight would, and keeps up to 10
//! batches outstanding. An event is about 100 bytes of JSON with 3 points. Nothing is counted before it is synced. Of a
//! folder that was used before it is told how long it takes to open. In the end one device's history is read.

#![allow(clippy::unwrap_used, reason = "a measurement may simply stop")]

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use domain::{DeviceId, Event, Message, Order, OrgId, Points, Series, Summary, Value};
use store::{Change, Changes, Store, Ticket, embedded};

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
    let start = Instant::now();
    let store: Arc<dyn Store> = Arc::new(embedded::open(&folder.join("ingest")).unwrap());
    println!("opened in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);

    let totals = Totals::default();
    let (start, ticks) = (Instant::now(), cpu_ticks());
    let until = start + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (store, totals) = (&*store, &totals);
            scope.spawn(move || produce(store, thread * devices..(thread + 1) * devices, until, totals));
        }
    });
    let (elapsed, used) = (start.elapsed().as_secs_f64(), (cpu_ticks() - ticks) / TICKS_PER_SECOND);
    let events = totals.stored.load(Ordering::Relaxed) as f64;
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
    let mean_us = totals.latency_us.load(Ordering::Relaxed) as f64 / (events / BATCH_COUNT as f64);
    let slowest_us = totals.slowest_us.load(Ordering::Relaxed) as f64;
    println!("{:.1} ms from handing in to stored, {:.1} at most", mean_us / 1e3, slowest_us / 1e3);
    read(&*store);
    store.close().unwrap();
}

/// Reads the first device's history, point by point and as one sum.
fn read(store: &dyn Store) {
    let org = OrgId::parse("abc123").unwrap();
    let series = Series { org, device: DeviceId(0), key: "status.d.temperature" };
    let (start, mut count, mut rest) = (Instant::now(), 0_u64, Some(0..u64::MAX));
    while let Some(range) = rest {
        let each = &mut |_, _: Value<'_>| {
            count += 1;
            ControlFlow::Continue(())
        };
        rest = store.points(series, range, Order::Ascending, each).unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{count} points of a series read, {:.1} million/s", count as f64 / seconds / 1e6);
    let (start, mut sum) = (Instant::now(), None);
    let each = &mut |_, it: &Summary| {
        sum = it.sum();
        ControlFlow::Continue(())
    };
    store.aggregates(series, 0..u64::MAX, 0, each).unwrap();
    println!("their sum, {sum:?}, in {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
}

/// What all threads together have seen.
#[derive(Default)]
struct Totals {
    stored: AtomicU64,
    latency_us: AtomicU64,
    slowest_us: AtomicU64,
}

impl Totals {
    fn settle(&self, store: &dyn Store, ticket: Ticket, handed_at: Instant) {
        store.wait(ticket).unwrap();
        let latency_us = handed_at.elapsed().as_micros() as u64;
        self.stored.fetch_add(BATCH_COUNT, Ordering::Relaxed);
        self.latency_us.fetch_add(latency_us, Ordering::Relaxed);
        self.slowest_us.fetch_max(latency_us, Ordering::Relaxed);
    }
}

fn produce(store: &dyn Store, devices: Range<u64>, until: Instant, totals: &Totals) {
    let org = OrgId::parse("abc123").unwrap();
    let (name, format): (Arc<str>, Arc<str>) = ("status".into(), "json".into());
    let mut outstanding = VecDeque::new();
    let mut senders =
        (1_700_000_000_000..).flat_map(|at_ms| devices.clone().map(move |it| (DeviceId(it), at_ms)));
    while Instant::now() < until {
        let mut changes = Changes::new();
        changes.list.reserve(BATCH_COUNT as usize);
        for (device, at_ms) in senders.by_ref().take(BATCH_COUNT as usize) {
            changes.push(Change::Event(event(org, device, &name, &format, at_ms)));
        }
        outstanding.push_back((store.commit(changes), Instant::now()));
        if outstanding.len() == OUTSTANDING_COUNT_MAX {
            outstanding.pop_front().into_iter().for_each(|(ticket, at)| totals.settle(store, ticket, at));
        }
    }
    outstanding.into_iter().for_each(|(ticket, at)| totals.settle(store, ticket, at));
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
