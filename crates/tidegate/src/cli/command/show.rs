//! From the API's JSON to tables.

use serde_json::Value;

use super::ask::Answer;
use crate::cli::moment;
use crate::cli::table::{Table, printable};

/// The members of a list in an answer.
pub(super) fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer[name].as_array().into_iter().flatten()
}

/// A list as a table: a heading and the place of its cell for each column.
pub(super) fn table(json: Value, name: &str, columns: &[(&'static str, &str)], nothing: &str) -> Answer {
    let headings: Vec<&'static str> = columns.iter().map(|it| it.0).collect();
    let mut table = Table::new(&headings);
    for row in list(&json, name) {
        let cell = |place: &str| row.pointer(place).map(|it| cell(place, it)).unwrap_or_default();
        table.push(columns.iter().map(|(_, place)| cell(place)).collect());
    }
    Answer { text: table.render(nothing), json }
}

/// One thing, a fact a line; what is null or empty is left out.
pub(super) fn facts(json: Value, nothing: &str) -> Answer {
    let mut facts = Vec::new();
    collect(&json, &mut String::new(), &mut facts);
    let width = facts.iter().map(|it| it.0.chars().count()).max().unwrap_or(0);
    let lines: String = facts.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect();
    Answer { text: if lines.is_empty() { format!("{nothing}\n") } else { lines }, json }
}

/// Members of members get names with dots. The API's answers are a few levels deep.
fn collect(value: &Value, name: &mut String, facts: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        Value::Object(members) => {
            for (member, value) in members {
                let len = name.len();
                if len > 0 {
                    name.push('.');
                }
                name.push_str(member);
                collect(value, name, facts);
                name.truncate(len);
            }
        }
        other => facts.push((printable(name), cell(name, other))),
    }
}

/// The cell for a value, by the name of its place where that tells how to show it.
fn cell(place: &str, value: &Value) -> String {
    let shown_best = |it: &Value| it.get("json").or_else(|| it.get("text")).map(text_of);
    match (place, value) {
        ("/at_ms", it) => it.as_u64().map(moment::show).unwrap_or_default(),
        ("/payload", it) => shown_best(it).unwrap_or_else(|| text_of(it)),
        ("/gateway", Value::Object(it)) => {
            let part = |name: &str| it.get(name).map(text_of).unwrap_or_default();
            format!("{}/{}", part("type"), part("name"))
        }
        ("/rights/publish" | "/rights/subscribe", Value::Array(rules)) => match rules.len() {
            0 => "everything".to_owned(),
            _ => rules.iter().map(text_of).collect::<Vec<_>>().join(" "),
        },
        (_, other) => text_of(other),
    }
}

/// A value without the quotes of JSON, harmless for a terminal.
pub(super) fn text_of(value: &Value) -> String {
    crate::cli::table::cell(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_becomes_a_table() {
        let answer = json!({ "devices": [
            { "type": "pump", "name": "p1", "gateway": { "type": "gw", "name": "g1" }, "at_ms": 0 },
            { "type": "gw", "name": "g1", "gateway": null, "payload": { "json": { "t": 1 } } },
        ]});
        let columns = [("type", "/type"), ("behind", "/gateway"), ("at", "/at_ms"), ("payload", "/payload")];
        let expected = "TYPE  BEHIND  AT                       PAYLOAD\n\
                        pump  gw/g1   1970-01-01 00:00:00.000\n\
                        gw                                     {\"t\":1}\n";
        assert_eq!(table(answer, "devices", &columns, "none").text, expected);
        assert_eq!(table(json!({ "devices": [] }), "devices", &columns, "none").text, "none\n");
    }

    #[test]
    fn one_thing_becomes_facts() {
        let answer =
            json!({ "name": "p1", "info": { "model": "M", "serial_number": null }, "enabled": true });
        assert_eq!(facts(answer, "").text, "name        p1\ninfo.model  M\nenabled     true\n");
        assert_eq!(facts(json!({}), "nothing").text, "nothing\n");
    }
}
