//! Shapes of bodies, in a notation that is short enough to be read beside the code: `text`, `whole`, `number`, `truth`,
//! `object` and `any` are what they say; a name is that of another shape of the face; `[text]` is a list, `{text}` an
//! object with members of any names, and a `?` behind a kind says that it may be `null`.

use serde_json::{Map, Value, json};

/// An object and its members: names and kinds. A `?` behind a name says that the member may be left out.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) members: &'static [(&'static str, &'static str)],
}

/// Shapes as a table: the name of each, and its members with their kinds.
macro_rules! shapes {
    ($($name:literal: $($member:literal $kind:literal),*;)*) => {
        &[$(Shape { name: $name, members: &[$(($member, $kind)),*] }),*]
    };
}
pub(crate) use shapes;

impl Shape {
    /// Its schema.
    pub(super) fn schema(&self, face: &str) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for (name, kind) in self.members {
            let name = match name.strip_suffix('?') {
                Some(name) => name,
                None => {
                    required.push(*name);
                    name
                }
            };
            properties.insert(name.to_owned(), schema(kind, face));
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }
}

/// The schema of a kind.
pub(super) fn schema(kind: &str, face: &str) -> Value {
    if let Some(kind) = kind.strip_suffix('?') {
        return match schema(kind, face) {
            reference if reference.get("$ref").is_some() => json!({ "allOf": [reference], "nullable": true }),
            mut schema => {
                schema["nullable"] = true.into();
                schema
            }
        };
    }
    let within = |from, to| kind.strip_prefix(from).and_then(|it: &str| it.strip_suffix(to));
    if let Some(items) = within('[', ']') {
        return json!({ "type": "array", "items": schema(items, face) });
    }
    if let Some(members) = within('{', '}') {
        return json!({ "type": "object", "additionalProperties": schema(members, face) });
    }
    match kind {
        "text" => json!({ "type": "string" }),
        "whole" => json!({ "type": "integer", "format": "int64" }),
        "number" => json!({ "type": "number" }),
        "truth" => json!({ "type": "boolean" }),
        "object" => json!({ "type": "object", "additionalProperties": true }),
        "any" => json!({}),
        name => json!({ "$ref": format!("#/components/schemas/{face}.{name}") }),
    }
}
