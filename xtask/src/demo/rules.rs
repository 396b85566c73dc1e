//! What the rules give at once, and what they refuse.

use hallpass_tests::{Result, World};

use super::show::{Show, ssh};

/// Roles beside the usual world's. `DAY` is a day on which it is not now, anywhere.
pub(super) const ROLES: &str = r#"
[role.db-account]
groups = ["oncall"]
logins = ["LOGIN"]
targets = ["db1.prod"]
approvals = { count = 0 }
commands = [["id", "-u", "{account}"]]

[role.web-deploy]
groups = ["oncall"]
logins = ["deploy"]
targets = ["web1.prod"]
approvals = { count = 0 }
hours = { zone = "Europe/Zurich", days = ["DAY"], from = "09:00", to = "17:00" }

[role.web-one]
groups = ["oncall"]
logins = ["one"]
targets = ["web1.prod"]
approvals = { count = 0 }
live = 1
"#;

/// A command that is granted at once, and nothing else with it.
pub(super) fn at_once(show: &mut Show, world: &World) -> Result<()> {
    let at = world.at_db1();
    show.title("A command that the role lists is granted at once, and nothing else runs by that certificate");
    let args = ["ca", "request", &at, "--command", "id -u root"];
    let args = [&args[..], &["--reason", "INC-42 whose files are these"]].concat();
    let output = show.saved(&world.alice, &args)?;
    world.alice.save_certificate(&output.stdout)?;
    let output = ssh(show, &world.alice, &["-J", "bastion", &at, "reboot"])?;
    output.ok()?.prints("0\n").map(drop)
}

/// Not at this time, and not twice.
pub(super) fn refused(show: &mut Show, world: &World) -> Result<()> {
    show.title("A role has its hours, and gives so many grants at once");
    let ask = |access| ["ca", "request", access, "--reason", "INC-42 a new version"];
    ssh(show, &world.alice, &ask("deploy@web1.prod"))?
        .exits(1)?
        .says("09:00-17:00 Europe/Zurich only, next from ")?;
    show.saved(&world.alice, &ask("one@web1.prod"))?;
    ssh(show, &world.alice, &ask("one@web1.prod"))?
        .exits(1)?
        .says("it gives no more at once: give one back first")?;
    Ok(())
}
