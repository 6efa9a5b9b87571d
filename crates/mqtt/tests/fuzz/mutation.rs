//! Inputs made from others, always the same ones: what libFuzzer does, without its coverage.

/// Bytes of the longest input.
const INPUT_BYTES_MAX: usize = 600;

/// Numbers that sit on an edge: of lengths, signs and flags.
const EDGES: &[u8] = &[0, 1, 2, 4, 0x0F, 0x10, 0x20, 0x7F, 0x80, 0x81, 0xC0, 0xFE, 0xFF];

/// An endless series of inputs.
pub(crate) struct Mutation<'s> {
    seeds: &'s [Vec<u8>],
    state: u64,
}

impl<'s> Mutation<'s> {
    /// From these.
    pub(crate) fn new(seeds: &'s [Vec<u8>]) -> Self {
        Mutation { seeds, state: 0x9E37_79B9_7F4A_7C15 }
    }

    /// One more.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = if self.seeds.is_empty() || self.below(8) == 0 {
            let len = self.below(INPUT_BYTES_MAX);
            (0..len).map(|_| self.byte()).collect()
        } else {
            self.seed()
        };
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        input.truncate(INPUT_BYTES_MAX);
        if self.below(2) == 0 {
            mend_length(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(9) {
            0 => input.insert(at, self.byte()),
            1 => input.truncate(at),
            2 => drop(input.splice(at..at, self.part())),
            3 => {
                let end = (at + 1 + self.below(4)).min(input.len());
                drop(input.drain(at..end));
            }
            4 => {
                let other = self.seed();
                // Behind the two bytes that say how to read.
                input.extend(other.get(2..).unwrap_or_default());
            }
            kind => {
                let edge = EDGES[self.below(EDGES.len())];
                let (byte, bit) = (self.byte(), 1 << self.below(8));
                if let Some(it) = input.get_mut(at) {
                    *it = match kind {
                        5 => byte,
                        6 => edge,
                        7 => *it ^ bit,
                        _ if byte & 1 == 0 => it.wrapping_add(1),
                        _ => it.wrapping_sub(1),
                    };
                }
            }
        }
    }

    fn seed(&mut self) -> Vec<u8> {
        match self.seeds.len() {
            0 => Vec::new(),
            count => self.seeds[self.below(count)].clone(),
        }
    }

    /// A piece out of a seed.
    fn part(&mut self) -> Vec<u8> {
        let seed = self.seed();
        let from = self.below(seed.len() + 1);
        let to = (from + self.below(12)).min(seed.len());
        seed[from..to].to_vec()
    }

    fn byte(&mut self) -> u8 {
        self.next_number() as u8
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next_number() % bound as u64) as usize
    }

    /// SplitMix64.
    fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Where an input is a packet behind the two bytes that say how to read it, makes its length field true.
fn mend_length(input: &mut [u8]) {
    let body = input.len().saturating_sub(4);
    if let (Some(field), true) = (input.get_mut(3), body < 0x80) {
        *field = body as u8;
    }
}
