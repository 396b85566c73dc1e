//! Who may read what was masked: what a file may say of it, and what is refused.

mod common;

use config::rules::Role;

use common::{KEY, OTHER, load};

const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

fn role(role: &str, table: &str) -> Option<Role> {
    load(role, table).ok()?.roles.into_values().next()
}

/// How many of how many read what was masked, and open the recording.
fn counts(role: Option<Role>) -> Option<[(usize, usize); 2]> {
    let counted = |of: &config::recipients::Recipients| (of.threshold(), of.of().len());
    role.map(|role| {
        [
            counted(&role.terms.mask.original),
            counted(&role.recipients),
        ]
    })
}

#[test]
fn who_reads_what_was_masked_opens_the_recording_too() {
    let masked = format!("mask = [\"cards\"]\nmask-original = [\"{AGE}\"]");
    // One that is not sealed is opened by everybody.
    assert_eq!(counts(role(&masked, "")), Some([(1, 1), (1, 0)]));
    let table = |of: &str| format!("[recordings]\nrecipients = {of}\n");
    let one = table(&format!("[\"{KEY}\"]"));
    assert_eq!(counts(role(&masked, &one)), Some([(1, 1), (1, 2)]));
    let both = table(&format!("[\"{KEY}\", \"{AGE}\"]"));
    assert_eq!(counts(role(&masked, &both)), Some([(1, 1), (1, 2)]));
    let together = table(&format!("{{ threshold = 2, of = [\"{KEY}\", \"{AGE}\"] }}"));
    assert_eq!(counts(role(&masked, &together)), Some([(1, 1), (2, 2)]));
    let pair = format!(
        "mask = [\"cards\"]\nmask-original = {{ threshold = 2, of = [\"{KEY}\", \"{AGE}\"] }}"
    );
    assert_eq!(counts(role(&pair, &one)), Some([(2, 2), (1, 2)]));
    assert_eq!(
        counts(role("mask = [\"cards\"]", &one)),
        Some([(1, 0), (1, 1)])
    );
}

#[test]
fn promise_44_originals_that_nobody_could_read_are_refused() {
    let of = |text: &str| format!("mask = [\"cards\"]\nmask-original = {text}");
    let strangers =
        format!("[recordings]\nrecipients = {{ threshold = 2, of = [\"{KEY}\", \"{OTHER}\"] }}\n");
    let many: Vec<String> = (1..=31)
        .map(|n| {
            let pair = ssh_key::private::Ed25519Keypair::from_seed(&[n; 32]);
            let key = ssh_key::PublicKey::from(pair.public);
            format!("\"{}\"", key.to_openssh().unwrap())
        })
        .collect();
    let crowd = format!("[recordings]\nrecipients = [{}]\n", many.join(", "));
    for (role, table, line, words) in [
        (
            format!("mask-original = [\"{AGE}\"]"),
            "",
            22,
            "mask-original without mask",
        ),
        (of("[]"), "", 23, "mask-original is empty"),
        (
            of("{ threshold = 1, of = [] }"),
            "",
            23,
            "mask-original is empty",
        ),
        (of("[\"alice\"]"), "", 23, "neither a key of age"),
        (
            of(&format!("{{ threshold = 2, of = [\"{AGE}\"] }}")),
            "",
            23,
            "2 of 1 recipients cannot come together",
        ),
        (of("7"), "", 23, "expected [\"ssh-ed25519 …\""),
        (
            of(&format!("[\"{AGE}\"]")),
            strangers.as_str(),
            23,
            "names a key that is none of the recipients, who open these recordings only together",
        ),
        (
            of(&format!("[\"{AGE}\", \"{KEY}\"]")),
            crowd.as_str(),
            23,
            "recipients and mask-original name more than 32 keys",
        ),
    ] {
        let error = load(&role, table).unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains(&format!(":{line}:")),
            "{error}"
        );
    }
}
