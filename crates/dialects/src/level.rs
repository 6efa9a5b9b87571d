//! Names as levels of topics: a name may have any characters, a level may not.

use std::borrow::Cow;

/// A name as one level; no two names become the same.
pub(crate) fn escaped(name: &str) -> Cow<'_, str> {
    if !name.contains(['/', '+', '#', '%']) {
        return Cow::Borrowed(name);
    }
    let mut to = String::with_capacity(name.len() + 8);
    for it in name.chars() {
        match it {
            '/' => to.push_str("%2F"),
            '+' => to.push_str("%2B"),
            '#' => to.push_str("%23"),
            '%' => to.push_str("%25"),
            it => to.push(it),
        }
    }
    Cow::Owned(to)
}
