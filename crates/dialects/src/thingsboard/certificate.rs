//! Certificates of devices in the text form of ThingsBoard's API: PEM, with or without the lines around it (spec 2.2).
//!
//! Text only. Whether it is a certificate, and what finds it, is seen by whoever keeps the login.

use domain::Login;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The login of a device that comes with the certificate in this text.
pub fn login(text: &str) -> Login {
    let text = text.trim();
    let inner = text.strip_prefix(BEGIN).and_then(|it| it.strip_suffix(END)).unwrap_or(text);
    Login::Certificate { body: inner.chars().filter(|it| !it.is_ascii_whitespace()).collect() }
}

/// How the API shows what finds a certificate: in lower-case hexadecimal digits.
pub fn shown(fingerprint: &[u8; 32]) -> String {
    fingerprint.iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_around_a_certificate_are_taken_off() {
        for (text, body) in [
            ("MAMCAQU=", "MAMCAQU="),
            ("MAMC\r\nAQU=\n", "MAMCAQU="),
            ("-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n", "MAMCAQU="),
            (" -----BEGIN CERTIFICATE-----MAMC AQU=-----END CERTIFICATE-----", "MAMCAQU="),
            (
                "-----BEGIN PUBLIC KEY-----\nM\n-----END PUBLIC KEY-----",
                "-----BEGINPUBLICKEY-----M-----ENDPUBLICKEY-----",
            ),
            (BEGIN, "-----BEGINCERTIFICATE-----"),
            ("", ""),
        ] {
            assert_eq!(login(text), Login::Certificate { body: body.to_owned() }, "{text}");
        }
    }
}
