use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};

use super::*;

const AGE_SECRET: &str =
    "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const AGE_PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn no_passphrase() -> Option<Zeroizing<String>> {
    None
}

fn ssh_key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn ssh_recipient(seed: u8) -> Recipient {
    ssh_key(seed)
        .public_key()
        .to_openssh()
        .unwrap()
        .parse()
        .unwrap()
}

fn ssh_identity(seed: u8) -> Identities {
    let text = ssh_key(seed).to_openssh(LineEnding::LF).unwrap();
    Identities::read(&text, &mut no_passphrase).unwrap()
}

fn age_identity() -> Identities {
    Identities::read(
        &format!("# created: now\n{AGE_SECRET}\n"),
        &mut no_passphrase,
    )
    .unwrap()
}

#[test]
fn each_recipient_opens_it_alone() {
    let recipients = [
        ssh_recipient(1),
        AGE_PUBLIC.parse().unwrap(),
        ssh_recipient(2),
    ];
    let file = wrap(&recipients, b"a secret").unwrap();
    for identity in [ssh_identity(1), age_identity(), ssh_identity(2)] {
        assert_eq!(*open(&identity, &file).unwrap(), b"a secret");
    }
    assert_eq!(open(&ssh_identity(3), &file), Err(OpenError::NotForYou));
    assert_eq!(
        open(&Identities::default(), &file),
        Err(OpenError::NotForYou)
    );
    let both = ssh_identity(3).and(ssh_identity(2));
    assert_eq!(*open(&both, &file).unwrap(), b"a secret");
}

#[test]
fn stock_age_opens_what_is_wrapped_here_and_the_other_way_round() {
    let dir = tempfile::tempdir().unwrap();
    let identity = dir.path().join("ssh");
    std::fs::write(
        &identity,
        ssh_key(1).to_openssh(LineEnding::LF).unwrap().as_bytes(),
    )
    .unwrap();
    let own = dir.path().join("age");
    std::fs::write(&own, AGE_SECRET).unwrap();
    let recipients = [ssh_recipient(1), AGE_PUBLIC.parse().unwrap()];
    let file = wrap(&recipients, b"a secret").unwrap();
    for key in [&identity, &own] {
        let opened = age(&["-d", "-i", key.to_str().unwrap()], &file);
        assert_eq!(opened, b"a secret");
    }

    let public = ssh_recipient(1).to_string();
    let theirs = age(&["-r", &public, "-r", AGE_PUBLIC], b"a secret");
    assert_eq!(*open(&ssh_identity(1), &theirs).unwrap(), b"a secret");
    assert_eq!(*open(&age_identity(), &theirs).unwrap(), b"a secret");
}

fn age(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("age")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn an_identity_with_a_passphrase_asks_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("locked");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "open sesame", "-f"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    let text = std::fs::read_to_string(&file).unwrap();
    let read = |word: Option<&str>| {
        Identities::read(&text, &mut || {
            word.map(|word| Zeroizing::new(word.to_owned()))
        })
        .map(|_| ())
    };
    assert_eq!(read(Some("open sesame")), Ok(()));
    assert_eq!(read(Some("open")), Err(IdentityError::WrongPassphrase));
    assert_eq!(read(None), Err(IdentityError::NoPassphrase));
}

#[test]
fn what_is_no_identity_is_refused_with_its_reason() {
    let wrong = |text: &str| Identities::read(text, &mut no_passphrase).unwrap_err();
    assert_eq!(wrong(""), IdentityError::Neither);
    assert_eq!(wrong("ssh-ed25519 AAAA"), IdentityError::Neither);
    assert_eq!(
        wrong(&format!("#\n{}", AGE_SECRET.replace("GFPYY", "GFPYX"))),
        IdentityError::Line(2)
    );
    assert_eq!(
        wrong("age-encryption.org/v1\n-> scrypt"),
        IdentityError::AgeEncrypted
    );
}

#[test]
fn any_altered_bit_is_noticed() {
    let file = wrap(&[ssh_recipient(1)], b"a secret").unwrap();
    for at in 0..file.len() {
        let mut altered = file.clone();
        altered[at] ^= 1;
        assert!(open(&ssh_identity(1), &altered).is_err(), "at {at}");
        assert!(open(&ssh_identity(1), &file[..at]).is_err(), "cut at {at}");
    }
    let mut longer = file;
    longer.push(0);
    assert_eq!(open(&ssh_identity(1), &longer), Err(OpenError::Altered));
    assert_eq!(
        open(&ssh_identity(1), &vec![0; AGE_BYTES + 1]),
        Err(OpenError::Malformed)
    );
}

#[test]
fn a_key_that_hides_nothing_is_refused() {
    // The point of order one, and a y that is no point of the curve.
    for key in [1, 2] {
        let mut bytes = [0; 32];
        bytes[0] = key;
        let public = ssh_key::PublicKey::from(ssh_key::public::KeyData::Ed25519(
            ssh_key::public::Ed25519PublicKey(bytes),
        ));
        let recipient: Recipient = public.to_openssh().unwrap().parse().unwrap();
        assert!(matches!(
            wrap(&[recipient], b"a secret"),
            Err(WrapError::Recipient(_))
        ));
    }
    assert!(matches!(wrap(&[], b"a secret"), Err(WrapError::Nobody)));
    assert!(matches!(
        wrap(&[ssh_recipient(1)], &[0; SECRET_BYTES + 1]),
        Err(WrapError::Long)
    ));
}

proptest! {
    #[test]
    fn nothing_that_is_read_kills(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = open(&age_identity(), &bytes);
        let mut file = format!("{VERSION}\n-> X25519 ").into_bytes();
        file.extend(bytes);
        let _ = open(&age_identity(), &file);
    }
}
