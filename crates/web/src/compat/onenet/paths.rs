//! Which paths are this API's, and how clients write them: with doubled slashes, since some join a base that ends with
//! one to a path that begins with one (spec onenet 8.1).

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Whether a path is one of this API.
pub(crate) fn is_ours(path: &str) -> bool {
    let first = path.split('/').find(|it| !it.is_empty());
    matches!(first, Some("devices" | "register_de" | "mqtt" | "cmds" | "keys" | "bindata" | "s"))
}

/// The address with one slash where there are several, and none at its end.
pub(crate) fn tidied(uri: &Uri) -> Uri {
    let path = uri.path();
    if !path.contains("//") && !path.ends_with('/') {
        return uri.clone();
    }
    let mut tidied = String::with_capacity(path.len());
    for part in path.split('/').filter(|it| !it.is_empty()) {
        tidied.push('/');
        tidied.push_str(part);
    }
    if let Some(query) = uri.query() {
        tidied.push('?');
        tidied.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(tidied).ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn the_first_name_of_a_path_says_whose_it_is() {
        for path in ["/devices", "/devices/1", "//devices", "/s", "/mqtt/topic", "/keys/", "/register_de"] {
            assert!(is_ours(path), "{path}");
        }
        for path in ["/", "/api/devices", "/device", "/v1/keys", "/sx", ""] {
            assert!(!is_ours(path), "{path}");
        }
    }

    #[test]
    fn slashes_are_tidied_in_the_path_only() {
        for (written, expected) in [
            ("/devices/1", "/devices/1"),
            ("//devices///1/", "/devices/1"),
            ("/mqtt/?topic=a//b/", "/mqtt?topic=a//b/"),
            ("/devices/1/datapoints?", "/devices/1/datapoints?"),
            ("http://api.heclouds.com//devices/1", "http://api.heclouds.com/devices/1"),
        ] {
            assert_eq!(tidied(&written.parse().unwrap()).to_string(), expected, "{written}");
        }
    }
}
