//! The CA's own keys, as they follow one another.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::LIMIT;
use crate::{Failure, Result, World};

/// What `hallpass keys list` says of one CA's keys.
pub fn listed(world: &World, name: &str) -> Result<Vec<Value>> {
    let out = world.hallpass(&["keys", "list", "--json"])?.ok()?.out();
    let rows = out.lines().map(serde_json::from_str::<Value>);
    let rows = rows.collect::<std::result::Result<Vec<_>, _>>();
    let mut rows = rows.map_err(|e| Failure::new(format!("{e} in:\n{out}")))?;
    rows.retain(|row| row["name"] == name);
    Ok(rows)
}

/// Tells the CA to read its keys again, and waits until the log says so.
pub fn reload(world: &mut World, name: &str, standings: &[&str]) -> Result<()> {
    world.ca()?.signal("HUP")?;
    wait(world, name, standings)
}

/// Waits until the log says this of one CA's keys.
pub fn wait(world: &World, name: &str, standings: &[&str]) -> Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        let rows = listed(world, name)?;
        let now: Vec<_> = rows.iter().map(|row| &row["standing"]).collect();
        if now == standings {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Failure::new(format!(
                "{name} stands {now:?}, not {standings:?}"
            )));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
