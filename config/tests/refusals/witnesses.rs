//! Witnesses that could not be asked.

use std::path::Path;

use config::ConfigError;

use super::{ALICE, EDGE, WITNESS, good, load};

/// The good file with a published log and one witness; `LINES` for the rest of the witness's table.
fn witnessed(need: u32, name: &str, key: &str, url: &str) -> String {
    let published = "address = \"ca.example.org:7022\"\npublish = \"out\"";
    let text = good().replacen("address = \"ca.example.org:7022\"", published, 1);
    format!(
        "{text}[ca.witnesses]\nneed = {need}\n[witness.\"{name}\"]\nkey = \"{key}\"\nurl = \"{url}\"\n"
    )
}

#[test]
fn promise_44_witnesses_that_could_not_be_asked_are_refused() {
    let url = "http://w1.example.org:7025";
    let config = load(&witnessed(1, "w1", WITNESS, url)).unwrap();
    assert_eq!(config.ca.witnesses.need, 1);
    assert_eq!(config.ca.witnesses.by.len(), 1);
    assert_eq!(config.ca.publish.as_deref(), Some(Path::new("out")));
    assert!(load(&good()).unwrap().ca.publish.is_none());

    let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";
    for (text, line, words) in [
        (
            witnessed(2, "w1", WITNESS, url),
            30,
            "2 witnesses are needed, and there are 1",
        ),
        (
            witnessed(1, "w 1", WITNESS, url),
            31,
            "not a name for a witness",
        ),
        (
            witnessed(1, "", WITNESS, url),
            31,
            "not a name for a witness",
        ),
        (
            witnessed(1, "w1", EDGE, url),
            32,
            "this key is already used",
        ),
        (
            witnessed(1, "w1", ALICE, url),
            32,
            "this key is already used",
        ),
        (witnessed(1, "w1", ecdsa, url), 32, "Ed25519"),
        (
            witnessed(1, "w1", WITNESS, "https://w1"),
            33,
            "not the address of a witness",
        ),
        (
            witnessed(1, "w1", WITNESS, "http://u@w1"),
            33,
            "not the address of a witness",
        ),
        (
            witnessed(1, "w1", WITNESS, url).replace("publish = \"out\"\n", ""),
            3,
            "the log is not published",
        ),
    ] {
        match load(&text) {
            Err(ConfigError::Wrong { line: at, what, .. }) => {
                assert!(what.contains(words), "says {what:?}, expected {words:?}");
                assert_eq!(at, line, "line of {what:?}");
            }
            other => panic!("{words}: {other:?}"),
        }
    }
}
