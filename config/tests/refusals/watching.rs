//! Reviews, observers, break-glass and alerts that would reach nobody.

use super::{good, load, refused};

#[test]
fn promise_44_a_review_role_that_means_two_things_is_refused() {
    let review = |more: &str| format!("longest = \"1h\"\nreview = true\n{more}");
    let longest = "longest = \"1h\"";
    for (key, value) in [
        ("command", "\"id\""),
        ("channels", "[\"shell\"]"),
        ("record-input", "true"),
        ("recipients", "[]"),
    ] {
        let more = review(&format!("{key} = {value}\n"));
        refused(longest, &more, 29, &format!("{key} in a review role"));
    }
    refused(
        longest,
        "longest = \"1h\"\nreview = \"yes\"\n",
        28,
        "expected a boolean",
    );
    refused(
        longest,
        "longest = \"1h\"\nerase = true\n",
        28,
        "erase in a role that does not review",
    );
    refused("db2.prod", "edge", 19, "edge is a bastion's name already");
    let underscore = good()
        .replace("[bastion.edge]", "[bastion.edge_1]")
        .replace(longest, &review(""));
    let why = load(&underscore).unwrap_err().to_string();
    assert!(why.contains("review@edge_1 cannot be asked for"), "{why}");
}

#[test]
fn promise_44_an_observer_who_cannot_be_there_is_refused() {
    let longest = "longest = \"1h\"";
    let with = |observer: &str| format!("longest = \"1h\"\nobserver = {observer}\n");
    refused(longest, &with("true"), 22, "no role lets anybody watch");
    let grace = "\"0s\" is not between 1s and 12h";
    refused(longest, &with("{ grace = \"0s\" }"), 28, grace);
    refused(longest, &with("\"bob\""), 28, "true, false or { grace");
    let review = "[role.look]\nreview = true\ngroups = [\"sre\"]\nlogins = [\"postgres\"]\n\
                  targets = [\"db1.prod\"]\napprovals = { count = 0 }\n";
    let text = good().replace(longest, &with("true")) + review;
    let config = load(&text).unwrap();
    let role = config.roles.values().next().unwrap();
    assert_eq!(role.terms.observer, Some(config::limits::OBSERVER_GRACE));
    refused(
        longest,
        "longest = \"1h\"\nreview = true\nobserver = true\n",
        29,
        "observer in a review role",
    );
}

#[test]
fn a_review_role_gives_the_bastion_and_reads_what_it_names() {
    let text = good().replace("longest = \"1h\"", "review = true");
    let config = load(&text).unwrap();
    let role = config.roles.values().next().unwrap();
    let session = "postgres@db1.prod".parse().unwrap();
    assert!(role.covers(&"review@edge".parse().unwrap()));
    assert!(!role.covers(&session), "it opens no session");
    let reads = role.reads.as_ref().unwrap();
    assert!(!reads.erases, "that has to be said");
    let eraser = load(&text.replace("review = true", "review = true\nerase = true")).unwrap();
    let eraser = eraser.roles.values().next().unwrap();
    assert!(eraser.reads.as_ref().unwrap().erases);
    assert!(!reads.holds, "that too");
    let holder = load(&text.replace("review = true", "review = true\nhold = true")).unwrap();
    let holder = holder.roles.values().next().unwrap();
    assert!(holder.reads.as_ref().unwrap().holds);
    assert!(reads.covers(&session));
    assert!(!reads.covers(&"postgres@db2.prod".parse().unwrap()));
    assert!(!reads.covers(&"root@db1.prod".parse().unwrap()));
}

/// Replaces the last line of the good role.
const LONGEST: &str = "longest = \"1h\"";

#[test]
fn promise_44_break_glass_that_nobody_could_review_is_refused() {
    let glass = |terms: &str| format!("{LONGEST}\nbreak-glass = {terms}");
    refused(
        LONGEST,
        &glass("{ per-week = 0 }"),
        28,
        "per-week is not between 1 and 100",
    );
    refused(
        LONGEST,
        &glass("{ per-week = 101 }"),
        28,
        "per-week is not between 1 and 100",
    );
    refused(
        LONGEST,
        &glass("{ verfy = true }"),
        28,
        "unknown field `verfy`",
    );
    refused(
        LONGEST,
        &glass("\"yes\""),
        28,
        "expected true, false or { verify",
    );
    refused(
        LONGEST,
        &glass("{ review = { count = 0 } }"),
        28,
        "a review by 0 persons",
    );
    refused(
        LONGEST,
        &glass("{ review = { count = 2 } }"),
        28,
        "what alice does could never be reviewed by 2 others of sre",
    );
    refused(
        LONGEST,
        &glass("{ review = { from = \"oncall\" } }"),
        28,
        "what alice does could never be reviewed by 1 others of oncall",
    );
    refused(
        LONGEST,
        &glass("{ review = { from = \"audit\" } }"),
        28,
        "nobody is in group audit",
    );
    for within in ["9s", "91d"] {
        let terms = format!("{{ review = {{ within = \"{within}\" }} }}");
        refused(LONGEST, &glass(&terms), 28, "is not between 10s and 90d");
    }
    refused(
        LONGEST,
        &glass("{ review = { within = \"soon\" } }"),
        28,
        "is not a duration",
    );
    refused(
        LONGEST,
        &glass("{ blocks-break-glass = true }"),
        28,
        "blocks-break-glass without blocks",
    );
}

