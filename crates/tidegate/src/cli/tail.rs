//! Events as they arrive: lines for people, or NDJSON.

use anyhow::{Context, Result};
use http_body_util::BodyExt;
use serde_json::Value;

use super::Tail;
use super::api::{Api, escaped};
use super::command::print::print;
use super::line::Line;

/// Bytes of the longest line that is taken: a payload of the largest size, escaped.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Shows events of the organisation until the server stops, the reader goes, or enough was shown.
pub(super) async fn tail(api: &Api, org: &str, wanted: &Tail, as_json: bool) -> Result<()> {
    api.needs_server("events that arrive")?;
    let mut body = api.stream(&format!("/v1/orgs/{}/tail", escaped(org))).await?;
    let (mut lines, mut shown) = (Lines::default(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the server went away")?;
        lines.push(frame.data_ref().map_or(&[][..], |it| it))?;
        while let Some(line) = lines.next() {
            let Ok(event) = serde_json::from_slice::<Value>(&line) else { continue };
            if !wanted.picks(&event) {
                continue;
            }
            print(&if as_json { format!("{event}\n") } else { human(&event) })?;
            shown += 1;
            if wanted.count.is_some_and(|it| shown >= it) {
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Tail {
    fn picks(&self, event: &Value) -> bool {
        let is = |wanted: &Option<String>, member: &str| match wanted {
            Some(wanted) => event[member] == wanted.as_str(),
            None => true,
        };
        is(&self.device_type, "device_type") && is(&self.device, "device") && is(&self.event, "name")
    }
}

/// One event on one line; the line before it tells how many were missed.
fn human(event: &Value) -> String {
    let text = |member: &str| event[member].as_str().unwrap_or_default();
    let missed = match event["missed"].as_u64() {
        None | Some(0) => String::new(),
        Some(count) => format!("… {count} missed: this view read too slowly\n"),
    };
    let line = Line {
        at_ms: event["at_ms"].as_u64().unwrap_or_default(),
        device: &match text("device") {
            // A message about no device: whoever sent it.
            "" => text("from").to_owned(),
            device => format!("{}/{device}", text("device_type")),
        },
        is_command: text("kind") == "command",
        name: text("name"),
        payload: text("payload"),
    };
    format!("{missed}{line}\n")
}

/// Lines cut out of chunks.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
}

impl Lines {
    fn push(&mut self, chunk: &[u8]) -> Result<()> {
        anyhow::ensure!(
            self.bytes.len() + chunk.len() <= LINE_BYTES_MAX,
            "the server sent a line without an end"
        );
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let end = self.bytes.iter().position(|it| *it == b'\n')?;
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        line.pop();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_cut_wherever_chunks_end() {
        let (mut lines, mut cut) = (Lines::default(), Vec::new());
        for chunk in ["{\"a\"", ":1}\n{}", "\n\n{"] {
            assert!(lines.push(chunk.as_bytes()).is_ok());
            while let Some(line) = lines.next() {
                cut.push(String::from_utf8_lossy(&line).into_owned());
            }
        }
        assert_eq!(cut, ["{\"a\":1}", "{}", ""]);
    }

    #[test]
    fn only_what_is_wanted_is_picked() {
        let event = json!({ "device_type": "pump", "device": "p1", "name": "status" });
        assert!(Tail::default().picks(&event));
        assert!(
            Tail { device_type: Some("pump".into()), event: Some("status".into()), ..Tail::default() }
                .picks(&event)
        );
        assert!(!Tail { device: Some("p2".into()), ..Tail::default() }.picks(&event));
    }

    #[test]
    fn an_event_is_one_line_that_cannot_drive_the_terminal() {
        let event = json!({ "at_ms": 1_500, "device_type": "pump", "device": "p1", "kind": "event", "name": "status",
            "payload": "a\nb", "missed": 2 });
        let expected = "… 2 missed: this view read too slowly\n\
                        00:00:01.500  pump/p1           status        a\u{fffd}b\n";
        assert_eq!(human(&event), expected);
    }
}
