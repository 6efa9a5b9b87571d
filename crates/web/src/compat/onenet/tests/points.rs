//! Data points: brought, asked for in every way, deleted.

use super::*;
use crate::limits::ONENET_ANSWER_BYTES_MAX;

/// A device with the streams `a` (100 points, one a second) and `b` (10, one in ten seconds), from 2024-01-02 03:04:05
/// in Beijing on.
async fn measured(service: &Service) -> String {
    let id = service.add("a").await;
    let at = |second: u64| {
        let second = 5 + second;
        format!("2024-01-02 03:{:02}:{:02}", 4 + second / 60, second % 60)
    };
    let a: Vec<String> = (0..100).map(|it| format!(r#""{}":{it}"#, at(it))).collect();
    let b: Vec<String> = (0..10).map(|it| format!(r#""{}":"b{it}""#, at(10 * it))).collect();
    let body = format!(r#"{{"a":{{{}}},"b":{{{}}}}}"#, a.join(","), b.join(","));
    service.data("POST", &format!("/devices/{id}/datapoints?type=4"), &body).await;
    id
}

/// A stream's name and values.
type Shown = (String, Vec<Value>);

/// Count, then the streams; the cursor where there is one.
fn shown(answer: &Value) -> (u64, Vec<Shown>, Option<String>) {
    let stream = |it: &Value| {
        let values = it["datapoints"].as_array().unwrap().iter().map(|it| it["value"].clone()).collect();
        (it["id"].as_str().unwrap().to_owned(), values)
    };
    let streams = answer["datastreams"].as_array().unwrap().iter().map(stream).collect();
    let cursor = answer.get("cursor").map(|it| it.as_str().unwrap().to_owned());
    (answer["count"].as_u64().unwrap(), streams, cursor)
}

fn stream(name: &str, values: impl IntoIterator<Item = impl Into<Value>>) -> Shown {
    (name.to_owned(), values.into_iter().map(Into::into).collect())
}

#[tokio::test]
async fn without_anything_the_newest_point_of_each_stream_is_told() {
    let service = Service::new();
    let id = measured(&service).await;
    let expected = concat!(
        r#"{"errno":0,"data":{"count":2,"datastreams":["#,
        r#"{"datapoints":[{"at":"2024-01-02 03:05:44.000","value":99}],"id":"a"},"#,
        r#"{"datapoints":[{"at":"2024-01-02 03:05:35.000","value":"b9"}],"id":"b"}]},"error":"succ"}"#
    );
    for query in ["", "?", "?datastream_id=a,b", "?datastream_id=&limit="] {
        assert_eq!(
            service.text(MASTER, "GET", &format!("/devices/{id}/datapoints{query}"), "").await,
            expected
        );
    }
    let other = service.add("empty").await;
    let text = service.text(MASTER, "GET", &format!("/devices/{other}/datapoints"), "").await;
    assert_eq!(text, r#"{"errno":0,"data":{"count":0,"datastreams":[]},"error":"succ"}"#);
}

#[tokio::test]
async fn every_way_of_asking_has_its_answer() {
    let service = Service::new();
    let id = measured(&service).await;
    const START: &str = "start=2024-01-02T03:04:05";
    for (query, count, streams, has_more) in [
        ("limit=2", 4, vec![stream("a", [99, 98]), stream("b", ["b9", "b8"])], false),
        ("limit=2&sort=ASC", 4, vec![stream("a", [98, 99]), stream("b", ["b8", "b9"])], false),
        ("limit=1&datastream_id=b,a,none", 2, vec![stream("b", ["b9"]), stream("a", [99])], false),
        (&format!("{START}&limit=3"), 3, vec![stream("a", [0, 1]), stream("b", ["b0"])], true),
        (&format!("{START}&limit=3&sort=DESC"), 3, vec![stream("a", [99, 98, 97])], true),
        (&format!("{START}&duration=2"), 4, vec![stream("a", [0, 1, 2]), stream("b", ["b0"])], false),
        (
            &format!("{START}&end=2024-01-02%2003:04:06"),
            3,
            vec![stream("a", [0, 1]), stream("b", ["b0"])],
            false,
        ),
        (
            "end=2024-01-02T03:05:44&duration=9&datastream_id=b,a",
            11,
            vec![stream("b", ["b9"]), stream("a", (90..100).rev())],
            false,
        ),
        ("end=2024-01-02T03:04:05", 2, vec![stream("a", [0]), stream("b", ["b0"])], false),
        ("start=2024-01-02T03:06:00", 0, vec![], false),
        ("start=2024-01-02T03:06:00&end=2024-01-02T03:04:00", 0, vec![], false),
        ("duration=60", 0, vec![], false),
        (
            &format!("{START}&limit=110"),
            110,
            vec![stream("a", 0..100), stream("b", (0..10).map(|it| format!("b{it}")))],
            false,
        ),
    ] {
        let answer = service.get(&format!("/devices/{id}/datapoints?{query}")).await;
        let (found_count, found, cursor) = shown(&answer);
        assert_eq!((found_count, found, cursor.is_some()), (count, streams, has_more), "{query}");
    }
    for (query, name) in [
        ("limit=0", "limit"),
        ("start=x", "start"),
        ("cursor=x", "cursor"),
        ("cursor=1_0_ff", "cursor"),
        ("cursor=1_0_7a", "cursor"),
    ] {
        let refused = service.refused("GET", &format!("/devices/{id}/datapoints?{query}"), "").await;
        assert_eq!(refused, error(6, &format!("invalid parameter: {name}")), "{query}");
    }
}

/// Reads page by page, and gives the values of each stream and the count of pages.
async fn paged(service: &Service, path: &str) -> (std::collections::BTreeMap<String, Vec<Value>>, usize) {
    let (mut all, mut pages, mut cursor) = (std::collections::BTreeMap::new(), 0, String::new());
    loop {
        let (_, streams, next) = shown(&service.get(&format!("{path}&cursor={cursor}")).await);
        for (name, values) in streams {
            all.entry(name).or_insert_with(Vec::new).extend(values);
        }
        pages += 1;
        match next {
            Some(next) => cursor = next,
            None => return (all, pages),
        }
    }
}

#[tokio::test]
async fn pages_lose_and_repeat_nothing() {
    let service = Service::new();
    let id = measured(&service).await;
    let b: Vec<Value> = (0..10).map(|it| json!(format!("b{it}"))).collect();
    let a: Vec<Value> = (0..100).map(|it| json!(it)).collect();
    for limit in [3, 7, 109, 110, 111] {
        for streams in ["a,b", "b,a"] {
            let path = format!(
                "/devices/{id}/datapoints?start=2024-01-02T03:04:05&limit={limit}&datastream_id={streams}"
            );
            let (all, pages) = paged(&service, &path).await;
            assert_eq!((&all["a"], &all["b"], pages), (&a, &b, 110_usize.div_ceil(limit)), "{limit}");
            let (all, _) = paged(&service, &format!("{path}&sort=DESC")).await;
            let reversed = |list: &[Value]| list.iter().rev().cloned().collect::<Vec<_>>();
            assert_eq!((&all["a"], &all["b"]), (&reversed(&a), &reversed(&b)), "{limit}");
        }
    }
}

#[tokio::test]
async fn an_answer_has_a_bound_in_bytes() {
    let service = Service::new();
    let id = service.add("a").await;
    // Each a sixth of what an answer may have.
    let long = "x".repeat(ONENET_ANSWER_BYTES_MAX / 6);
    for second in 0..9 {
        for name in ["a", "b"] {
            let body = format!(r#"{{"{name}":{{"2024-01-02 03:04:0{second}":"{second}{long}"}}}}"#);
            service.data("POST", &format!("/devices/{id}/datapoints?type=4"), &body).await;
        }
    }
    let first =
        |all: &[Value]| all.iter().map(|it| it.as_str().unwrap().as_bytes()[0] - b'0').collect::<Vec<_>>();
    let ascending: Vec<u8> = (0..9).collect();
    let descending: Vec<u8> = (0..9).rev().collect();
    for (query, expected) in
        [("start=2024-01-02T00:00:00&limit=6000", &ascending), ("limit=100", &descending)]
    {
        let (all, pages) = paged(&service, &format!("/devices/{id}/datapoints?{query}")).await;
        assert_eq!((&first(&all["a"]), &first(&all["b"])), (expected, expected), "{query}");
        assert!((3..=6).contains(&pages), "{query}: {pages}");
    }
    let (all, _) = paged(&service, &format!("/devices/{id}/datapoints?limit=7")).await;
    assert_eq!(first(&all["a"]), [8, 7, 6, 5, 4, 3, 2], "the count goes on behind a cursor");
    let ids = format!("/devices/datapoints?devIds={id}");
    assert_eq!(service.get(&ids).await["devices"][0]["datastreams"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn uploads_come_in_all_forms() {
    let service = Service::new();
    let id = service.add("a").await;
    for (kind, body) in [
        (
            "",
            r#"{"datastreams":[{"id":"a","datapoints":[{"at":"2024-01-02T03:04:05","value":1},{"value":"2"}]}]}"#,
        ),
        ("?type=3", r#"{"b":true}"#),
        ("?type=4", r#"{"c":{"2024-01-02 03:04:05":[1, 2]}}"#),
        ("?type=5", ",;d,2024-01-02 03:04:05,22.5;102"),
    ] {
        let text = service.text(MASTER, "POST", &format!("/devices/{id}/datapoints{kind}"), body).await;
        assert_eq!(text, r#"{"errno":0,"error":"succ"}"#, "{kind}");
    }
    let answer = service.get(&format!("/devices/{id}/datapoints?limit=9")).await;
    let expected = vec![
        stream("1", ["102"]),
        stream("a", [json!("2"), json!(1)]),
        stream("b", [true]),
        stream("c", [json!([1, 2])]),
        stream("d", ["22.5"]),
    ];
    assert_eq!(shown(&answer).1, expected);
    for (kind, body, errno) in
        [("", "{}", 4), ("", "", 9), ("?type=3", "[", 4), ("?type=7", "x", 6), ("?type=5", ";;", 6)]
    {
        let refused = service.refused("POST", &format!("/devices/{id}/datapoints{kind}"), body).await;
        assert_eq!(refused.0, errno, "{kind} {body}");
    }
    let text = r#"{"a":1,"b":"#;
    assert_eq!(service.refused("POST", &format!("/devices/{id}/datapoints?type=3"), text).await.0, 4);
}

#[tokio::test]
async fn points_are_deleted_by_range() {
    let service = Service::new();
    let id = measured(&service).await;
    let path = format!("/devices/{id}/datapoints");
    let refused = service.refused("DELETE", &path, "").await;
    assert_eq!(refused, error(7, "parameter required: start"));
    service
        .data("DELETE", &format!("{path}?start=2024-01-02T03:04:06&duration=97&datastream_id=a"), "")
        .await;
    let (all, _) = paged(&service, &format!("{path}?start=2024-01-01T00:00:00")).await;
    assert_eq!((&all["a"], all["b"].len()), (&vec![json!(0), json!(99)], 10));
    service.data("DELETE", &format!("{path}?start=2024-01-01T00:00:00"), "").await;
    assert_eq!(service.get(&path).await["count"], 0);
}

#[tokio::test]
async fn the_newest_points_of_many_devices_are_told() {
    let service = Service::new();
    let (id, other) = (measured(&service).await, service.add("b").await);
    let text = service.text(MASTER, "GET", &format!("/devices/datapoints?devIds={other},{id},5"), "").await;
    let expected = format!(
        concat!(
            r#"{{"errno":0,"data":{{"devices":[{{"title":"b","id":"{}","datastreams":[]}},{{"title":"a","id":"{}","datastreams":["#,
            r#"{{"at":"2024-01-02 03:05:44.000","id":"a","value":99}},{{"at":"2024-01-02 03:05:35.000","id":"b","value":"b9"}}]}}]}},"error":"succ"}}"#
        ),
        other, id
    );
    assert_eq!(text, expected);
}

/// A query over a million points: each page is read from where the one before has ended, and holds no more than asked.
#[tokio::test]
async fn a_million_points_are_read_by_cursor() {
    const MILLION: u64 = 1_000_000;
    let service = Service::new();
    let id = service.add("a").await;
    let name = domain::DeviceName { device_type: "sensor", name: &id };
    let device = service.house.shared.platform.device(service.org, name).unwrap().id;
    let mut ticket = Ticket::NONE;
    for start in (0..MILLION).step_by(20_000) {
        let list = (start..start + 20_000).map(|it| {
            let mut points = domain::Points::new();
            points.push(if it % 2 == 0 { "a" } else { "b" }, domain::Value::I64(1));
            Change::Points { org: service.org, device, at_ms: NOW_MS + it, points }
        });
        ticket = service.house.store.commit(Changes { list: list.collect(), waiter: None });
    }
    service.house.store.wait(ticket).unwrap();
    let path = format!("/devices/{id}/datapoints?start=2024-05-01T00:00:00&limit=6000");
    let (mut counted, mut pages, mut cursor) = (0, 0, String::new());
    loop {
        let text = service.text(MASTER, "GET", &format!("{path}&cursor={cursor}"), "").await;
        assert!(text.len() <= ONENET_ANSWER_BYTES_MAX, "{}", text.len());
        let count = text.matches("\"at\"").count();
        assert!(count <= 6_000, "{count}");
        counted += count as u64;
        pages += 1;
        match text.split_once(r#""cursor":""#) {
            Some((_, rest)) => cursor = rest.split_once('"').unwrap().0.to_owned(),
            None => break,
        }
    }
    assert_eq!((counted, pages), (MILLION, MILLION.div_ceil(6_000)));
}
