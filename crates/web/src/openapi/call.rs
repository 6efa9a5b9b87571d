//! A call: a method and a path, the handler that answers it, and what the document says of both.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use serde_json::{Map, Value, json};

use super::Face;
use super::shape::schema;

/// A row of a face's table of routes.
pub(crate) struct Call<S> {
    pub(crate) path: &'static str,
    pub(crate) methods: MethodRouter<S>,
    pub(super) operation: Operation,
}

/// What the document says of a call.
pub(crate) struct Operation {
    pub(super) method: &'static str,
    /// With the names that a reader understands.
    pub(super) path: String,
    summary: &'static str,
    /// Names and kinds of the query's parameters; `*` stands behind a name that is required.
    query: Vec<(&'static str, &'static str)>,
    body: Option<&'static str>,
    /// Statuses of success, and the shape of the body that comes with each.
    pub(super) answers: Vec<(u16, Option<&'static str>)>,
    is_open: bool,
}

macro_rules! methods {
    ($($method:ident)*) => {
        $(
            /// A call with this method.
            pub(crate) fn $method<H, T, S>(path: &'static str, handler: H, summary: &'static str) -> Call<S>
            where
                H: Handler<T, S>,
                T: 'static,
                S: Clone + Send + Sync + 'static,
            {
                Call::new(stringify!($method), path, routing::$method(handler), summary)
            }
        )*
    };
}
methods!(get post put patch delete);

/// A router with all routes of a table.
pub(crate) fn mount<S: Clone + Send + Sync + 'static>(calls: Vec<Call<S>>) -> Router<S> {
    calls.into_iter().fold(Router::new(), |router, it| router.route(it.path, it.methods))
}

impl<S: Clone + 'static> Call<S> {
    fn new(
        method: &'static str,
        path: &'static str,
        methods: MethodRouter<S>,
        summary: &'static str,
    ) -> Call<S> {
        let (query, body, answers) = (Vec::new(), None, Vec::new());
        let path_shown = path.to_owned();
        let operation = Operation { method, path: path_shown, summary, query, body, answers, is_open: false };
        Call { path, methods, operation }
    }

    /// Names for the parameters of the path, in their order, where routes that share a beginning had to agree on
    /// others.
    pub(crate) fn named(mut self, names: &[&str]) -> Self {
        let mut names = names.iter();
        let parts = self.path.split('/').map(|part| match part.starts_with('{') {
            true => names.next().map_or_else(|| part.to_owned(), |it| format!("{{{it}}}")),
            false => part.to_owned(),
        });
        self.operation.path = parts.collect::<Vec<_>>().join("/");
        self
    }

    /// Parameters of the query: names and kinds. A `*` behind a name says that it is required.
    pub(crate) fn query(mut self, parameters: &[(&'static str, &'static str)]) -> Self {
        self.operation.query.extend_from_slice(parameters);
        self
    }

    /// The shape of the request's body; `bytes` are no JSON.
    pub(crate) fn takes(mut self, shape: &'static str) -> Self {
        self.operation.body = Some(shape);
        self
    }

    /// Is answered 200 with a body of this shape; `bytes` are no JSON.
    pub(crate) fn answers(self, shape: &'static str) -> Self {
        self.answers_with(200, shape)
    }

    /// Is answered so, with a body of this shape.
    pub(crate) fn answers_with(mut self, status: u16, shape: &'static str) -> Self {
        self.operation.answers.push((status, Some(shape)));
        self
    }

    /// Is answered so, without a body.
    pub(crate) fn done_with(mut self, status: u16) -> Self {
        self.operation.answers.push((status, None));
        self
    }

    /// Wants no credentials, other than in its path or body.
    pub(crate) fn open(mut self) -> Self {
        self.operation.is_open = true;
        self
    }

    /// Adds the route to a router, with and without a `/` at its end.
    pub(crate) fn mount_with_and_without_slash(router: Router<S>, call: Call<S>) -> Router<S>
    where
        S: Send + Sync,
    {
        router.route(call.path, call.methods.clone()).route(&format!("{}/", call.path), call.methods)
    }

    /// Changes the route itself.
    pub(crate) fn with(mut self, change: impl FnOnce(MethodRouter<S>) -> MethodRouter<S>) -> Self {
        self.methods = change(self.methods);
        self
    }
}

impl Operation {
    /// The operation object.
    pub(super) fn describe(&self, face: &Face) -> Value {
        let mut parameters: Vec<_> = self
            .path
            .split('/')
            .filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'))
            .map(|it| json!({ "name": it, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        for (name, kind) in &self.query {
            let (name, required) = name.strip_suffix('*').map_or((*name, false), |it| (it, true));
            let schema = schema(kind, face.name);
            parameters.push(json!({ "name": name, "in": "query", "required": required, "schema": schema }));
        }
        let content = |shape: &str| match shape {
            "bytes" => {
                json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } })
            }
            _ => json!({ "application/json": { "schema": schema(shape, face.name) } }),
        };
        let mut responses = Map::new();
        for (status, shape) in &self.answers {
            let mut response = json!({ "description": "It is done." });
            if let Some(shape) = shape {
                response["content"] = content(shape);
            }
            responses.insert(status.to_string(), response);
        }
        responses
            .insert("default".to_owned(), json!({ "description": "Refused.", "content": content("Fault") }));
        let words: String = self.path.chars().map(|it| if it.is_alphanumeric() { it } else { '_' }).collect();
        let mut operation = json!({
            "tags": [face.name],
            "operationId": format!("{}{words}", self.method),
            "summary": self.summary,
            "parameters": parameters,
            "responses": responses,
        });
        if let Some(shape) = self.body {
            operation["requestBody"] = json!({ "required": true, "content": content(shape) });
        }
        let security = face.security.name().filter(|_| !self.is_open);
        operation["security"] = match security {
            Some(name) => json!([{ name: [] }]),
            None => json!([]),
        };
        operation
    }
}
