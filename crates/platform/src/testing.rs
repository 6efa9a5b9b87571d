//! What the tests of this crate share: predictable randomness.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Entropy;

/// Bytes that differ at every call and are the same in every run.
pub(crate) fn entropy() -> Entropy {
    let state = AtomicU64::new(1);
    Box::new(move |bytes| {
        for byte in bytes {
            let step =
                |it: u64| it.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let old = state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| Some(step(it)));
            *byte = (old.unwrap_or_else(|it| it) >> 33) as u8;
        }
    })
}
