use super::*;

fn limited() -> World {
    let mut world = World::new();
    let role = "[role.db-oncall]\n";
    world.text = world.text.replace(role, &format!("{role}live = 1\n"));
    world
}

const FULL: &str = "alice has 1 grant of role db-oncall running, and it gives no more at once: give one back first";

/// Two requests that wait at once cannot both be granted past the role's number; the second one is not lost.
#[tokio::test]
async fn as_many_grants_run_as_the_role_gives_and_no_more() {
    let world = limited();
    let desk = world.open();
    let (first, second) = (asked(&desk).await, asked(&desk).await);
    approve(&desk, &first, "bob", "bob").await.unwrap();
    let full = Refused::NotNow(FULL.to_owned());
    let alice = caller("alice", "alice");
    assert_eq!(
        approve(&desk, &second, "bob", "bob").await,
        Err(full.clone())
    );
    assert_eq!(desk.collect(&alice, &second).await, Err(full.clone()));
    let third = desk.request(&alice, ask("postgres@db1.prod")).await;
    assert_eq!(third, Err(full));
    desk.give_back(&alice, &first).await.unwrap();
    desk.collect(&alice, &second).await.unwrap();
    world.clock.pass(Duration::from_secs(901));
    granted(&desk).await;
}

/// The number is each person's own, and other roles' grants do not count.
#[tokio::test]
async fn other_persons_and_other_roles_do_not_count() {
    let world = limited();
    let desk = world.open();
    granted(&desk).await;
    let alice = caller("alice", "alice");
    for access in ["viewer@db1.prod", "viewer@db1.prod", "postgres@db2.prod"] {
        let asked = desk.request(&alice, ask(access)).await.unwrap();
        assert!(matches!(asked.standing, Standing::Granted { .. }));
    }
    let mallory = caller("mallory", "mallory");
    let asked = desk.request(&mallory, ask("postgres@db1.prod")).await;
    let id = asked.unwrap().id;
    approve(&desk, &id, "carol", "carol").await.unwrap();
}

/// The world's clock begins on Sunday 22 November 2026 at 01:52:04 UTC, which is 02:52:04 in Zurich.
fn with(role: &str, keys: &str) -> World {
    let mut world = World::new();
    let header = format!("[role.{role}]\n");
    assert!(world.text.contains(&header));
    if keys.contains("break-glass") {
        world.text = world.text.replace("break-glass = true\n", "");
    }
    world.text = world.text.replace(&header, &format!("{header}{keys}\n"));
    world
}

const NIGHT: &str =
    r#"hours = { zone = "Europe/Zurich", days = ["sat"], from = "22:00", to = "03:00" }"#;
const CLOSED: &str = "role db-oncall is given sat 22:00-03:00 Europe/Zurich only, next from Sat 2026-11-28 22:00 Europe/Zurich: ask again then";

#[tokio::test]
async fn a_grant_ends_with_the_roles_hours_and_none_begins_outside_of_them() {
    let world = with("db-oncall", NIGHT);
    let desk = world.open();
    let alice = caller("alice", "alice");
    let asked = desk.request(&alice, ask("postgres@db1.prod")).await;
    let asked = asked.unwrap();
    let until = "role db-oncall is given until Sun 2026-11-22 03:00 Europe/Zurich, and so is this grant at most";
    assert_eq!(asked.narrowed, [until]);
    let late = self::asked(&desk).await;
    approve(&desk, &asked.id, "bob", "bob").await.unwrap();
    let issued = desk.collect(&alice, &asked.id).await.unwrap();
    assert_eq!(issued.until.to_string(), "2026-11-22T02:00:00Z");
    // Nine seconds before the end no grant is worth it.
    world.clock.pass(Duration::from_secs(7 * 60 + 47));
    let closed = Err(Refused::NotNow(CLOSED.to_owned()));
    assert_eq!(approve(&desk, &late, "bob", "bob").await, closed);
    world.clock.pass(Duration::from_secs(9));
    assert_eq!(desk.standing(&asked.id), Some(Standing::Expired));
    let asked = desk.request(&alice, ask("postgres@db1.prod")).await;
    assert_eq!(asked.map(drop), closed.map(drop));
}

#[tokio::test]
async fn break_glass_keeps_to_the_hours_unless_the_role_says_any_time() {
    for (any_time, keys) in [
        (false, NIGHT.to_owned()),
        (
            true,
            format!("{NIGHT}\nbreak-glass = {{ any-time = true }}"),
        ),
    ] {
        let world = with("db-oncall", &keys);
        let desk = world.open();
        world.clock.pass(Duration::from_secs(3600));
        let alice = caller("alice", "alice");
        let mut urgent = ask("postgres@db1.prod");
        urgent.break_glass = true;
        match desk.request(&alice, urgent).await {
            Ok(asked) => assert!(any_time && matches!(asked.standing, Standing::Granted { .. })),
            Err(no) => assert_eq!((any_time, no), (false, Refused::NotNow(CLOSED.to_owned()))),
        }
        let plain = desk.request(&alice, ask("postgres@db1.prod")).await;
        assert_eq!(plain.map(drop), Err(Refused::NotNow(CLOSED.to_owned())));
    }
}

