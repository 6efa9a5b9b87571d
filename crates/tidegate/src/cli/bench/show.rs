//! How measurements look: a table with a column for each server, or JSON.

use serde_json::{Value, json};
use sim::bench::{Content, Outcome, Plan, Workload, median};

use super::Contestant;
use crate::cli::table::Table;

/// A server and what was measured of it, a round each.
type Result = (Contestant, Vec<Outcome>);

/// One line of the table: what it is, how it is read off an outcome, and with how many digits it is shown.
struct Row {
    name: &'static str,
    /// Its name in JSON.
    key: &'static str,
    read: fn(&Outcome) -> Option<f64>,
    digits: usize,
}

const fn row(name: &'static str, key: &'static str, read: fn(&Outcome) -> Option<f64>, digits: usize) -> Row {
    Row { name, key, read, digits }
}

/// The time within which a share of all was done, in milliseconds.
fn latency_ms(outcome: &Outcome, share: f64) -> Option<f64> {
    (outcome.latency.count() > 0).then(|| outcome.latency.at(share) as f64 / 1e6)
}

/// The lines that suit a workload, the most telling first.
fn rows(workload: Workload) -> Vec<Row> {
    let rate = match workload {
        Workload::Ingest => "acknowledged per second",
        Workload::Storm | Workload::Idle => "connected per second",
        _ => "delivered per second",
    };
    let cpu = match workload {
        Workload::Storm | Workload::Idle => "server CPU per connect, µs",
        _ => "server CPU per message, µs",
    };
    let mut rows = vec![row(rate, "rate_per_s", |it| Some(it.rate_per_s()), 0)];
    rows.push(row(cpu, "cpu_us", Outcome::cpu_us, 3));
    rows.extend([
        row("points per second", "points_per_s", Outcome::points_per_s, 0),
        row("server CPU per point, µs", "cpu_us_per_point", Outcome::cpu_us_per_point, 3),
    ]);
    if workload == Workload::Idle {
        rows.push(row("bytes per connection", "bytes_per_connection", |it| it.bytes_per_connection, 0));
    }
    rows.extend([
        row("server cores", "server_cores", Outcome::server_cores, 2),
        row("generator cores", "generator_cores", Outcome::own_cores, 2),
        row("latency p50, ms", "p50_ms", |it| latency_ms(it, 0.5), 3),
        row("latency p99, ms", "p99_ms", |it| latency_ms(it, 0.99), 3),
        row("latency p99.9, ms", "p999_ms", |it| latency_ms(it, 0.999), 3),
        row("latency max, ms", "max_ms", |it| latency_ms(it, 1.0), 3),
        row("refused", "refused", |it| Some(it.failed as f64), 0),
        row("lost", "lost", |it| Some(it.lost as f64), 0),
    ]);
    rows
}

/// The median over the rounds; `None` where it cannot be told.
fn value(row: &Row, outcomes: &[Outcome]) -> Option<f64> {
    median(outcomes.iter().filter_map(|it| (row.read)(it)))
}

/// What was done, in a line.
fn headline(plan: &Plan) -> String {
    let mut words = vec![format!("{} × {}", plan.workload, plan.connections)];
    words.push(format!("QoS {}", plan.qos as u8));
    match plan.workload {
        Workload::Idle => {}
        Workload::Storm => words = vec![words.swap_remove(0), format!("{} at once", plan.window)],
        Workload::Open | Workload::Sparse => {
            words.push(content(plan));
            words.push(format!("{} a second", plan.rate_per_s));
            if plan.burst > 1 {
                words.push(format!("{} at once", plan.burst));
            }
        }
        _ => words.extend([content(plan), format!("window {}", plan.window)]),
    }
    words.join(", ")
}

/// What each message says.
fn content(plan: &Plan) -> String {
    match &plan.content {
        Content::Event { bytes } => format!("{bytes} bytes"),
        Content::Upload => "an upload of 5 values".to_owned(),
        Content::Readings { per_message, .. } => format!("{per_message} of {} devices", plan.names.children),
    }
}

/// A table: the first server, the others, and each of them against the first.
pub(super) fn text(plan: &Plan, results: &[Result]) -> String {
    let mut head = vec![headline(plan)];
    for (index, (contestant, _)) in results.iter().enumerate() {
        head.push(contestant.name.clone());
        head.extend((index > 0).then(|| "ratio".to_owned()));
    }
    let mut table = Table::new(&vec![""; head.len()]);
    table.push(head);
    for row in rows(plan.workload) {
        let values: Vec<Option<f64>> = results.iter().map(|it| value(&row, &it.1)).collect();
        let is_trouble = ["refused", "lost"].contains(&row.key);
        if values.iter().all(|it| it.is_none_or(|it| is_trouble && it == 0.0)) {
            continue;
        }
        let mut cells = vec![row.name.to_owned()];
        let first = values[0].filter(|it| *it > 0.0);
        for (index, value) in values.iter().enumerate() {
            cells.push(value.map(|it| number(it, row.digits)).unwrap_or_default());
            if index > 0 {
                let ratio = value.zip(first).map(|(value, first)| format!("{:.2}", value / first));
                cells.push(ratio.unwrap_or_default());
            }
        }
        table.push(cells);
    }
    // The servers are the headings.
    table.render("").trim_start_matches([' ', '\n']).to_owned()
}

/// A number with its thousands apart.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// Everything, each round by itself and the medians.
pub(super) fn json(plan: &Plan, results: &[Result]) -> Value {
    let rows = rows(plan.workload);
    let members = |read: &dyn Fn(&Row) -> Option<f64>| -> Value {
        rows.iter().filter_map(|it| Some((it.key.to_owned(), json!(read(it)?)))).collect()
    };
    let servers: Vec<Value> = results
        .iter()
        .map(|(contestant, outcomes)| {
            let rounds: Vec<Value> = outcomes.iter().map(|it| members(&|row| (row.read)(it))).collect();
            let counted: u64 = outcomes.iter().map(|it| it.counted).sum();
            let median = members(&|row| value(row, outcomes));
            let (name, addr) = (&contestant.name, contestant.target.addr);
            json!({ "name": name, "addr": addr, "counted": counted, "median": median, "rounds": rounds })
        })
        .collect();
    json!({
        "workload": plan.workload.name(),
        "connections": plan.connections,
        "qos": plan.qos as u8,
        "payload_bytes": if let Content::Event { bytes } = plan.content { Some(bytes) } else { None },
        "content": content(plan),
        "window": plan.window,
        "servers": servers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        let table = [(0.0, 0, "0"), (999.4, 0, "999"), (1_000.0, 0, "1,000"), (3_214_567.0, 0, "3,214,567")];
        for (value, digits, expected) in table {
            assert_eq!(number(value, digits), expected);
        }
        assert_eq!(number(1_234.567, 2), "1,234.57");
        assert_eq!(number(0.4126, 3), "0.413");
    }
}
