//! Tokens for examples and demos, which have to be known before the registry makes one.

use anyhow::{Result, anyhow};

/// Letters that no shell reads as something else, without those that look alike; 32, so that each is as likely.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const LETTER_COUNT: usize = 18;

/// A token of 90 random bits.
pub(crate) fn random() -> Result<String> {
    let mut bytes = [0; LETTER_COUNT];
    getrandom::fill(&mut bytes).map_err(|it| anyhow!("the operating system gives no randomness: {it}"))?;
    Ok(bytes.iter().map(|it| char::from(LETTERS[usize::from(it % 32)])).collect())
}
