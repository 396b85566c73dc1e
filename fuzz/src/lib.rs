//! What strangers send, changed at random and given to each parser that reads it.
//!
//! * [`targets`]: one plain function for each parser, with its law. A fuzzer of any kind can call them.
//! * [`mutate`]: random changes by a fixed seed, on a stable compiler.
//!
//! `cargo test -p hallpass-fuzz` runs a few thousand inputs through each target; `cargo run --release -p hallpass-fuzz
//! TARGET INPUTS [SEED]` as many as one likes.

pub mod mutate;
pub mod targets;
