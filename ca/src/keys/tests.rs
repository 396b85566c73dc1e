use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

/// A configuration whose CA has its data there.
fn at(data: &Path) -> Config {
    let text = "[ca]\nlisten = \"127.0.0.1:1\"\naddress = \"ca:1\"\ndata = \".\"\n";
    Config::parse(&data.join("hallpass.toml"), text.to_owned()).unwrap()
}

fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    init_keys(dir.path()).unwrap();
    dir
}

#[test]
fn keys_are_made_once_and_only_for_their_owner() {
    let dir = made();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("keys")), 0o700);
    for name in KeyName::ALL.map(KeyName::as_str) {
        assert_eq!(mode(&dir.path().join("keys").join(name)), 0o600, "{name}");
    }
    assert!(matches!(
        init_keys(dir.path()),
        Err(KeysError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists
    ));
}

#[test]
fn promise_44_a_key_file_that_others_may_read_is_refused() {
    for mode in [0o640, 0o604, 0o601, 0o660] {
        let dir = made();
        let path = dir.path().join("keys/session");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = Keys::load(&at(dir.path())).map(drop);
        match refused {
            Err(KeysError::TooOpen {
                path: named,
                mode: shown,
            }) => {
                assert_eq!((named, shown), (path, mode));
            }
            other => panic!("{mode:o}: {other:?}"),
        }
    }
}

#[test]
fn promise_44_one_key_for_two_purposes_is_refused() {
    for (from, to) in [
        ("user", "session"),
        ("host", "door"),
        ("log", "identity"),
        ("user", "log"),
    ] {
        let dir = made();
        let keys = dir.path().join("keys");
        fs::copy(keys.join(from), keys.join(to)).unwrap();
        match Keys::load(&at(dir.path())).map(drop) {
            Err(KeysError::Shared { first, second }) => {
                assert_eq!(
                    (first, second),
                    (format!("the CA's {from} key"), format!("its {to} key"))
                );
            }
            other => panic!("{from} and {to}: {other:?}"),
        }
    }
}

#[test]
fn promise_26_what_is_no_plain_private_key_is_refused() {
    let certificate = "ssh-ed25519-cert-v01@openssh.com AAAA\n";
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB\n";
    for (text, why) in [
        (certificate, "it is a certificate"),
        (public, "it does not parse"),
        ("", "it does not parse"),
    ] {
        let dir = made();
        fs::write(dir.path().join("keys/user"), text).unwrap();
        match Keys::load(&at(dir.path())).map(drop) {
            Err(KeysError::NotAKey { why: said, .. }) => assert_eq!(said, why),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn keys_that_stock_ssh_keygen_would_not_take_are_not_made() {
    let dir = made();
    for name in KeyName::ALL.map(KeyName::as_str) {
        let path = dir.path().join("keys").join(name);
        let out = std::process::Command::new("ssh-keygen")
            .arg("-y")
            .arg("-f")
            .arg(&path)
            .output()
            .unwrap();
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), public, "{name}");
    }
}

#[test]
fn an_encrypted_key_is_refused() {
    let dir = made();
    let path = dir.path().join("keys/door");
    let done = std::process::Command::new("ssh-keygen")
        .args(["-q", "-p", "-N", "secret", "-P", "", "-f"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(done.success());
    assert!(matches!(
        Keys::load(&at(dir.path())).map(drop),
        Err(KeysError::Encrypted {
            name: KeyName::Door,
            ..
        })
    ));
}
