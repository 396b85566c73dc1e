use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ssh_key::encoding::Encode as _;
use ssh_key::public::{Ed25519PublicKey, SkEd25519};

use super::*;

const NS: &str = "test@hallpass";
const TEXT: &[u8] = b"what one reads is what one signs\n";

fn run(command: &mut Command, input: &[u8]) -> bool {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait().unwrap().success()
}

fn keygen(dir: &Path, name: &str, kind: &[&str]) -> PrivateKey {
    let path = dir.join(name);
    assert!(run(
        Command::new("ssh-keygen")
            .args(["-q", "-N", "", "-C", "x", "-f"])
            .arg(&path)
            .args(kind),
        b""
    ));
    PrivateKey::read_openssh_file(&path).unwrap()
}

/// What stock `ssh-keygen -Y verify` says.
fn stock_accepts(
    dir: &Path,
    key: &PublicKey,
    namespace: &str,
    text: &[u8],
    armoured: &str,
) -> bool {
    fs::write(
        dir.join("allowed"),
        format!("p {}\n", key.to_openssh().unwrap()),
    )
    .unwrap();
    fs::write(dir.join("sig"), armoured).unwrap();
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-I", "p", "-n", namespace]);
    run(
        command
            .arg("-f")
            .arg(dir.join("allowed"))
            .arg("-s")
            .arg(dir.join("sig")),
        text,
    )
}

fn armour(sig: &SshSig) -> String {
    sig.to_pem(LineEnding::LF).unwrap()
}

#[test]
fn stock_ssh_keygen_and_we_read_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let kinds: [&[&str]; 4] = [
        &["-t", "ed25519"],
        &["-t", "ecdsa"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
    ];
    for (n, kind) in kinds.iter().enumerate() {
        let name = format!("key{n}");
        let key = keygen(dir.path(), &name, kind);
        let ours = sign(&key, NS, TEXT).unwrap();
        assert!(
            stock_accepts(dir.path(), key.public_key(), NS, TEXT, &ours),
            "{kind:?}"
        );
        assert_eq!(
            verify([key.public_key()], NS, TEXT, &ours).unwrap(),
            key.public_key()
        );

        for hash in ["sha256", "sha512"] {
            let text = dir.path().join("text");
            fs::write(&text, TEXT).unwrap();
            let _ = fs::remove_file(dir.path().join("text.sig"));
            let mut command = Command::new("ssh-keygen");
            command.args([
                "-Y",
                "sign",
                "-n",
                NS,
                "-O",
                &format!("hashalg={hash}"),
                "-f",
            ]);
            assert!(run(command.arg(dir.path().join(&name)).arg(&text), b""));
            let theirs = fs::read_to_string(dir.path().join("text.sig")).unwrap();
            assert!(
                verify([key.public_key()], NS, TEXT, &theirs).is_ok(),
                "{kind:?} {hash}"
            );
            let pasted = format!("\r\n {}", theirs.replace('\n', "\r\n"));
            assert!(
                verify([key.public_key()], NS, TEXT, &pasted).is_ok(),
                "pasted"
            );
        }
    }
}

#[test]
fn the_key_that_signed_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (
        keygen(dir.path(), "a", &["-t", "ed25519"]),
        keygen(dir.path(), "b", &["-t", "ed25519"]),
    );
    let sig = sign(&b, NS, TEXT).unwrap();
    assert_eq!(
        verify([a.public_key(), b.public_key()], NS, TEXT, &sig).unwrap(),
        b.public_key()
    );
    let unknown = SigError::UnknownKey(b.fingerprint(HashAlg::Sha256).to_string());
    assert_eq!(verify([a.public_key()], NS, TEXT, &sig), Err(unknown));
    assert_eq!(
        verify([b.public_key()], NS, b"another text", &sig),
        Err(SigError::Invalid)
    );
}

#[test]
fn promise_31_another_namespace_is_refused_as_stock_refuses_it() {
    let dir = tempfile::tempdir().unwrap();
    let key = keygen(dir.path(), "a", &["-t", "ed25519"]);
    let sig = sign(&key, NS, TEXT).unwrap();
    for other in ["file", "test@hallpass ", "TEST@hallpass", "test@hallpas"] {
        let refused = SigError::Namespace("\"test@hallpass\"".into());
        assert_eq!(verify([key.public_key()], other, TEXT, &sig), Err(refused));
        assert!(!stock_accepts(
            dir.path(),
            key.public_key(),
            other,
            TEXT,
            &sig
        ));
    }
}

