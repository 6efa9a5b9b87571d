#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;
use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use super::*;
use crate::testing::{House, ask};

/// Calls `each` with every object in a value.
fn walk(value: &Value, each: &mut dyn FnMut(&Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            each(members);
            members.values().for_each(|it| walk(it, each));
        }
        Value::Array(items) => items.iter().for_each(|it| walk(it, each)),
        _ => {}
    }
}

#[test]
fn references_lead_somewhere_and_names_are_given_once() {
    let document = document();
    let (mut ids, mut used) = (HashSet::new(), HashSet::new());
    walk(&document, &mut |object| {
        if let Some(name) = object.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(name.trim_start_matches('#')).is_some(), "{name}");
            used.insert(name.trim_start_matches("#/components/schemas/").to_owned());
        }
        if let Some(id) = object.get("operationId").and_then(Value::as_str) {
            assert!(ids.insert(id.to_owned()), "{id} twice");
            let responses = object["responses"].as_object().unwrap();
            assert!(responses.keys().any(|it| it.starts_with('2')), "{id} never succeeds");
        }
    });
    let shapes: HashSet<_> = document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(shapes, used, "shapes that are there, and shapes that are used");
    let operations: usize = faces().iter().map(|it| it.operations.len()).sum();
    assert_eq!(ids.len(), operations, "two calls with one method and path");
}

/// A path with a handler says something else than that there is no such path or method.
#[tokio::test]
async fn what_is_in_the_document_is_mounted() {
    let house = House::new();
    let routers = crate::compat::thingsboard::tests::all_routers(&house);
    for face in faces() {
        let (_, router) = routers.iter().find(|it| it.0 == face.name).unwrap();
        for operation in &face.operations {
            let path = operation.path.replace(['{', '}'], "");
            let method = operation.method.to_ascii_uppercase();
            let request = Request::builder().method(&*method).uri(&path).body(Body::empty()).unwrap();
            let answer = ask(router, request).await;
            let text = String::from_utf8_lossy(&answer.body);
            assert!(
                answer.status != 405 && !text.contains("There is no such path"),
                "{method} {path}: {text}"
            );
        }
    }
}

/// Only tables make routes: so there is none that the document does not have.
#[test]
fn routes_are_in_tables() {
    fn look(folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path);
            } else if !path.to_string_lossy().contains("openapi") {
                let text = std::fs::read_to_string(&path).unwrap();
                for by_hand in [".route(", ".nest(", "_service("] {
                    let place = path.display();
                    assert!(
                        !text.contains(by_hand),
                        "{place}: {by_hand}: write the route in the face's table"
                    );
                }
            }
        }
    }
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
}
