//! Wrong guesses of secrets that many share or that are short: provisioning secrets, and those of claims. Whoever has
//! guessed wrong too often is refused for a while, right guesses included, so that nothing can be learned from it.
//!
//! A guesser is an address or an API key. Of an address of IPv6 only the network counts: whoever has one address of it
//! has all. The memory for guessers is bounded; those that find no room share one count.

use std::collections::HashMap;
use std::net::IpAddr;

use domain::rate::{Buckets, Rate, Rates};
use domain::{Code, Millis, OrgId, Refusal};

use crate::limits::{GUESSERS_COUNT_MAX, WRONG_GUESSES_COUNT_MAX, WRONG_GUESSES_S};

/// Who guesses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Guesser {
    /// Somebody at this address.
    Address(IpAddr),
    /// Whoever has this API key.
    Key(OrgId, String),
}

/// How many wrong guesses each guesser has left.
pub(crate) struct Guesses {
    rates: Rates,
    left: HashMap<Guesser, Buckets>,
    /// Of all those that found no room.
    others: Buckets,
}

impl Default for Guesses {
    fn default() -> Guesses {
        let rates = Rates::of(Rate { count: WRONG_GUESSES_COUNT_MAX, seconds: WRONG_GUESSES_S });
        let others = Buckets::full(&rates, 0);
        Guesses { rates, left: HashMap::new(), others }
    }
}

impl Guesser {
    /// Somebody at an address.
    pub(crate) fn at(address: IpAddr) -> Guesser {
        const NETWORK: u128 = !0 << 64;
        Guesser::Address(match address.to_canonical() {
            IpAddr::V6(it) => IpAddr::V6((u128::from(it) & NETWORK).into()),
            it => it,
        })
    }
}

impl Guesses {
    /// Whether somebody may guess. Refuses with [`Code::TooMany`].
    pub(crate) fn check(&mut self, guesser: &Guesser, now_ms: Millis) -> Result<(), Refusal> {
        let Guesses { rates, left, others } = self;
        let allowed = match left.get_mut(guesser) {
            Some(buckets) => buckets.allow(rates, 1, now_ms),
            None => left.len() < GUESSERS_COUNT_MAX || others.allow(rates, 1, now_ms),
        };
        if allowed {
            return Ok(());
        }
        let hint = format!(
            "After {WRONG_GUESSES_COUNT_MAX} wrong secrets in {WRONG_GUESSES_S} s nothing is looked at for a while: \
             check the secret, then try again later."
        );
        Err(Refusal::new(Code::TooMany, hint))
    }

    /// Somebody has guessed wrong.
    pub(crate) fn note(&mut self, guesser: Guesser, now_ms: Millis) {
        let Guesses { rates, left, others } = self;
        if left.len() >= GUESSERS_COUNT_MAX && !left.contains_key(&guesser) {
            left.retain(|_, it| !it.is_full(rates, now_ms));
        }
        if left.len() >= GUESSERS_COUNT_MAX && !left.contains_key(&guesser) {
            others.take(rates, 1);
            return;
        }
        left.entry(guesser).or_insert_with(|| Buckets::full(rates, now_ms)).take(rates, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(guesses: &mut Guesses, guesser: &Guesser, now_ms: Millis) -> bool {
        let allowed = guesses.check(guesser, now_ms).is_ok();
        if allowed {
            guesses.note(guesser.clone(), now_ms);
        }
        allowed
    }

    fn address(number: u32) -> Guesser {
        Guesser::at(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn whoever_guesses_wrong_too_often_has_to_wait() {
        let mut guesses = Guesses::default();
        let one = address(1);
        let times = (0..100).take_while(|_| guess(&mut guesses, &one, 5)).count();
        assert_eq!(times, WRONG_GUESSES_COUNT_MAX as usize);
        assert!(guess(&mut guesses, &address(2), 5), "another one");
        let back_ms = u64::from(WRONG_GUESSES_S) * 1_000 / u64::from(WRONG_GUESSES_COUNT_MAX);
        assert!(!guess(&mut guesses, &one, 4 + back_ms) && guess(&mut guesses, &one, 5 + back_ms));
    }

    #[test]
    fn a_network_of_ipv6_is_one_guesser() {
        let at = |text: &str| Guesser::at(text.parse().unwrap_or(IpAddr::from([0; 4])));
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
    }

    #[test]
    fn the_memory_is_bounded_and_who_finds_no_room_shares_a_count() {
        let mut guesses = Guesses::default();
        let count = GUESSERS_COUNT_MAX as u32;
        assert!((0..count).all(|it| guess(&mut guesses, &address(it), 5)));
        let times = (count..2 * count).take_while(|it| guess(&mut guesses, &address(*it), 5)).count();
        assert_eq!((times, guesses.left.len()), (WRONG_GUESSES_COUNT_MAX as usize, GUESSERS_COUNT_MAX));
        assert!(guess(&mut guesses, &address(1), 5), "who had room goes on");
        let later_ms = 5 + u64::from(WRONG_GUESSES_S) * 1_000;
        assert!(guess(&mut guesses, &address(count), later_ms));
        assert!(guesses.left.len() <= 2, "what is forgotten makes room: {}", guesses.left.len());
    }
}
