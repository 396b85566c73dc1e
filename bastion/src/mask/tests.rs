use std::time::Duration;

use proptest::prelude::*;

use super::*;

mod kept;

fn mask(known: &[Maskable], patterns: &[&str]) -> Mask {
    let terms = terms::Mask {
        known: known.iter().copied().collect(),
        patterns: patterns.iter().map(|text| text.parse().unwrap()).collect(),
        ..terms::Mask::default()
    };
    Mask::new(&terms).unwrap().unwrap()
}

fn everything() -> Mask {
    mask(
        &Maskable::ALL,
        &[r"Contract-(\d{6})", "secret (?:[a-z]|é|日)+!"],
    )
}

fn masked_by(mut mask: Mask, bytes: &[u8]) -> Vec<u8> {
    let mut out = mask.push(bytes, Instant::now());
    out.extend(mask.finish());
    out
}

fn masked(text: &str) -> String {
    String::from_utf8(masked_by(everything(), text.as_bytes())).unwrap()
}

#[test]
fn cards_are_masked_digit_by_digit() {
    for (text, shown) in [
        ("4111111111111111", "****************"),
        ("card: 4111 1111 1111 1111.", "card: **** **** **** ****."),
        ("5500-0000-0000-0004\n", "****-****-****-****\n"),
        ("amex 378282246310005", "amex ***************"),
        ("12 4111111111111111 13", "12 **************** 13"),
        (
            "4111111111111111 378282246310005",
            "**************** ***************",
        ),
        // The check digit is wrong, no issuer begins so, two gaps, a part of a word, of a longer number.
        ("4111111111111112", "4111111111111112"),
        ("1700000000000005", "1700000000000005"),
        ("4111  1111 1111 1111", "4111  1111 1111 1111"),
        ("x4111111111111111", "x4111111111111111"),
        ("4111111111111111x", "4111111111111111x"),
        ("00004111111111111111", "00004111111111111111"),
        ("4111\n111111111111", "4111\n111111111111"),
    ] {
        assert_eq!(masked(text), shown, "{text}");
    }
}

#[test]
fn what_moves_no_cursor_hides_nothing() {
    for (text, shown) in [
        (
            "\x1b[1m4111\x1b[0m1111\x1b[31;1m11111111",
            "\x1b[1m****\x1b[0m****\x1b[31;1m********",
        ),
        (
            "41111111\x1b[01;31m\x1b[K1111\x1b[m\x1b[K1111",
            "********\x1b[01;31m\x1b[K****\x1b[m\x1b[K****",
        ),
        (
            "4111\x1b]0;title\x07111111111111",
            "****\x1b]0;title\x07************",
        ),
        (
            "4111\x1b]0;title\x1b\\111111111111",
            "****\x1b]0;title\x1b\\************",
        ),
        (
            "4111\x1b[?25l111111111111\x1b(B",
            "****\x1b[?25l************\x1b(B",
        ),
        // These move it.
        ("4111\x1b[3C111111111111", "4111\x1b[3C111111111111"),
        ("4111\x1b[?1049h111111111111", "4111\x1b[?1049h111111111111"),
    ] {
        assert_eq!(masked(text), shown, "{text:?}");
    }
}

#[test]
fn tokens_keep_what_says_whose_they_are() {
    let stars = |count| "*".repeat(count);
    let body = "aB3".repeat(12);
    assert_eq!(
        masked(&format!("GH=ghp_{body} x")),
        format!("GH=ghp_{} x", stars(36))
    );
    assert_eq!(
        masked(&format!("glpat-{body}")),
        format!("glpat-{}", stars(36))
    );
    assert_eq!(
        masked("xoxb-1234567890-abc\r\n"),
        format!("xoxb-{}\r\n", stars(14))
    );
    assert_eq!(
        masked("key AKIAIOSFODNN7EXAMPLE\n"),
        format!("key AKIA{}\n", stars(16))
    );
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl";
    assert_eq!(masked(jwt), format!("eyJ{}", stars(jwt.len() - 3)));
    assert_eq!(
        masked(&format!("xghp_{body}")),
        format!("xghp_{body}"),
        "a part of a word"
    );
    assert_eq!(
        masked("Contract-123456, Contract-12345"),
        "Contract-******, Contract-12345"
    );
    assert_eq!(
        masked("a secret 日é! b"),
        format!("a {} b", stars(11)),
        "as many columns"
    );
}

