//! What a ThingsBoard gateway says: readings of several devices in one message, three values each.
//!
//! Each reading has a time of its own, as the official gateway gives it. A message that is sent again gets new ones: a
//! point at a time that is known would only take the place of another, which is less work than keeping it.

/// Values in each reading.
pub(super) const POINTS_PER_READING: usize = 3;

const TIME_DIGITS: usize = 13;

/// A message of devices, each given by its name; behind it the places of its times. The readings differ by `index`.
pub(super) fn payload(devices: impl Iterator<Item = String>, index: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut text, mut times) = (String::from("{"), Vec::new());
    for (at, name) in devices.enumerate() {
        let seed = index + at;
        text.push_str(if at == 0 { "\"" } else { ",\"" });
        text.push_str(&name);
        text.push_str("\":[{\"ts\":");
        times.push(text.len());
        text.extend(std::iter::repeat_n('0', TIME_DIGITS));
        let (temperature, humidity) = (20 + seed % 9, 40 + seed % 20);
        let (tenths, counter) = (seed % 10, 100_000 + seed % 900_000);
        text.push_str(&format!(
            ",\"values\":{{\"temperature\":{temperature}.{tenths},\"humidity\":{humidity}.5,\"counter\":{counter}}}}}]"
        ));
    }
    text.push('}');
    (text.into_bytes(), times)
}

/// Writes a time in milliseconds at its place in a message.
pub(super) fn set_time(message: &mut [u8], at: usize, ms: u64) {
    let Some(digits) = message.get_mut(at..at + TIME_DIGITS) else { return };
    let mut rest = ms;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_readings_of_all_devices_at_the_times_that_were_set() {
        let (mut message, times) = payload((9..11).map(|it| format!("load0-{it}")), 3);
        for (at, ms) in times.iter().zip([1_700_000_000_123, 1_700_000_000_124]) {
            set_time(&mut message, *at, ms);
        }
        assert_eq!(
            String::from_utf8_lossy(&message),
            concat!(
                r#"{"load0-9":[{"ts":1700000000123,"values":{"temperature":23.3,"humidity":43.5,"counter":100003}}],"#,
                r#""load0-10":[{"ts":1700000000124,"values":{"temperature":24.4,"humidity":44.5,"counter":100004}}]}"#
            )
        );
        set_time(&mut message, usize::MAX - TIME_DIGITS, 5);
    }
}