#[test]
fn break_glass_is_reviewed_by_the_approvers_unless_the_role_says_who() {
    let of = |terms: &str| {
        let text = good().replacen(LONGEST, &format!("{LONGEST}\nbreak-glass = {terms}"), 1);
        load(&text).unwrap().roles["db"].break_glass.clone()
    };
    assert_eq!(of("false"), None);
    let plain = of("true").unwrap();
    assert_eq!(of("{}"), Some(plain.clone()));
    assert!(!plain.verify && !plain.blocks && plain.per_week.is_none());
    assert_eq!(
        (plain.review.count, plain.review.within.as_secs()),
        (1, 86_400)
    );
    assert_eq!(plain.review.from, ["sre".parse().unwrap()]);
    let all = of(
        "{ verify = true, per-week = 2, review = { count = 1, from = \"sre\", within = \"2h\" }, blocks = true }",
    );
    let all = all.unwrap();
    assert!(all.verify && all.blocks && !all.blocks_break_glass);
    assert_eq!(
        (all.per_week, all.review.within.as_secs()),
        (Some(2), 7_200)
    );
}

#[test]
fn promise_44_alerts_and_reports_that_reach_nobody_are_refused() {
    let with = |table: &str| format!("{LONGEST}\n{table}");
    refused(
        LONGEST,
        &with("[alert]"),
        28,
        "it needs one way to be reached",
    );
    for command in ["[]", "[\"page\"]"] {
        let table = format!("[alert]\ncommand = {command}");
        refused(LONGEST, &with(&table), 29, "not a program's absolute path");
    }
    refused(
        LONGEST,
        &with("[alert]\nurl = \"http://example.org/\""),
        29,
        "cannot be asked",
    );
    refused(
        LONGEST,
        &with("[alert]\nurl = \"https://example.org/\"\ncommand = [\"/x\"]"),
        28,
        "one way",
    );
    refused(
        LONGEST,
        &with("[report]\nauditors = []"),
        29,
        "auditors is empty",
    );
    refused(
        LONGEST,
        &with("[report]\nauditors = [\"audit\"]"),
        29,
        "nobody is in group audit",
    );
    refused(LONGEST, &with("[report]"), 28, "missing field `auditors`");
    let text = good().replacen(LONGEST, &with("[report]\nauditors = [\"sre\"]"), 1);
    assert!(load(&text).unwrap().auditors.contains("sre"));
}

#[test]
fn promise_44_alerts_of_sessions_that_could_not_be_told_are_refused() {
    let many: Vec<String> = (0..33)
        .map(|n| format!("{{ name = \"a{n}\", volume = \"1G\" }}"))
        .collect();
    for (alerts, words) in [
        (String::new(), "alerts names 0 things"),
        (many.join(", "), "alerts names 33 things"),
        (
            "{ name = \"a\" }".into(),
            "alert a is of nothing, or of several things",
        ),
        (
            "{ name = \"a\", rate = \"1M\", volume = \"1G\" }".into(),
            "alert a is of nothing, or of several things",
        ),
        (
            "{ name = \"a\", screen = '[' }".into(),
            "is no pattern: unclosed character class",
        ),
        ("{ name = \"a\", rate = \"fast\" }".into(), "is not a size"),
        (
            "{ name = \"a\", rate = \"1M\" }, { name = \"a\", rate = \"2M\" }".into(),
            "two alerts of one role are called a",
        ),
        (
            "{ name = \"a b\", rate = \"1M\" }".into(),
            "alert \"a b\": it has a character that is not allowed there",
        ),
        (
            "{ name = \"a\", rate = \"1M\", ends = true }".into(),
            "unknown field `ends`",
        ),
    ] {
        refused(
            "longest = \"1h\"",
            &format!("alerts = [{alerts}]"),
            27,
            words,
        );
    }
    for within in ["59m", "91d", "often"] {
        refused(
            "longest = \"1h\"",
            &format!("new-source = \"{within}\""),
            27,
            "is not between 1h and 90d",
        );
    }
}