/// Hours that were cut since a grant was given end what begins under it.
#[tokio::test]
async fn hours_that_end_earlier_now_keep_a_grant_from_being_used() {
    let mut world = World::new();
    let desk = world.open();
    let id = granted(&desk).await;
    let issued = collected(&desk, &id).await;
    world.text = world.text.replace(
        "[role.db-oncall]\n",
        &format!("[role.db-oncall]\n{}\n", NIGHT.replace("03:00", "02:50")),
    );
    desk.reload(config(world.path(), &world.text))
        .await
        .unwrap();
    let closed = Refused::NotNow(CLOSED.replace("03:00", "02:50"));
    let alice = caller("alice", "alice");
    assert_eq!(desk.collect(&alice, &id).await, Err(closed.clone()));
    let opened = desk
        .open_session(&gate(), session_ask(1, &issued.certificate))
        .await;
    assert_eq!(opened.map(drop), Err(closed));
}

const COMMANDS: &str =
    r#"commands = [["systemctl", "restart", "{unit}"], ["pg_ctl", "{reload|status}"]]"#;

fn with_command(access: &str, command: &str) -> Ask {
    let mut ask = ask(access);
    ask.command = Some(command.parse().unwrap());
    ask
}

#[tokio::test]
async fn a_command_of_the_roles_list_is_granted_at_once_and_another_one_waits() {
    let world = with("db-oncall", COMMANDS);
    let desk = world.open();
    let alice = caller("alice", "alice");
    let restart = with_command("postgres@db1.prod", "systemctl restart postgresql");
    let asked = desk.request(&alice, restart).await.unwrap();
    assert!(matches!(asked.standing, Standing::Granted { .. }));
    let issued = desk.collect(&alice, &asked.id).await.unwrap();
    let given = desk
        .open_session(&gate(), session_ask(1, &issued.certificate))
        .await
        .unwrap();
    assert_eq!(
        given.command.as_deref(),
        Some("systemctl restart postgresql")
    );
    for other in [
        "systemctl stop postgresql",
        "systemctl restart postgresql; id",
        "systemctl restart -H",
        "systemctl restart $(id)",
    ] {
        let asked = desk
            .request(&alice, with_command("postgres@db1.prod", other))
            .await
            .unwrap();
        assert!(
            matches!(asked.standing, Standing::Waiting { .. }),
            "{other}"
        );
    }
    let asked = desk
        .request(&alice, ask("postgres@db1.prod"))
        .await
        .unwrap();
    assert!(matches!(asked.standing, Standing::Waiting { .. }));
}

#[tokio::test]
async fn a_role_that_nobody_approves_gives_its_commands_and_nothing_else() {
    let mut world = with("db-look", COMMANDS);
    let desk = world.open();
    let alice = caller("alice", "alice");
    let only = Refused::NotThatCommand {
        role: "db-look".parse().unwrap(),
        commands: desk.config().roles["db-look"].commands.clone(),
    };
    assert_eq!(
        only.to_string(),
        "role db-look is only for these commands: ask with --command systemctl restart {unit} or --command pg_ctl {reload|status}"
    );
    for wrong in [
        ask("viewer@db1.prod"),
        with_command("viewer@db1.prod", "pg_ctl stop"),
    ] {
        let asked = desk.request(&alice, wrong).await;
        assert_eq!(asked.map(drop), Err(only.clone()));
    }
    let status = with_command("viewer@db1.prod", "pg_ctl status");
    let asked = desk.request(&alice, status).await.unwrap();
    assert!(matches!(asked.standing, Standing::Granted { .. }));
    // The list is cut, and what was granted by it is given no more.
    world.text = world.text.replace(r#", ["pg_ctl", "{reload|status}"]"#, "");
    desk.reload(config(world.path(), &world.text))
        .await
        .unwrap();
    let gone =
        Refused::PolicyChanged("role db-look does not give this command any more".to_owned());
    assert_eq!(desk.collect(&alice, &asked.id).await, Err(gone));
}

/// Among several roles the one that is there for this very command is meant.
#[tokio::test]
async fn a_command_chooses_its_role() {
    let mut world = World::new();
    world.text = world.text.replace("[role.db-status]", &format!(
        "[role.db-fix]\ngroups = [\"oncall\"]\nlogins = [\"postgres\"]\ntargets = [\"db1.prod\"]\n{COMMANDS}\napprovals = {{ count = 0 }}\n\n[role.db-status]"
    ));
    let desk = world.open();
    let alice = caller("alice", "alice");
    for (command, role) in [("pg_ctl reload", "db-fix"), ("pg_ctl stop", "db-oncall")] {
        let asked = desk
            .request(&alice, with_command("postgres@db1.prod", command))
            .await
            .unwrap();
        assert_eq!(asked.role.as_str(), role);
    }
    let asked = desk
        .request(&alice, ask("postgres@db1.prod"))
        .await
        .unwrap();
    assert_eq!(asked.role.as_str(), "db-oncall");
}
