//! What a OneNET device says: values of five streams in one upload of type 3, the most used of all (spec onenet 4.5).

/// Values in each upload.
pub(super) const POINTS_PER_UPLOAD: usize = 5;

/// An upload: the type, its length in two bytes, JSON. The values differ by `index`.
pub(super) fn payload(index: usize) -> Vec<u8> {
    let (temperature, humidity) = (20 + index % 9, 40 + index % 20);
    let (tenths, volts, counter) = (index % 10, 215 + index % 30, 100_000 + index % 900_000);
    let json = format!(
        "{{\"temperature\":{temperature}.{tenths},\"humidity\":{humidity}.5,\"voltage\":{volts}.0,\
         \"counter\":{counter},\"running\":{}}}",
        index.is_multiple_of(2)
    );
    let length = json.len() as u16;
    [&[3], &length.to_be_bytes()[..], json.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_says_its_length() {
        let upload = payload(3);
        assert_eq!(upload[..3], [3, 0, upload.len() as u8 - 3]);
        let json = String::from_utf8_lossy(&upload[3..]);
        let expected =
            r#"{"temperature":23.3,"humidity":43.5,"voltage":218.0,"counter":100003,"running":false}"#;
        assert_eq!((&*json, json.matches(':').count()), (expected, POINTS_PER_UPLOAD));
    }
}
