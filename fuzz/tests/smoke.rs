//! Some thousands of inputs through each target: no law is broken, both ways out are reached, and memory stays bounded.

use std::alloc::System;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cap::Cap;
use fuzz::mutate::{LONGEST, Random, mutated};
use fuzz::targets::{ALL, Target};

/// Counts what is allocated, in this program alone.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Inputs for each target.
const INPUTS: usize = 4000;

/// What a parser may hold at once before anybody is authenticated, beside its input.
const HELD: usize = 256 << 10;

/// Runs one target: how many inputs it took.
fn run(target: &Target) -> usize {
    let seeds = (target.seeds)();
    let mut random = Random::new(20_261_122);
    let mut taken = 0;
    for _ in 0..INPUTS {
        let input = mutated(&seeds, &mut random);
        let (before, peak) = (MEMORY.allocated(), MEMORY.max_allocated());
        let done = catch_unwind(AssertUnwindSafe(|| (target.run)(&input)));
        assert!(done.is_ok(), "{}: {}", target.name, input.escape_ascii());
        taken += usize::from(done.unwrap_or_default());
        // Only a new peak of the whole program can tell; the first inputs set it.
        let (after, now) = (MEMORY.max_allocated(), before);
        assert!(
            after == peak || after - now <= HELD,
            "{}: {} bytes held for {} of input",
            target.name,
            after - now,
            input.len()
        );
    }
    taken
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn promise_18_what_is_parsed_before_the_login_keeps_its_laws_and_its_memory() {
    for target in ALL {
        let first = (target.seeds)().into_iter().next().unwrap();
        assert!(
            (target.run)(&first),
            "{}: its own seed is refused",
            target.name
        );
        let taken = run(target);
        eprintln!("{}: {taken} of {INPUTS} taken", target.name);
        assert!(
            taken > 10 && taken < INPUTS - 1000,
            "{}: {taken} taken",
            target.name
        );
    }
    the_longest_and_deepest_inputs_are_refused();
}

fn the_longest_and_deepest_inputs_are_refused() {
    let deep: Vec<u8> = b"[{\"a\":".repeat(LONGEST / 6);
    let long = vec![b'a'; LONGEST * 8];
    let blanks = vec![b' '; LONGEST * 8];
    for target in ALL {
        for input in [&deep, &long, &blanks, &vec![0xff; LONGEST]] {
            assert!(!(target.run)(input), "{}", target.name);
        }
    }
}
