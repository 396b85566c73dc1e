use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

use super::*;

const AT: UnixTime = UnixTime::from_secs(1_795_312_324);

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn ca() -> PublicKey {
    key(1).public_key().clone()
}

fn fingerprint(key: &PublicKey) -> Digest {
    Digest::of(&key.to_bytes().unwrap())
}

fn keygen(dir: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new("ssh-keygen")
        .args(args)
        .env("TZ", "UTC")
        .current_dir(dir)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// What stock `ssh-keygen` reads in a list.
fn listed(dir: &Path, krl: &[u8]) -> String {
    fs::write(dir.join("krl"), krl).unwrap();
    let (good, text) = keygen(dir, &["-Q", "-l", "-f", "krl"]);
    assert!(good, "{text}");
    text
}

/// The serials in what `ssh-keygen` lists.
fn ranges(text: &str) -> Vec<(u64, u64)> {
    let ranges = text.lines().filter_map(|line| {
        let range = line.strip_prefix("serial: ")?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.parse().unwrap(), last.parse().unwrap()))
    });
    ranges.collect()
}

fn runs(serials: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &serial in serials {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == serial => *last = serial,
            _ => runs.push((serial, serial)),
        }
    }
    runs
}

fn of_serials(serials: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut krl = Krl::new(1, AT);
    krl.revoke_serials(&ca(), serials).unwrap();
    krl.encode().unwrap()
}

/// The size of the same set as stock `ssh-keygen -k` writes it, if it reads that itself: it writes bitmaps that
/// are too long for it.
fn stock(dir: &Path, serials: &[(u64, u64)]) -> Option<usize> {
    fs::write(dir.join("ca.pub"), ca().to_openssh().unwrap()).unwrap();
    let lines = serials.iter().map(|(first, last)| match last - first {
        0 => format!("serial: {first}\n"),
        _ => format!("serial: {first}-{last}\n"),
    });
    fs::write(dir.join("spec"), lines.collect::<String>()).unwrap();
    let args = ["-k", "-f", "stock", "-s", "ca.pub", "spec"];
    let (good, text) = keygen(dir, &args);
    assert!(good, "{text}");
    let (readable, text) = keygen(dir, &["-Q", "-l", "-f", "stock"]);
    assert!(readable || text.contains("bignum is too large"), "{text}");
    let size = fs::metadata(dir.join("stock")).unwrap().len();
    readable.then(|| usize::try_from(size).unwrap())
}

/// A certificate that stock `ssh-keygen` has signed.
fn certificate(dir: &Path, ca: &PrivateKey, serial: u64, id: &str) -> PathBuf {
    let private = dir.join("signer");
    if private.exists() {
        fs::remove_file(&private).unwrap();
    }
    ca.write_openssh_file(&private, ssh_key::LineEnding::LF)
        .unwrap();
    let name = format!("{id}-{serial}");
    let subject = dir.join(format!("{name}.pub"));
    fs::write(&subject, key(9).public_key().to_openssh().unwrap()).unwrap();
    let serial = serial.to_string();
    let subject = subject.to_str().unwrap();
    let args = [
        "-q", "-s", "signer", "-I", id, "-n", "x", "-z", &serial, subject,
    ];
    let (good, text) = keygen(dir, &args);
    assert!(good, "{text}");
    dir.join(format!("{name}-cert.pub"))
}

/// Whether stock `ssh-keygen -Q` finds it revoked.
fn revoked(dir: &Path, krl: &Krl, file: &Path) -> bool {
    fs::write(dir.join("krl"), krl.encode().unwrap()).unwrap();
    let (good, text) = keygen(dir, &["-Q", "-f", "krl", file.to_str().unwrap()]);
    assert_eq!(good, !text.contains("REVOKED"), "{text}");
    assert!(good || text.trim_end().ends_with(": REVOKED"), "{text}");
    !good
}

