//! Roles that give what nobody could hold them to.

use super::{good, load, refused};

#[test]
fn a_role_of_which_no_grant_may_run_is_refused() {
    let words = "a role of which no grant may run";
    refused("longest = \"1h\"", "live = 0", 27, words);
}

#[test]
fn promise_44_hours_that_never_come_are_refused() {
    let longest = "longest = \"1h\"";
    let day = |zone: &str, days: &str, from: &str, to: &str| {
        format!("hours = {{ zone = {zone:?}, days = {days}, from = {from:?}, to = {to:?} }}")
    };
    let good = day("Europe/Zurich", "[\"mon-fri\", \"sun\"]", "08:00", "18:00");
    load(&self::good().replacen(longest, &good, 1)).unwrap();
    let wrong = |text: &str, words: &str| refused(longest, text, 27, words);
    let zone = "there is no time zone \"Mars/Base\"";
    wrong(&day("Mars/Base", "[\"mon\"]", "08:00", "18:00"), zone);
    let weekday = "\"freitag\" is not a day";
    wrong(&day("UTC", "[\"freitag\"]", "08:00", "18:00"), weekday);
    let time = "\"8am\" is not a time of day";
    wrong(&day("UTC", "[\"mon\"]", "8am", "18:00"), time);
    wrong(&day("UTC", "[\"mon\"]", "08:00", "8am"), time);
    wrong(&day("UTC", "[]", "08:00", "18:00"), "the window is empty");
    wrong(
        &day("UTC", "[\"mon\"]", "08:00", "08:00"),
        "the window is empty",
    );
    wrong("hours = []", "hours names 0 windows");
    let one = day("UTC", "[\"mon\"]", "08:00", "18:00");
    let many = vec![one.trim_start_matches("hours = "); 17].join(", ");
    wrong(&format!("hours = [{many}]"), "hours names 17 windows");
    wrong(
        "hours = { from = \"08:00\", to = \"18:00\" }",
        "missing field `zone`",
    );
    wrong(
        "hours = \"08:00-18:00\"",
        "expected { zone = \"Europe/Zurich\"",
    );
    let any_time = "break-glass = { any-time = true }";
    wrong(any_time, "any-time on a role without hours");
    load(&self::good().replacen(longest, &format!("{any_time}\n{one}"), 1)).unwrap();
}

#[test]
fn promise_44_commands_that_a_shell_could_change_are_refused() {
    let longest = "longest = \"1h\"";
    let good = "commands = [[\"systemctl\", \"restart\", \"{unit}\"]]";
    let config = load(&self::good().replacen(longest, good, 1)).unwrap();
    let role = &config.roles["db"];
    assert!(role.preapproves("systemctl restart nginx"));
    assert!(!role.preapproves("systemctl restart -n"));
    let wrong = |text: &str, words: &str| refused(longest, text, 27, words);
    wrong("commands = []", "commands names 0 commands");
    let many = vec!["[\"id\"]"; 65].join(", ");
    wrong(
        &format!("commands = [{many}]"),
        "commands names 65 commands",
    );
    wrong("commands = [[]]", "a command has 1 to 32 words");
    wrong(
        "commands = [[\"id\"], [\"id\"]]",
        "this command stands here twice",
    );
    wrong(
        "commands = [[\"ls\", \"*\"]]",
        "a shell could read \"*\" as something else",
    );
    wrong("commands = [[\"ls -l\"]]", "a shell could read \"ls -l\"");
    wrong("commands = [[\"exec\"]]", "is not the name of a program");
    wrong(
        "commands = [[\"ls\", \"{a\"]]",
        "has braces that are neither",
    );
    wrong(
        "commands = [[\"id\"]]\ncommand = \"id\"",
        "both command and commands",
    );
    wrong(
        "commands = [[\"id\"]]\nchannels = [\"shell\"]",
        "commands without the exec channel",
    );
}

