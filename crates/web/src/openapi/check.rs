//! Whether an answer is what the document says: asked of every answer that a test gets.

use serde_json::Value;

use super::document;

/// Panics when an answer is not as the document has it.
pub(crate) fn answer(method: &str, path: &str, status: u16, body: &[u8]) {
    // What pages ask of every path before they ask for anything.
    if method == "OPTIONS" {
        return;
    }
    let said = format!("{method} {path}, answered {status} {}", String::from_utf8_lossy(body));
    let document = document();
    let Some(operation) = operation(&document, method, path) else {
        assert!(status >= 400 || is_refused(body), "not in the document: {said}");
        return;
    };
    let responses = &operation["responses"];
    let response = match responses.get(status.to_string()) {
        Some(response) => response,
        None if status >= 400 => &responses["default"],
        None => panic!("no such status in the document: {said}"),
    };
    if response.pointer("/content/application~1octet-stream").is_some() {
        return;
    }
    let Some(schema) = response.pointer("/content/application~1json/schema") else {
        assert!(body.is_empty(), "no body in the document: {said}");
        return;
    };
    // Some refusals of ThingsBoard are all in their status, or a sentence.
    let read = serde_json::from_slice::<Value>(body);
    match read {
        Ok(Value::Object(body)) if status >= 400 => fits(&document, schema, &Value::Object(body), &said),
        _ if status >= 400 => {}
        // Answers that a device gave, and lines, are bodies of any kind.
        _ if schema.as_object().is_some_and(|it| it.is_empty()) => {}
        Ok(body) => fits(&document, schema, &body, &said),
        Err(fault) => panic!("no JSON, {fault}: {said}"),
    }
}

/// Whether a body says that the request is refused, as those of OneNET's API do with any status.
fn is_refused(body: &[u8]) -> bool {
    let read = serde_json::from_slice::<Value>(body).unwrap_or_default();
    read["errno"].as_u64().is_some_and(|it| it > 0)
}

/// The operation that a request means: of the paths that fit, the one with the fewest parameters.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let path = path.split('?').next().unwrap_or_default();
    let path = path.strip_suffix('/').filter(|_| path.starts_with("/api/v0002")).unwrap_or(path);
    let parts: Vec<_> = path.split('/').collect();
    let of_template = |template: &str| {
        let template: Vec<_> = template.split('/').collect();
        let is_same = template.len() == parts.len()
            && std::iter::zip(&template, &parts)
                .all(|(wanted, part)| wanted.starts_with('{') || wanted == part);
        is_same.then(|| template.iter().map(|it| it.starts_with('{')).collect::<Vec<_>>())
    };
    let paths = document["paths"].as_object()?.iter();
    let fitting = paths.filter_map(|(template, item)| Some((of_template(template)?, item)));
    let (_, item) = fitting.min_by_key(|it| it.0.clone())?;
    item.get(method.to_ascii_lowercase())
}

fn fits(document: &Value, schema: &Value, value: &Value, said: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let shape = document.pointer(name.trim_start_matches('#'));
        return fits(document, shape.unwrap_or_else(|| panic!("there is no {name}")), value, said);
    }
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if let Some(one) = schema["allOf"].get(0) {
        return fits(document, one, value, said);
    }
    let is_so = match schema["type"].as_str() {
        None => true,
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        _ => value.is_object(),
    };
    assert!(is_so, "{value} is not {schema}: {said}");
    for item in value.as_array().into_iter().flatten().filter(|_| schema.get("items").is_some()) {
        fits(document, &schema["items"], item, said);
    }
    let Some(members) = value.as_object().filter(|_| schema["type"] == "object") else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(members.contains_key(name), "{name} is missing in {value}: {said}");
    }
    for (name, member) in members {
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => fits(document, schema, member, said),
            (None, Value::Bool(true)) => {}
            (None, Value::Null) => panic!("{name} is not in the document: {said}"),
            (None, schema) => fits(document, schema, member, said),
        }
    }
}