/// A signature with S + L in place of S holds the same equation; a reader that accepts it lets
/// anybody make a second signature from a first. `ssh-keygen` of OpenSSH 9.2 accepts it; here it is refused.
#[test]
fn promise_31_an_s_that_is_not_reduced_is_refused() {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let dir = tempfile::tempdir().unwrap();
    let key = keygen(dir.path(), "a", &["-t", "ed25519"]);
    let sig = parse(&sign(&key, NS, TEXT).unwrap()).unwrap();
    let mut bytes = sig.signature_bytes().to_vec();
    let mut carry = 0_u16;
    for (byte, l) in bytes[32..].iter_mut().zip(L) {
        carry += u16::from(*byte) + u16::from(l);
        *byte = (carry & 0xff).try_into().unwrap();
        carry >>= 8;
    }
    let forged = with_signature(&sig, &bytes);
    assert_eq!(
        verify([key.public_key()], NS, TEXT, &forged),
        Err(SigError::Invalid)
    );
}

/// With a key of small order, R = S·B − h·A can be met for every message by trying a few R.
/// `verify` of dalek accepts such a forgery, as `ssh-keygen` of OpenSSH 9.2 does; `verify_strict` does not.
#[test]
fn promise_31_a_key_of_small_order_signs_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let key = PublicKey::from(KeyData::Ed25519(Ed25519PublicKey(identity)));
    let mut forged = vec![0; 64];
    forged[0] = 1;
    let signature = Signature::new(Algorithm::Ed25519, forged).unwrap();
    let sig = SshSig::new(key.key_data().clone(), NS, HashAlg::Sha512, signature).unwrap();
    assert!(
        key.verify(NS, TEXT, &sig).is_ok(),
        "ssh-key accepts the forgery, which is why we do not ask it"
    );
    assert_eq!(
        verify([&key], NS, TEXT, &armour(&sig)),
        Err(SigError::Invalid)
    );
}

#[test]
fn a_token_must_have_been_touched() {
    let dir = tempfile::tempdir().unwrap();
    let seed = keygen(dir.path(), "seed", &["-t", "ed25519"]);
    let inner = seed.key_data().ed25519().unwrap();
    let sk = KeyData::SkEd25519(SkEd25519::new(inner.public, "ssh:"));
    let public = PublicKey::from(sk.clone());
    for (flags, expected) in [
        (1, Ok(())),
        (0, Err(SigError::NoTouch)),
        (5, Ok(())),
        (4, Err(SigError::NoTouch)),
    ] {
        let signed = SshSig::signed_data(NS, HashAlg::Sha256, TEXT).unwrap();
        let mut asserted = Sha256::digest("ssh:").to_vec();
        asserted.extend([flags, 0, 0, 0, 7]);
        asserted.extend(Sha256::digest(&signed));
        let dalek = ed25519_dalek::SigningKey::from_bytes(&inner.private.to_bytes());
        let mut bytes = ed25519_dalek::Signer::sign(&dalek, &asserted)
            .to_bytes()
            .to_vec();
        bytes.extend([flags, 0, 0, 0, 7]);
        let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
        let armoured = armour(&SshSig::new(sk.clone(), NS, HashAlg::Sha256, signature).unwrap());
        assert_eq!(
            verify([&public], NS, TEXT, &armoured).map(|_| ()),
            expected,
            "flags {flags}"
        );
        assert!(
            stock_accepts(dir.path(), &public, NS, TEXT, &armoured),
            "stock checks the same bytes, and not the flag"
        );
    }
}

#[test]
fn what_is_not_a_signature_is_refused_by_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let key = keygen(dir.path(), "a", &["-t", "ed25519"]);
    let sig = sign(&key, NS, TEXT).unwrap();
    let check = |text: &str| verify([key.public_key()], NS, TEXT, text).unwrap_err();
    assert_eq!(check(&sig.repeat(100)), SigError::TooLong);
    assert_eq!(
        check(""),
        SigError::Malformed("it has no begin or end line")
    );
    assert_eq!(
        check(&sig.replace("END", "FIN")),
        SigError::Malformed("it has no begin or end line")
    );
    assert_eq!(
        check(&sig.replacen("U1NI", "!!!!", 1)),
        SigError::Malformed("it is not base64")
    );

    let mut blob = dearmour(&sig).unwrap();
    blob.push(0);
    let trailing = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(&blob));
    assert_eq!(
        check(&trailing),
        SigError::Malformed("something follows it")
    );
    blob.truncate(blob.len() - 2);
    let cut = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(&blob));
    assert_eq!(check(&cut), SigError::Malformed("its fields do not parse"));
}

#[test]
fn a_certificate_in_place_of_a_key_is_not_even_parsed() {
    let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
    let name = "ssh-ed25519-cert-v01@openssh.com";
    let mut key = Vec::new();
    name.encode(&mut key).unwrap();
    key.extend([0; 64]);
    key.as_slice().encode(&mut blob).unwrap();
    let armoured = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(&blob));
    assert_eq!(parse(&armoured), Err(SigError::Algorithm));
}

/// The same signature with other bytes, assembled below the constructors that would check them.
fn with_signature(sig: &SshSig, bytes: &[u8]) -> String {
    let signature = Signature::new(sig.signature().algorithm(), bytes.to_vec()).unwrap();
    armour(
        &SshSig::new(
            sig.public_key().clone(),
            sig.namespace(),
            sig.hash_alg(),
            signature,
        )
        .unwrap(),
    )
}
