//! Cases of what belongs to products.

use std::sync::Arc;

use domain::{DeviceNumber, Method, Methods, OrgId, Permission, ProductKey, ProductNumber, Resource};

use super::samples::*;
use super::{Opener, put};
use crate::{Change, ProductPart, ProductRow, Store};

fn part(org: OrgId, part: ProductPart) -> Change {
    Change::Product { org, part }
}

fn product(number: u32) -> ProductNumber {
    ProductNumber::new(number).unwrap()
}

fn topic(number: u32, topic: &str) -> ProductPart {
    ProductPart::Topic { product: product(number), topic: topic.to_owned(), created_ms: 3 }
}

pub(crate) fn product_key(org: OrgId, key: &str, created_ms: u64) -> ProductKey {
    let resource = |number, stream: Option<&str>| Resource {
        device: DeviceNumber::new(number).unwrap(),
        stream: stream.map(str::to_owned),
    };
    ProductKey {
        org,
        product: product(7),
        key: key.to_owned(),
        title: "Schlüssel".to_owned(),
        created_ms,
        permissions: vec![
            Permission {
                methods: Methods::ALL,
                resources: vec![resource(u32::MAX, None), resource(1, Some("tämp"))],
            },
            Permission { methods: [Method::Get].into_iter().collect(), resources: Vec::new() },
        ],
    }
}

/// All that belongs to products: keys as they are, and a line for each topic.
fn all(store: &dyn Store, org: OrgId) -> (Vec<ProductKey>, Vec<String>) {
    let (mut keys, mut topics) = (Vec::new(), Vec::new());
    let mut note = |row: ProductRow<'_>| match row {
        ProductRow::Key(it) => keys.push(it),
        ProductRow::Topic { product, topic, created_ms } => {
            topics.push(format!("{product} {topic} {created_ms}"));
        }
    };
    store.product_parts(org, &mut note).unwrap();
    (keys, topics)
}

pub(crate) fn keys_and_topics_of_products_come_back_and_go(opener: &mut dyn Opener) {
    let store = opener.open();
    let (a, b) = (org_id("abc123"), org_id("abc124"));
    let key = |org, key, created_ms| ProductPart::Key(Arc::new(product_key(org, key, created_ms)));
    put(
        &*store,
        vec![
            part(a, key(a, "k=2", 1)),
            part(a, key(a, "k=1", 1)),
            part(a, key(a, "gone", 1)),
            part(b, key(b, "k=1", 2)),
            part(a, topic(7, "/t/ä")),
            part(a, topic(7, "/gone")),
            part(a, topic(300, "/t")),
            part(a, topic(8, "/t")),
        ],
    );
    put(
        &*store,
        vec![
            part(a, key(a, "k=1", 4)),
            part(a, ProductPart::KeyGone("gone".to_owned())),
            part(a, ProductPart::KeyGone("never there".to_owned())),
            part(a, ProductPart::TopicGone { product: product(7), topic: "/gone".to_owned() }),
            part(a, ProductPart::TopicGone { product: product(8), topic: "/gone".to_owned() }),
        ],
    );
    drop(store);
    let store = opener.open();
    let (keys, topics) = all(&*store, a);
    assert_eq!(keys, [product_key(a, "k=1", 4), product_key(a, "k=2", 1)]);
    assert_eq!(topics, ["7 /t/ä 3", "8 /t 3", "300 /t 3"]);
    assert_eq!(all(&*store, b), (vec![product_key(b, "k=1", 2)], Vec::new()));
    assert_eq!(store.keys(a).unwrap(), [], "not the organisation's own");
}
