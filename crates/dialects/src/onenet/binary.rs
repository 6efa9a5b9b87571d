//! Binary data: the point that stands for them, and the index by which the HTTP API serves them (spec onenet 4.4, 8.9).

use domain::{DeviceNumber, Millis};
use serde_json::Value;

/// The index of binary data: `<device>_<milliseconds>_<stream>`.
pub fn index(device: &str, ms: Millis, stream: &str) -> String {
    format!("{device}_{ms}_{stream}")
}

/// The device and the milliseconds in an index.
pub fn parse(index: &str) -> Option<(DeviceNumber, Millis)> {
    let (device, rest) = index.split_once('_')?;
    let (ms, _) = rest.split_once('_')?;
    let is_plain = ms.bytes().all(|it| it.is_ascii_digit());
    Some((DeviceNumber::parse(device)?, ms.parse().ok().filter(|_| is_plain)?))
}

/// The value of the data point: the index, and what was said about the data.
pub fn value(device: &str, ms: Millis, stream: &str, description: Option<&str>) -> String {
    let index = Value::String(index(device, ms, stream));
    match description {
        None => format!("{{\"index\":{index}}}"),
        Some(description) => format!("{{\"index\":{index},\"desc\":{description}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_read_back() {
        for stream in ["bin", "a_b", "温度", "with \"quotes\""] {
            let index = index("3491506", 1_475_204_886_914, stream);
            assert_eq!(parse(&index).map(|it| (it.0.get(), it.1)), Some((3_491_506, 1_475_204_886_914)));
        }
        for wrong in ["", "_", "1_2", "x_2_bin", "1_x_bin", "1_+2_bin", "0_2_bin", "1_99999999999999999999_b"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_value_is_json() {
        let said = value("1", 2, "a\"b", Some("{\"of\":\"x\"}"));
        let read: Value = serde_json::from_str(&said).unwrap_or_default();
        assert_eq!(read, serde_json::json!({ "index": "1_2_a\"b", "desc": { "of": "x" } }));
        assert_eq!(value("1", 2, "c", None), "{\"index\":\"1_2_c\"}");
    }
}
