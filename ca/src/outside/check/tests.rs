use super::*;

const TEXT: &str = "hallpass-request-v1\nid: 7F3K-9QMD\n";

fn secret(text: &str) -> (tempfile::NamedTempFile, Secret) {
    // Made with mode 0600.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let secret = Secret::read(file.path()).unwrap();
    (file, secret)
}

fn ticket() -> CheckName {
    "ticket".parse().unwrap()
}

const NOW: UnixTime = UnixTime::from_secs(1_795_312_324);

/// What `openssl` says the code is.
fn openssl(key: &str, text: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", key, "-r"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = openssl.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let said = openssl.wait_with_output().unwrap().stdout;
    String::from_utf8(said).unwrap()[..64].to_owned()
}

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn the_question_is_signed_as_openssl_signs_it() {
    let (_file, secret) = secret(KEY);
    let question = question(&ticket(), &secret, TEXT, NOW);
    assert_eq!(question.body, TEXT.as_bytes());
    let digest = Digest::of(TEXT.as_bytes()).to_string();
    let mac = openssl(
        KEY,
        &format!("hallpass-check-v1\nticket\n1795312324\n{TEXT}"),
    );
    assert_eq!(
        question.facts,
        [
            ("Check", "ticket".to_owned()),
            ("Time", "1795312324".to_owned()),
            ("Digest", digest),
            ("Mac", mac)
        ]
    );
}

fn answer(verdict: &str, reason: &str, mac: &str) -> String {
    format!(r#"{{"version":1,"verdict":"{verdict}","reason":"{reason}","mac":"{mac}"}}"#)
}

fn heard(answer: &str) -> Result<Said, Unheard> {
    let (_file, secret) = secret(KEY);
    read(&ticket(), &secret, TEXT, NOW, answer.as_bytes())
}

#[test]
fn an_answer_that_is_signed_for_this_question_counts() {
    let digest = Digest::of(TEXT.as_bytes());
    for (word, verdict) in [
        ("approve", Verdict::Approve),
        ("deny", Verdict::Deny),
        ("abstain", Verdict::Abstain),
    ] {
        let text =
            format!("hallpass-answer-v1\nticket\n1795312324\n{digest}\n{word}\nINC-42 is open");
        let said = heard(&answer(word, "INC-42 is open", &openssl(KEY, &text))).unwrap();
        let reason = "INC-42 is open".parse().unwrap();
        assert_eq!(said, Said { verdict, reason });
    }
}

/// Whoever stands in between can make none of these count.
#[test]
fn an_answer_to_anything_else_does_not_count() {
    let digest = Digest::of(TEXT.as_bytes());
    let other = Digest::of(b"another text");
    let good = format!("hallpass-answer-v1\nticket\n1795312324\n{digest}\napprove\nfine");
    assert!(heard(&answer("approve", "fine", &openssl(KEY, &good))).is_ok());
    for (wrong, why) in [
        (good.replace("approve", "deny"), "another verdict"),
        (good.replace("fine", "fines"), "another reason"),
        (good.replace("ticket", "tickets"), "another check"),
        (good.replace("324\n", "325\n"), "another time"),
        (
            good.replace(&digest.to_string(), &other.to_string()),
            "another request",
        ),
        (good.replace("answer", "check"), "another purpose"),
    ] {
        let refused = heard(&answer("approve", "fine", &openssl(KEY, &wrong))).unwrap_err();
        assert!(
            refused.to_string().contains("its mac is not"),
            "{why}: {refused}"
        );
    }
    let stranger = openssl("another key that is as long as it must be", &good);
    for mac in [
        stranger.as_str(),
        "",
        "00",
        &openssl(KEY, &good).to_uppercase(),
    ] {
        let refused = heard(&answer("approve", "fine", mac)).unwrap_err();
        assert!(refused.to_string().contains("its mac is not"), "{refused}");
    }
    // The question's own code, sent back, is none of an answer.
    let (_file, secret) = secret(KEY);
    let own = question(&ticket(), &secret, TEXT, NOW).facts[3].1.clone();
    assert!(heard(&answer("approve", "fine", &own)).is_err());
}

#[test]
fn garbage_is_no_answer() {
    let digest = Digest::of(TEXT.as_bytes());
    let signed = |verdict: &str, reason: &str| {
        let text = format!("hallpass-answer-v1\nticket\n1795312324\n{digest}\n{verdict}\n{reason}");
        answer(verdict, reason, &openssl(KEY, &text))
    };
    let good = signed("approve", "fine");
    for (text, why) in [
        (String::new(), "EOF"),
        ("yes".to_owned(), "expected value"),
        (signed("maybe", "fine"), "unknown variant"),
        (good.replace("\"version\":1", "\"version\":2"), "version 2"),
        (good.replace("\"version\":1,", ""), "missing field"),
        (good.replace('}', ",\"more\":1}"), "unknown field"),
        (format!("{good}{good}"), "trailing"),
        (signed("approve", ""), "reason is empty"),
        (signed("approve", &"x".repeat(1025)), "longer than 1024"),
        (signed("approve", "a\u{202e}b"), "invisible"),
    ] {
        let refused = heard(&text).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}, expected {why}");
    }
}
