//! Certificates by which devices are found: by the SHA3-256 of the certificate's base64 text (spec thingsboard 2.2).
//!
//! Nothing here reads what a certificate says, or asks who issued it: a device is known by its certificate as a whole,
//! and has proven in the TLS handshake that it has the key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha3::{Digest, Sha3_256};

/// What finds the device of a certificate in DER.
pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    fingerprint_of_body(&STANDARD.encode(der))
}

/// What finds the device of a certificate in base64, which is of the one form that there is for its bytes.
pub fn fingerprint_of_body(body: &str) -> [u8; 32] {
    Sha3_256::digest(body).into()
}

/// Whether this is base64 of one DER sequence and of nothing else, as a certificate is.
pub(crate) fn is_certificate(body: &str) -> bool {
    let Ok(der) = STANDARD.decode(body) else { return false };
    let (len, head_len) = match *der {
        [0x30, len @ 0..=0x7f, ..] => (usize::from(len), 2),
        [0x30, 0x81, len, ..] => (usize::from(len), 3),
        [0x30, 0x82, high, low, ..] => (usize::from(u16::from_be_bytes([high, low])), 4),
        _ => return false,
    };
    len > 0 && der.len() == head_len + len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_known_by_the_hash_of_its_text() {
        // By `openssl dgst -sha3-256`.
        let expected = "6a3f13d1f10a51bd9a92f10f4e2ab79d77c546dbf20e61badb604a6f778ff996";
        let hash: String = fingerprint(&[0x30, 3, 2, 1, 5]).iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(hash, expected);
        assert_eq!(fingerprint_of_body("MAMCAQU="), fingerprint(&[0x30, 3, 2, 1, 5]));
    }

    #[test]
    fn a_certificate_is_one_sequence_in_canonical_base64() {
        assert!(is_certificate("MAMCAQU="));
        for wrong in
            ["", "PEM", "h", "MAMCAQ==", "MAMCAQUA", "MAA=", "AgEF", "MAMCAQV=", "MAMCAQU", "-----BEGIN"]
        {
            assert!(!is_certificate(wrong), "{wrong}");
        }
    }
}