#[test]
fn a_private_key_is_masked_to_its_last_line() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\r\nb3BlbnNz+/==\r\nAAAA\r\n-----END OPENSSH PRIVATE KEY-----\r\n$ ls\r\n";
    let shown = "-----BEGIN OPENSSH PRIVATE KEY-----\r\n************\r\n****\r\n-----END OPENSSH PRIVATE KEY-----\r\n$ ls\r\n";
    assert_eq!(masked(key), shown);
    let json = r#"{"k":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"}"#;
    let shown = r#"{"k":"-----BEGIN PRIVATE KEY-----\*****\*-----END PRIVATE KEY-----"}"#;
    assert_eq!(masked(json), shown);
    let public = "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----\n";
    assert_eq!(masked(public), public);
    let long = format!(
        "-----BEGIN PRIVATE KEY-----\n{}",
        "A".repeat(limits::MASK_KEY_BYTES + 1)
    );
    assert!(masked(&long).ends_with("*A"), "one past the longest key");
}

#[test]
fn what_stands_before_the_lines_of_a_key_does_not_end_it() {
    let line = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ";
    let armoured = |kind: &str, headers: &[&str]| {
        let begin = format!("-----BEGIN {kind}-----");
        let end = format!("-----END {kind}-----");
        let lines = [
            &[begin.as_str()],
            headers,
            &[line, line, "AB0==", "=cD1e", &end],
        ]
        .concat();
        lines.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let openssh = armoured("OPENSSH PRIVATE KEY", &[]);
    let pem = armoured(
        "RSA PRIVATE KEY",
        &["Proc-Type: 4,ENCRYPTED", "DEK-Info: DES-EDE3-CBC,F3A1", ""],
    );
    let comment = "Comment: Using GnuPG with Mozilla - http://enigmail.example/";
    let pgp = armoured(
        "PGP PRIVATE KEY BLOCK",
        &["Version: GnuPG v1.4 (GNU/Linux)", comment, ""],
    );
    for prefix in [
        "",
        "/home/alice/.ssh/id_ed25519:",
        "web-1  | ",
        "Nov 22 16:25:01 db1 app[123]: <6># @(x) ",
        "12\t",
        "> ",
    ] {
        for key in [&openssh, &pem, &pgp] {
            let text = format!("{prefix}{}\r\n", key.join(&format!("\r\n{prefix}")));
            let shown = masked(&format!("{text}4111 x\n"));
            for secret in [line, "AB0", "cD1e"] {
                assert!(!shown.contains(secret), "{prefix:?}: {shown}");
            }
            let last = key.last().unwrap();
            assert!(
                shown.ends_with(&format!("{last}\r\n4111 x\n")),
                "{prefix:?}: {shown}"
            );
        }
    }
}

#[test]
fn a_key_without_an_end_is_over_after_two_lines_that_have_none_of_it() {
    // What it covers too much is the price of prefixes: two lines of whatever follows, here two prompts.
    let line = "b3BlbnNzaC1rZXktdjEA";
    let begin = "-----BEGIN RSA PRIVATE KEY-----\n";
    assert_eq!(
        masked(&format!(
            "{begin}{line}\n[alice@db1 ~]$ id\n\n[alice@db1 ~]$ w\n[alice@db1 ~]$ w\n"
        )),
        format!(
            "{begin}********************\n************** **\n\n************** *\n[alice@db1 ~]$ w\n"
        )
        .replace("************** ", "********** *** ")
    );
    // The next one may begin within them.
    let next = format!("{begin}{line}\n==> b <==\n{begin}{line}\n");
    assert!(!masked(&next).contains(line), "{}", masked(&next));
    // Of one that has only a first line, some more are covered, because headers may follow.
    let alone = masked(&format!("{begin}{}", "a\n".repeat(20)));
    assert_eq!(alone.matches('a').count(), 12, "{alone}");
    // Dashes alone are no end.
    let ruled = masked(&format!("{begin}-------\n{line}\n"));
    assert!(!ruled.contains(line), "{ruled}");
}

#[test]
fn a_string_without_an_end_hides_no_lines() {
    for begin in ["\x1b]0;t", "\x1bX", "\x1b^", "\x1b_"] {
        for end in ["\n", "\r", "\x1b[1m"] {
            assert_eq!(
                masked(&format!("{begin}{end}4111111111111111\n")),
                format!("{begin}{end}****************\n"),
                "{begin:?} {end:?}"
            );
        }
    }
    // A picture has lines, and is passed over.
    let picture = "\x1bPq4111111111111111\n4111111111111111\x1b\\\n";
    assert_eq!(masked(picture), picture);
}

#[test]
fn bytes_are_held_back_for_a_moment_at_most() {
    let (mut mask, start) = (everything(), Instant::now());
    assert_eq!(mask.push(b"$ ", start), b"$ ");
    assert_eq!(mask.due(), None);
    assert_eq!(mask.push(b"41111111", start), b"");
    assert_eq!(mask.due(), Some(start + limits::MASK_HOLD));
    let later = start + Duration::from_millis(20);
    assert_eq!(mask.push(b"11", later), b"");
    // Only silence counts, and a colour is silence.
    let end = later + limits::MASK_HOLD;
    assert_eq!(mask.push(b"\x1b[1m", end - Duration::from_millis(1)), b"");
    assert_eq!(mask.due(), Some(end));
    assert_eq!(mask.overdue(end - Duration::from_millis(1)), b"");
    assert_eq!(mask.overdue(end), b"4111111111\x1b[1m");
    assert_eq!(mask.due(), None);
    // What comes after a pause is still seen as a part of the number.
    assert_eq!(mask.push(b"111111\n", end), b"******\n");
    // What is whole when the time is over is masked.
    assert_eq!(mask.push(b"4111111111111111", start), b"");
    assert_eq!(mask.overdue(start + limits::MASK_HOLD), b"****************");
}

#[test]
fn one_past_what_may_be_held_back_passes() {
    let (mut mask, now) = (mask(&[], &["a.*z"]), Instant::now());
    let many = vec![b'a'; limits::MASK_HELD];
    assert_eq!(mask.push(&many, now), b"");
    assert_eq!(mask.push(b"a", now), b"a");
    assert_eq!(mask.push(b"z\n", now).first(), Some(&b'a'));
}

#[test]
fn a_line_without_an_end_costs_no_more_than_its_bytes() {
    let mut mask = mask(&[], &["[a-y ]+z", "a(?:.{0,60})q"]);
    let begun = std::time::Instant::now();
    let flood = "a b ".repeat(1 << 14);
    let mut out = mask.push(flood.as_bytes(), Instant::now());
    out.extend(mask.finish());
    assert_eq!(out, flood.as_bytes());
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"4111111111111111".to_vec()),
        Just(b"4111 1111 ".to_vec()),
        Just(b"1111 1111".to_vec()),
        Just(b"ghp_012345678901234567890123456789012345".to_vec()),
        Just(b"AKIAIOSFODNN7EXAMPLE".to_vec()),
        Just(b"-----BEGIN PRIVATE KEY-----".to_vec()),
        Just(b"-----END PRIVATE KEY-----".to_vec()),
        Just("secret 日é!".as_bytes().to_vec()),
        Just(b"Contract-123456".to_vec()),
        Just(b"\x1b[1;31m".to_vec()),
        Just(b"\x1b[2J".to_vec()),
        Just(b"\x1b]0;t\x07".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b" ".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
        "[a-z0-9 -]{0,12}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_makes_no_difference_where_writes_end(
        bytes in pieces(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        let whole = masked_by(everything(), &bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let (mut mask, mut out) = (everything(), Vec::new());
        for pair in cuts.windows(2) {
            out.extend(mask.push(&bytes[pair[0]..pair[1]], Instant::now()));
        }
        out.extend(mask.finish());
        prop_assert_eq!(out, whole);
    }

    #[test]
    fn only_stars_take_anybodys_place(bytes in pieces(), pauses in any::<u8>()) {
        // Where all characters take a byte and a column.
        let bytes: Vec<u8> = bytes.into_iter().filter(u8::is_ascii).collect();
        let (mut mask, mut now, mut out) = (everything(), Instant::now(), Vec::new());
        for (at, byte) in bytes.iter().enumerate() {
            out.extend(mask.push(&[*byte], now));
            if at % 7 == usize::from(pauses % 7) {
                now += limits::MASK_HOLD;
                out.extend(mask.overdue(now));
                prop_assert!(mask.due().is_none(), "nothing is held back for longer");
            }
        }
        out.extend(mask.finish());
        prop_assert_eq!(out.len(), bytes.len());
        for (shown, byte) in out.iter().zip(&bytes) {
            prop_assert!(shown == byte || *shown == b'*');
        }
    }

    #[test]
    fn text_in_which_nothing_is_found_passes_as_it_is(text in "[ -'+.-/:-@\\[-`{-~é日\r\n\t]{0,200}") {
        let mask = mask(&[Maskable::Cards], &["QQ+"]);
        prop_assert_eq!(masked_by(mask, text.as_bytes()), text.as_bytes());
    }

    #[test]
    fn any_bytes_pass_where_nothing_is_found(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mask = mask(&[Maskable::Tokens], &["no such thing!"]);
        prop_assert_eq!(masked_by(mask, &bytes), bytes);
    }
}