#[test]
fn stock_ssh_keygen_reads_everything_that_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut krl = Krl::new(42, AT);
    krl.comment("hallpass log 42").unwrap();
    krl.revoke_serials(&ca(), [9, 3, 7, 8, 3]).unwrap();
    krl.revoke_ranges(&ca(), [1000..=u64::MAX]).unwrap();
    krl.revoke_key_id(&ca(), "hallpass:b").unwrap();
    krl.revoke_key_id(&ca(), "hallpass:a").unwrap();
    krl.revoke_key(key(2).public_key()).unwrap();
    krl.revoke_fingerprint(fingerprint(key(3).public_key()));
    let print = |key: &PrivateKey| key.fingerprint(ssh_key::HashAlg::Sha256).to_string();
    let hex = fingerprint(key(3).public_key()).to_string();
    let text = listed(dir.path(), &krl.encode().unwrap());
    assert_eq!(
        text.lines().filter(|l| !l.is_empty()).collect::<Vec<_>>(),
        [
            "# KRL version 42",
            "# Generated at 20261122T015204",
            "# Comment: hallpass log 42",
            &format!("hash: {} # ssh-ed25519", print(&key(2))),
            &format!("hash: SHA256:{}", hex.trim_start_matches("sha256:")),
            &format!("# CA key ssh-ed25519 {}", print(&key(1))),
            "serial: 3",
            "serial: 7-9",
            "serial: 1000-18446744073709551615",
            "id: hallpass:a",
            "id: hallpass:b",
        ]
    );
}

#[test]
fn a_certificate_is_revoked_by_what_names_it_and_by_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (ours, other) = (key(1), key(2));
    let seven = certificate(dir, &ours, 7, "seven");
    let eight = certificate(dir, &ours, 8, "eight");
    let theirs = certificate(dir, &other, 7, "theirs");
    let plain = dir.join("seven-7.pub");
    let judge = |krl: &Krl| [&seven, &eight, &theirs, &plain].map(|file| revoked(dir, krl, file));

    assert_eq!(judge(&Krl::new(1, AT)), [false; 4]);
    let mut krl = Krl::new(1, AT);
    krl.revoke_serials(&ca(), [7]).unwrap();
    assert_eq!(judge(&krl), [true, false, false, false]);
    let mut krl = Krl::new(1, AT);
    krl.revoke_ranges(&ca(), [8..=9]).unwrap();
    assert_eq!(judge(&krl), [false, true, false, false]);
    let mut krl = Krl::new(1, AT);
    krl.revoke_key_id(&ca(), "eight").unwrap();
    assert_eq!(judge(&krl), [false, true, false, false]);
    let mut krl = Krl::new(1, AT);
    krl.revoke_serials(other.public_key(), [7]).unwrap();
    krl.revoke_serials(&ca(), [8]).unwrap();
    assert_eq!(judge(&krl), [false, true, true, false]);
    // The CA's own key, and the certified key, each both ways.
    let mut krl = Krl::new(1, AT);
    krl.revoke_key(&ca()).unwrap();
    assert_eq!(judge(&krl), [true, true, false, false]);
    let mut krl = Krl::new(1, AT);
    krl.revoke_fingerprint(fingerprint(&ca()));
    assert_eq!(judge(&krl), [true, true, false, false]);
    let mut krl = Krl::new(1, AT);
    krl.revoke_key(key(9).public_key()).unwrap();
    assert_eq!(judge(&krl), [true; 4]);
    let mut krl = Krl::new(1, AT);
    krl.revoke_fingerprint(fingerprint(key(9).public_key()));
    assert_eq!(judge(&krl), [true; 4]);
}

#[test]
fn what_would_revoke_nothing_or_too_much_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut krl = Krl::new(1, AT);
    let untouched = krl.encode().unwrap();
    assert_eq!(
        krl.revoke_serials(&ca(), [5, 0]).err(),
        Some(KrlError::SerialZero)
    );
    assert_eq!(
        krl.revoke_ranges(&ca(), [0..=9]).err(),
        Some(KrlError::SerialZero)
    );
    let (first, last) = (9, 8);
    assert_eq!(
        krl.revoke_ranges(&ca(), [5..=5, first..=last]).err(),
        Some(KrlError::Backwards)
    );
    for id in ["", "a\0b"] {
        assert_eq!(krl.revoke_key_id(&ca(), id).err(), Some(KrlError::KeyId));
    }
    assert_eq!(krl.comment("a\0b").err(), Some(KrlError::Comment));
    let line = fs::read_to_string(certificate(dir.path(), &key(1), 7, "seven")).unwrap();
    let certificate = ssh_key::Certificate::from_openssh(&line).unwrap();
    let certificate = PublicKey::from(ssh_key::public::KeyData::from(certificate));
    for refused in [
        krl.clone().revoke_key(&certificate).err(),
        krl.clone().revoke_serials(&certificate, [1]).err(),
        krl.clone().revoke_key_id(&certificate, "x").err(),
    ] {
        assert_eq!(refused, Some(KrlError::Certificate));
    }
    assert_eq!(krl.encode().unwrap(), untouched);
    krl.revoke_serials(&ca(), []).unwrap();
    assert_eq!(krl.encode().unwrap(), untouched, "a CA without revocations");
}

