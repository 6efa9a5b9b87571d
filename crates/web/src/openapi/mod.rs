//! One OpenAPI document for every HTTP face, made from the tables that their routers are made from.
//!
//! A face writes its routes as a table of [`Call`]s; [`mount`] makes the router of it and [`Face::new`] keeps what the
//! document says. So there is no route without its description, nor the other way round. What the descriptions promise
//! of answers is checked against every answer that a test of this crate gets.
//!
//! It describes; it decides nothing that a request meets.

mod call;
#[cfg(test)]
pub(crate) mod check;
mod shape;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get as axum_get;
use serde_json::{Map, Value, json};

pub(crate) use call::{Call, Operation, delete, get, mount, patch, post, put};
pub(crate) use shape::{Shape, shapes};

/// Where the document is served.
pub(crate) const PATH: &str = "/openapi.json";

/// How a face knows who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// It does not: whoever can reach it may do everything.
    None,
    /// An API key and its token as user and password.
    Basic,
    /// A token that its login gave, in `X-Authorization`.
    Token,
    /// A key of a product, in a header of its own.
    Header,
}

impl Security {
    fn name(self) -> Option<&'static str> {
        match self {
            Security::None => None,
            Security::Basic => Some("key"),
            Security::Token => Some("token"),
            Security::Header => Some("product_key"),
        }
    }
}

/// One face of the server: calls that belong together and say no in the same way.
pub(crate) struct Face {
    /// Its name, which the names of its shapes begin with.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) about: &'static str,
    pub(crate) security: Security,
    /// The shapes of its bodies; `Fault` is that of a refusal.
    pub(crate) shapes: &'static [Shape],
    operations: Vec<Operation>,
}

impl Face {
    /// A face with these calls.
    pub(crate) fn new<S>(
        name: &'static str,
        about: &'static str,
        security: Security,
        shapes: &'static [Shape],
        calls: Vec<Call<S>>,
    ) -> Face {
        let operations = calls.into_iter().map(|it| it.operation).collect();
        Face { name, about, security, shapes, operations }
    }
}

/// All faces.
fn faces() -> [Face; 4] {
    use crate::compat::{onenet, thingsboard, watson};
    [crate::api::face(), watson::face(), thingsboard::face(), onenet::face()]
}

/// The route of the document.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let document = Bytes::from(document().to_string());
    let answer = async move || ([(CONTENT_TYPE, "application/json")], document);
    Router::new().route(PATH, axum_get(answer))
}

/// The document: OpenAPI 3.0.
pub(crate) fn document() -> Value {
    let (mut tags, mut schemas) = (Vec::new(), Map::new());
    let mut paths = Map::<String, Value>::new();
    for face in faces() {
        tags.push(json!({ "name": face.name, "description": face.about }));
        for shape in face.shapes {
            schemas.insert(format!("{}.{}", face.name, shape.name), shape.schema(face.name));
        }
        for operation in &face.operations {
            let item = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
            item[operation.method] = operation.describe(&face);
        }
    }
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Tidegate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The HTTP faces of one server: its own administration, and the APIs of the platforms that \
                devices and applications were built for.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": { "type": "http", "scheme": "basic", "description": "An API key and its token." },
                "token": {
                    "type": "apiKey", "in": "header", "name": "X-Authorization",
                    "description": "`Bearer ` and the token that /api/auth/login gave.",
                },
                "product_key": {
                    "type": "apiKey", "in": "header", "name": "api-key",
                    "description": "The master key of a product, or one of its further keys.",
                },
            },
        },
    })
}
