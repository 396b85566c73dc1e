//! `hallpass-fuzz TARGET INPUTS [SEED]`: as many inputs as one likes.

use std::error::Error;
use std::io::Write as _;

use fuzz::mutate::{Random, mutated};
use fuzz::targets::ALL;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (name, inputs) = (words.next().unwrap_or_default(), words.next());
    let Some(target) = ALL.iter().find(|target| target.name == name) else {
        let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
        return Err(format!("which target? one of {}", names.join(", ")).into());
    };
    let inputs: u64 = inputs.ok_or("how many inputs?")?.parse()?;
    let seed = words.next().map_or(Ok(1), |seed| seed.parse())?;
    let (seeds, mut random) = ((target.seeds)(), Random::new(seed));
    let taken = (0..inputs)
        .filter(|_| (target.run)(&mutated(&seeds, &mut random)))
        .count();
    writeln!(std::io::stdout(), "{name}: {taken} of {inputs} taken")?;
    Ok(())
}
