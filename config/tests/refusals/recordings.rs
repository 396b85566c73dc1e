//! Recordings and files: recipients, masks, limits and the old `scp`.

use config::Config;

use super::{ALICE, good, load, refused};

#[test]
fn promise_44_files_that_cannot_be_given_so_are_refused() {
    for (files, words) in [
        (
            "channels = [\"sftp\"] \nfiles = { read = false, write = false }",
            "neither read nor written",
        ),
        (
            "channels = [\"exec\"]\nfiles = { read = false }",
            "files without the sftp channel",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { paths = [] }",
            "paths names 0 directories",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { paths = [\"srv\"] }",
            "is not a full path",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { paths = [\"/srv/../etc\"] }",
            "is not a full path",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { largest = \"1 GB\" }",
            "is not a size",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { largest = \"18446744073709551615K\" }",
            "is not a size",
        ),
    ] {
        refused("longest = \"1h\"", files, 28, words);
    }
}

const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

#[test]
fn promise_44_recipients_that_could_not_open_anything_are_refused() {
    let with = |recordings: &str, role: &str| {
        let text = good().replacen(
            "longest = \"1h\"\n",
            &format!("longest = \"1h\"\n{role}"),
            1,
        );
        load(&format!("{text}{recordings}"))
    };
    let recipients = |config: &Config| {
        let role = config.roles.values().next().unwrap();
        (role.recipients.threshold(), role.recipients.of().len())
    };
    assert_eq!(recipients(&load(&good()).unwrap()), (1, 0));
    let both = format!("[recordings]\nrecipients = [\"{AGE}\", \"{ALICE} alice\"]\n");
    assert_eq!(recipients(&with(&both, "").unwrap()), (1, 2));
    let own = format!("recipients = [\"{AGE}\"]\n");
    assert_eq!(recipients(&with(&both, &own).unwrap()), (1, 1));
    let pair = format!("\"{AGE}\", \"{ALICE} alice\"");
    let table =
        |threshold: u32| format!("recipients = {{ threshold = {threshold}, of = [{pair}] }}\n");
    assert_eq!(recipients(&with("", &table(2)).unwrap()), (2, 2));
    for threshold in [0, 3] {
        let error = with("", &table(threshold)).unwrap_err().to_string();
        let words = format!("{threshold} of 2 recipients cannot come together");
        assert!(error.contains(&words), "{error}");
    }

    let lines = good().lines().count();
    let many = vec![format!("\"{AGE}\""); 33].join(", ");
    for (list, words) in [
        (String::new(), "recipients is empty"),
        ("\"alice\"".into(), "neither a key of age"),
        ("\"AGE-SECRET-KEY-1QQ\"".into(), "this is a private key"),
        (
            format!("\"{}\"", AGE.replace("ql3z", "ql3x")),
            "a character is wrong",
        ),
        (
            format!("\"{AGE}\", \"{AGE}\""),
            "this recipient stands here twice",
        ),
        (many, "there are 33 recipients"),
    ] {
        let table = format!("[recordings]\nrecipients = [{list}]\n");
        let error = with(&table, "").unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains(&format!(":{}:", lines + 2)),
            "{error}"
        );
        let key = format!("recipients = [{list}]\n");
        let error = with("", &key).unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains(&format!(":{}:", lines + 1)),
            "{error}"
        );
    }
}

#[test]
fn promise_44_masks_that_would_mask_nothing_or_not_in_time_are_refused() {
    let many: Vec<String> = (0..33).map(|n| format!("{{ pattern = 'x{n}' }}")).collect();
    for (mask, words) in [
        (String::new(), "mask is empty"),
        ("\"card\"".into(), "is nothing that is known by name"),
        ("\"cards\", \"cards\"".into(), "stands in mask twice"),
        (
            "{ pattern = 'a' }, { pattern = 'a' }".into(),
            "stands in mask twice",
        ),
        ("{ pattern = '(a' }".into(), "is no pattern: unclosed group"),
        ("{ pattern = 'a*' }".into(), "it matches nothing at all"),
        ("{ pattern = '(((a{99}){99}){99}){99}' }".into(), "exceed"),
        (
            format!("{{ pattern = '{}' }}", "a".repeat(513)),
            "longer than 512 bytes",
        ),
        (many.join(", "), "mask has more than 32 patterns"),
        ("{ patern = 'a' }".into(), "unknown field `patern`"),
        ("7".into(), "expected \"cards\""),
    ] {
        refused("longest = \"1h\"", &format!("mask = [{mask}]"), 27, words);
    }
}

#[test]
fn promise_44_limits_that_no_session_could_keep_are_refused() {
    for (limit, words) in [
        ("idle = \"9s\"", "is not between 10s and 12h"),
        ("idle = \"12h1s\"", "is not between 10s and 12h"),
        ("idle = \"soon\"", "is not between 10s and 12h"),
        ("largest-session = \"0\"", "is not a size"),
        ("sessions = 0", "a role of which no session may run"),
    ] {
        refused("longest = \"1h\"", limit, 27, words);
    }
}