#[test]
fn promise_44_rules_that_cannot_be_enforced_are_refused() {
    refused(
        "count = 1",
        "count = 2",
        26,
        "could never get 2 approvals of sre by others",
    );
    refused(
        "groups = [\"sre\"]",
        "groups = [\"oncall\", \"x\"]",
        26,
        "nobody is in group sre",
    );
    refused(
        "from = \"sre\"",
        "from = \"oncall\"",
        26,
        "alice could never get 1 approvals",
    );
    refused("count = 1, from", "count = 0, from", 26, "name a group");
    refused(
        "count = 1, from = \"sre\"",
        "count = 1",
        26,
        "name no group",
    );
    refused(
        "targets = [\"db1.prod\"]",
        "targets = [\"db9.prod\"]",
        25,
        "no target db9.prod",
    );
    refused(
        "targets = [\"db1.prod\"]",
        "labels = { env = \"test\" }",
        25,
        "select no target",
    );
    refused("longest = \"1h\"", "longest = \"13h\"", 27, "not between");
    refused(
        "longest = \"1h\"",
        "longest = \"1 hour\"",
        27,
        "not a duration",
    );
    refused(
        "longest = \"1h\"",
        "channels = [\"tun\"]",
        27,
        "cannot be recorded",
    );
    refused("longest = \"1h\"", "channels = []", 27, "channels is empty");
    refused(
        "longest = \"1h\"",
        "command = \"a\\nb\"",
        27,
        "control characters",
    );
    refused(
        "longest = \"1h\"",
        "command = \" \"",
        27,
        "the command is empty",
    );
    refused(
        "longest = \"1h\"",
        "command = \"x\"\nchannels = [\"shell\"]",
        28,
        "without the exec channel",
    );
    refused(
        "longest = \"1h\"",
        "command = \"x\"\nchannels = [\"exec\", \"sftp\"]",
        28,
        "a forced command and the sftp channel",
    );
    refused(
        "{ count = 1, from = \"sre\" }",
        "{ count = 0 }\nbreak-glass = true",
        27,
        "needs no approval",
    );
}

#[test]
fn promise_44_networks_that_nobody_could_come_from_are_refused() {
    let sources = |blocks: &str| format!("longest = \"1h\"\nsources = [{blocks}]");
    let from = "longest = \"1h\"";
    refused(from, &sources(""), 28, "names 0 networks");
    refused(from, &sources("\"10.0.0.1/8\""), 28, "bits set behind");
    refused(from, &sources("\"office\""), 28, "is not an address");
    refused(
        from,
        &sources("\"10.0.0.0/8\", \"10.0.0.0/8\""),
        28,
        "twice",
    );
    let many: Vec<String> = (0..17).map(|n| format!("\"10.{n}.0.0/16\"")).collect();
    refused(from, &sources(&many.join(", ")), 28, "names 17 networks");
    let text = good().replace(from, &sources("\"10.0.0.0/8\", \"2001:db8::/32\""));
    let role = &load(&text).unwrap().roles["db"];
    assert!(role.reachable_from("10.9.9.9".parse().unwrap()));
    assert!(!role.reachable_from("192.0.2.7".parse().unwrap()));
}

#[test]
fn promise_44_quorums_that_cannot_be_met_are_refused() {
    let one = "{ count = 1, from = \"sre\" }";
    refused(
        one,
        "[{ count = 1, from = \"sre\" },\n{ count = 1, from = \"sre\" }]",
        27,
        "sre stands in approvals twice",
    );
    refused(one, "[]", 26, "an empty list");
    refused(
        one,
        "[{ count = 1, from = \"sre\" },\n{ count = 0, from = \"x\" }]",
        27,
        "of 0 persons",
    );
    refused(one, "[{ count = 1 }]", 26, "name no group");
    refused(
        one,
        "[{ count = 1, form = \"sre\" }]",
        26,
        "unknown field `form`",
    );
    refused(one, "\"sre\"", 26, "expected { count = 1");
    refused(
        one,
        "[{ count = 1, from = \"sre\" },\n{ count = 1, from = \"security\" }]",
        27,
        "nobody is in group security",
    );
    let text = good()
        .replace("groups = [\"sre\"]", "groups = [\"sre\", \"security\"]")
        .replace(
            one,
            "[{ count = 1, from = \"sre\" }, { count = 1, from = \"security\" }]",
        );
    let refused = load(&text).unwrap_err().to_string();
    let words = "alice could never get 1 approvals of sre and 1 approvals of security by others";
    assert!(refused.contains(words), "bob counts once: {refused}");
    let many: Vec<String> = (0..9)
        .map(|n| format!("{{ count = 1, from = \"g{n}\" }}"))
        .collect();
    let text = good().replace(one, &format!("[{}]", many.join(", ")));
    let refused = load(&text).unwrap_err().to_string();
    assert!(refused.contains("more than 8 groups"), "{refused}");
}
