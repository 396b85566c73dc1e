//! Promise 44 for the CA's keys: where they are is said once, whole, and without a secret.

use std::path::Path;

use config::keys::{KeyName, KeySource, Secret};
use config::{Config, ConfigError};

const CA: &str = "[ca]\nlisten = \"127.0.0.1:7022\"\naddress = \"ca.example.org:7022\"\n";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnw5O/5ySzpZAZl3lfoE7iN+dfuCXIfd2nv5WPJzCl6";
const P384: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBNOCNVq7q3gzVzFBl+4TJJTYAjdcXMuyUkZ/KiiyVzJPXK6qgrCmpGpC3YceIZJXWKpTX+Cj44pRFDW0TYqG1T8iTCu0z5hh6pjNVHGxi6tHymUhRMLmH1ZDIzW3Tbb63Q==";

fn load(tables: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/hallpass.toml"), format!("{CA}{tables}"))
}

#[track_caller]
fn refused(table: &str, line: usize, words: &str) {
    match load(table) {
        Err(ConfigError::Wrong {
            line: at,
            what,
            hint,
            ..
        }) => {
            let said = format!("{what}; {hint}");
            assert!(said.contains(words), "{said}");
            assert_eq!(at, line + 3, "{said}");
        }
        Err(other) => assert_eq!(other.to_string(), words),
        Ok(_) => assert_eq!(table, "is refused"),
    }
}

#[test]
fn keys_are_files_of_the_ca_unless_a_table_says_otherwise() {
    let tables = format!(
        "[ca.key.user]\nagent = \"/run/a.sock\"\npublic = \"{KEY}\"\n\
         [ca.key.session]\npkcs11 = \"/lib/p.so\"\ntoken = \"hall pass\"\nlabel = \"s\"\npin = \"credential:pin\"\n\
         [ca.key.log]\nfile = \"log\"\npassphrase = \"prompt\"\n\
         [ca.key.door.next]\nfile = \"ca/keys/door.next\"\n"
    );
    let config = load(&tables).unwrap();
    let file = |name: KeyName| match &config.ca.keys[&name].current {
        KeySource::File { path, passphrase } => (path.clone(), passphrase.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(file(KeyName::Host), ("/etc/ca/keys/host".into(), None));
    assert_eq!(file(KeyName::Door), ("/etc/ca/keys/door".into(), None));
    let prompted = ("/etc/log".into(), Some(Secret::Prompt));
    assert_eq!(file(KeyName::Log), prompted);
    assert!(config.ca.keys[&KeyName::Door].next.is_some());
    assert!(matches!(
        &config.ca.keys[&KeyName::User].current,
        KeySource::Agent { socket, .. } if socket == Path::new("/run/a.sock")
    ));
    assert!(matches!(
        &config.ca.keys[&KeyName::Session].current,
        KeySource::Token { token, pin: Secret::Credential(pin), .. } if token == "hall pass" && pin == "pin"
    ));
}

#[test]
fn promise_44_a_key_that_is_nowhere_or_in_two_places_is_refused() {
    refused("[ca.key.admin]\nfile = \"x\"\n", 1, "admin");
    refused("[ca.key.user]\n", 1, "this key is nowhere");
    refused("[ca.key.user]\nfiles = \"x\"\n", 2, "unknown field");
    let two = "[ca.key.user]\nfile = \"x\"\nagent = \"/run/a\"\n";
    refused(two, 3, "a key is in one place");
    refused("[ca.key.user]\nagent = \"/run/a\"\n", 1, "say public");
    let mixed = "[ca.key.user]\nfile = \"x\"\npin = \"prompt\"\n";
    refused(mixed, 3, "this says nothing about such a key");
    let alone = "[ca.key.user]\npin = \"prompt\"\n";
    refused(alone, 2, "this says nothing about such a key");
    let half = "[ca.key.user]\npkcs11 = \"/lib/p.so\"\ntoken = \"t\"\nlabel = \"l\"\n";
    refused(half, 1, "say token, label and pin");
    let relative =
        "[ca.key.user]\npkcs11 = \"p.so\"\ntoken = \"t\"\nlabel = \"l\"\npin = \"prompt\"\n";
    refused(relative, 2, "a module's path is absolute");
    let after = "[ca.key.user.next]\nfile = \"a\"\n[ca.key.user.next.next]\nfile = \"b\"\n";
    refused(after, 3, "announce one key at a time");
}

#[test]
fn promise_43_a_secret_in_the_file_is_refused_and_not_shown() {
    for secret in ["hunter2", "credential:", "credential:../x", "credential:.x"] {
        let table = format!("[ca.key.user]\nfile = \"x\"\npassphrase = \"{secret}\"\n");
        refused(&table, 3, "a secret does not stand in this file");
        assert!(!load(&table).unwrap_err().to_string().contains("hunter2"));
    }
}

#[test]
fn promise_44_a_key_that_cannot_do_what_it_is_for_is_refused() {
    let log = format!("[ca.key.log]\nagent = \"/run/a\"\npublic = \"{KEY}\"\n");
    refused(&log, 2, "the log key cannot be outside of this program");
    let p384 = format!("[ca.key.user]\nagent = \"/run/a\"\npublic = \"{P384}\"\n");
    refused(&p384, 3, "Ed25519 or ECDSA P-256");
    let label = "[ca.key.user]\npkcs11 = \"/lib/p.so\"\ntoken = \"t\"\nlabel = \"l\\n\"\npin = \"prompt\"\n";
    refused(label, 4, "is not a label");
}
