//! Who is told when somebody or something is shut out, or let in again.

use std::time::Duration;

use hallpass_tests::process::LIMIT;
use hallpass_tests::world::Setup;
use hallpass_tests::{Pager, Result, World, keys};

#[test]
fn whoever_may_shut_out_is_told_when_somebody_else_does() -> Result<()> {
    let pager = Pager::new(false)?;
    let world = World::with(&Setup {
        ca: "revokers = [\"sre\"]\n".to_owned(),
        extra: pager.table(),
        ..Setup::default()
    })?;
    let mut watching = world.carol.ssh_live(&["ca", "pending", "--watch"])?;
    watching.wait_out("nothing waits", LIMIT)?;
    let fingerprint = keys::fingerprint(&world.alice.key())?;
    let whom = [
        ("--person", "alice", "person alice"),
        ("--key", fingerprint.as_str(), "key SHA256:"),
        ("--target", "db1.prod", "target db1.prod"),
        ("--bastion", "bastion", "bastion bastion"),
    ];
    for (option, name, said) in whom {
        let revoke = ["ca", "revoke", option, name, "--reason", "lost laptop"];
        world.bob.ssh(&revoke)?.ok()?;
        let text = format!("bob shut out {said}");
        watching.wait_out(&text, Duration::from_secs(5))?;
        let alert = pager.wait_text(&text, Duration::from_secs(5))?;
        let event = &alert["event"]["exclusion"];
        assert_eq!(event["reason"], "lost laptop", "{alert}");
        assert_eq!(event["by"], "bob", "{alert}");
        let own = option.trim_start_matches("--");
        assert_eq!(event["whom"][own], name, "{alert}");
        let told = alert["tell"].to_string();
        assert!(told.contains("carol") && !told.contains("bob"), "{alert}");
        // The key's owner may not know yet that it is gone.
        assert_eq!(told.contains("alice"), option == "--key", "{alert}");

        let restore = ["ca", "restore", option, name, "--reason", "found again"];
        world.bob.ssh(&restore)?.ok()?;
        let text = format!("bob let {said}");
        watching.wait_out(&text, Duration::from_secs(5))?;
        let alert = pager.wait_text(&text, Duration::from_secs(5))?;
        assert_eq!(alert["event"]["restoration"]["whom"][own], name, "{alert}");
    }
    let events = pager.events();
    assert_eq!(events.matches("exclusion").count(), 4, "{events}");
    assert_eq!(events.matches("restoration").count(), 4, "{events}");
    world.end()
}
