//! Promise 44 for forwarded connections: a role that names the channel says where to.

use std::path::Path;

use config::{Config, ConfigError};

const ROLE: &str = r#"[ca]
listen = "127.0.0.1:7022"
address = "ca.example.org:7022"
[person.alice]
groups = ["oncall"]
keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnw5O/5ySzpZAZl3lfoE7iN+dfuCXIfd2nv5WPJzCl6"]
[target."db1.prod"]
address = "10.1.2.3:22"
host = "ca"
[role.db]
groups = ["oncall"]
logins = ["postgres"]
targets = ["db1.prod"]
approvals = { count = 0 }
"#;

fn load(words: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("hallpass.toml"), format!("{ROLE}{words}\n"))
}

#[test]
fn promise_44_forwarding_without_places_and_places_without_forwarding_are_refused() {
    for (words, line, why, hint) in [
        (
            "channels = [\"forward\"]",
            15,
            "the channel forward without forward-to",
            "add forward-to = [\"localhost:5432\"]",
        ),
        (
            "channels = [\"shell\", \"remote-forward\"]",
            15,
            "the channel remote-forward without listen-on",
            "add listen-on",
        ),
        (
            "forward-to = [\"localhost:5432\"]",
            15,
            "forward-to without the channel forward",
            "add \"forward\" to channels",
        ),
        (
            "channels = [\"forward\"]\nforward-to = []",
            16,
            "forward-to names 0 places",
            "name 1 to 64",
        ),
        (
            "channels = [\"forward\"]\nforward-to = [\"localhost\"]",
            16,
            "it is neither HOST:PORT nor a path",
            "write it like localhost:5432",
        ),
        (
            "channels = [\"agent\"]",
            15,
            "an agent or a display without a session that uses it",
            "add \"shell\" or \"exec\"",
        ),
        (
            "channels = [\"shell\", \"x11\"]\nmask = [\"cards\"]",
            16,
            "mask and the channel x11",
            "make two roles",
        ),
        (
            "channels = [\"shell\", \"forward\"]\nforward-to = [\"localhost:80\"]\nalerts = [{ name = \"much\", volume = \"1G\" }]",
            17,
            "an alert of a volume and the channel forward, of which nothing would be counted",
            "make two roles",
        ),
        (
            "channels = [\"shell\", \"x11\"]\nalerts = [{ name = \"shown\", screen = 'x' }, { name = \"fast\", rate = \"1M\" }]",
            16,
            "an alert of a rate and the channel x11",
            "make two roles",
        ),
        (
            "channels = [\"tun\"]",
            15,
            "channel \"tun\" cannot be recorded",
            "shell, exec, sftp, forward, remote-forward, agent, x11",
        ),
    ] {
        let Err(ConfigError::Wrong {
            line: at,
            what,
            hint: said,
            ..
        }) = load(words)
        else {
            unreachable!("{words} is taken, or refused in another way");
        };
        assert!(what.contains(why), "{what}");
        assert!(said.contains(hint), "{said}");
        assert_eq!(at, line, "{what}");
    }
    let many = vec!["\"localhost:1\""; 65].join(",");
    for (count, good) in [(64, true), (65, false)] {
        let places = many.split(',').take(count).collect::<Vec<_>>().join(",");
        let words = format!("channels = [\"forward\"]\nforward-to = [{places}]");
        assert_eq!(load(&words).is_ok(), good, "{count} places");
    }
}