#[test]
fn the_order_of_revoking_leaves_no_trace() {
    let mut one = Krl::new(1, AT);
    one.revoke_serials(&ca(), [1, 2, 3, 9]).unwrap();
    one.revoke_key(key(4).public_key()).unwrap();
    one.revoke_key(key(5).public_key()).unwrap();
    one.revoke_serials(key(2).public_key(), [1]).unwrap();
    let mut other = Krl::new(1, AT);
    other.revoke_serials(key(2).public_key(), [1, 1]).unwrap();
    other.revoke_key(key(5).public_key()).unwrap();
    other.revoke_ranges(&ca(), [9..=9, 2..=3]).unwrap();
    other.revoke_serials(&ca(), [3, 1]).unwrap();
    other.revoke_key(key(4).public_key()).unwrap();
    assert_eq!(one.encode().unwrap(), other.encode().unwrap());
}

#[test]
fn a_hundred_thousand_sequential_serials_fit_in_150_kb() {
    let dir = tempfile::tempdir().unwrap();
    // One in ten of a million, as a CA's serials are: the others were never revoked.
    let mut state = 1_u64;
    let tenth: BTreeSet<u64> = (0..100_000)
        .map(|n| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            n * 10 + 1 + (state >> 33) % 10
        })
        .collect();
    let cases: [(&str, BTreeSet<u64>, usize); 3] = [
        ("without a gap", (1..=100_000).collect(), 152),
        ("every other", (1..=200_000).step_by(2).collect(), 25_339),
        ("one in ten of a million", tenth, 126_300),
    ];
    for (name, serials, most) in cases {
        assert_eq!(serials.len(), 100_000);
        let krl = of_serials(serials.iter().copied());
        assert_eq!(ranges(&listed(dir.path(), &krl)), runs(&serials), "{name}");
        let size = krl.len();
        assert!(size <= most, "{name}: {size} bytes");
    }
}

#[test]
fn the_longest_bitmap_is_read_and_a_longer_one_is_divided() {
    let dir = tempfile::tempdir().unwrap();
    for count in [8191, 8192, 8193, 20_000] {
        let serials: BTreeSet<u64> = (0..count).map(|n| u64::MAX - 2 * n).collect();
        let krl = of_serials(serials.iter().copied());
        assert_eq!(ranges(&listed(dir.path(), &krl)), runs(&serials));
    }
}

/// Serials as they come: clusters of any density, runs, and loners up to the last one.
fn serials() -> impl Strategy<Value = BTreeSet<u64>> {
    let start = prop_oneof![1..5000_u64, 1..=u64::MAX, u64::MAX - 5000..=u64::MAX];
    let gap = prop_oneof![Just(1_u64), 1..3_u64, 1..20_u64, 1..200_u64, 1..20_000_u64];
    let cluster = (start, gap.clone(), gap, 1..60_usize).prop_map(|(start, one, other, count)| {
        let mut at = Some(start);
        let mut serials = Vec::new();
        for n in 0..count {
            serials.extend(at);
            let step = if n % 7 < 4 { one } else { other };
            at = at.and_then(|at| at.checked_add(step));
        }
        serials
    });
    proptest::collection::vec(cluster, 1..8).prop_map(|all| all.into_iter().flatten().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stock_ssh_keygen_reads_the_same_serials_and_writes_them_no_shorter(serials in serials()) {
        let dir = tempfile::tempdir().unwrap();
        let krl = of_serials(serials.iter().copied());
        prop_assert_eq!(ranges(&listed(dir.path(), &krl)), runs(&serials));
        if let Some(stock) = stock(dir.path(), &runs(&serials)) {
            // Where a bitmap begins is settled before its last byte is known to fill up.
            prop_assert!(krl.len() <= stock + stock / 100, "{} bytes; ssh-keygen: {stock}", krl.len());
        }
    }
}
