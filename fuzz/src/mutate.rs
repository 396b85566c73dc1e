//! Random changes to inputs, the same for the same seed.

/// The longest input that is made, in bytes: a little more than any parser takes.
pub const LONGEST: usize = 40 << 10;

/// A generator of numbers (splitmix64): small, good enough, and the same everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The generator of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, or 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let wide = usize::try_from((z ^ (z >> 31)) >> 1).unwrap_or_default();
        wide.checked_rem(end).unwrap_or_default()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }
}

/// What parsers stumble over.
const AWKWARD: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\xff\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\0",
    b"-",
    b"--",
    b"%",
    b"@",
    b",",
    b"*",
    b"'",
    b"\"",
    b"\\",
    b"../",
    b"\xe2\x80\xae",
    b"18446744073709551616",
    b"1e999",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":",
];

/// One of the seeds with up to eight changes; every fiftieth is left as it is.
pub fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = pick(seeds, random);
    if random.below(50) == 0 {
        return input;
    }
    for _ in 0..=random.below(8) {
        change(&mut input, seeds, random);
    }
    input.truncate(LONGEST);
    input
}

fn pick(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let seed = seeds.get(random.below(seeds.len()));
    seed.cloned().unwrap_or_default()
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below(16).min(input.len() - at);
    match random.below(7) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.byte();
            }
        }
        2 => drop(input.drain(at..end)),
        3 => {
            let awkward = AWKWARD.get(random.below(AWKWARD.len()));
            input.splice(at..at, awkward.copied().unwrap_or_default().iter().copied());
        }
        4 => {
            let part: Vec<u8> = input.drain(at..end).collect();
            for _ in 0..=random.below(64) {
                input.splice(at..at, part.iter().copied());
            }
        }
        5 => {
            let other = pick(seeds, random);
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend(other.into_iter().skip(from));
        }
        _ => input.truncate(at),
    }
}
