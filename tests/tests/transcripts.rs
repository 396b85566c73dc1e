//! What people type and what comes back, as files that can be read: `tests/transcripts/*/*.trycmd`.
//!
//! `as alice ssh ca …` is `ssh ca …` typed by Alice; `ID` stands for the last request's id, which
//! comes back as `7F3K-9QMD`. Each directory is one world, and its files run in their order.
//! `TRYCMD=overwrite cargo test -p hallpass-tests --test transcripts` writes down what came back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hallpass_tests::failure::Context;
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, programs};

/// Types one line as one person, and makes what comes back the same every time.
const AS: &str = r#"#!/bin/sh
# as PERSON COMMAND…: in the words of a command, ID is the last request's id.
root=ROOT
person=$1; shift
touch "$root/id"
id=$(cat "$root/id")
words=
for word in "$@"; do
    word=$(printf %s "$word" | sed "s/\bID\b/$id/g")
    words="$words '$(printf %s "$word" | sed "s/'/'\\\\''/g")'"
done
export SSH_AUTH_SOCK=$root/$person/agent HOME=$root/$person NO_COLOR=1 LANG=C.UTF-8 COLUMNS=100
cd "$root/$person"
case $1 in
    ssh) eval "set -- $words"; shift; set -- SSH -F "$root/$person/.ssh/config" "$@" ;;
    hallpass) eval "set -- $words"; shift; set -- HALLPASS "$@" ;;
esac
"$@" >"$root/out" 2>"$root/err" </dev/null
status=$?
new=$(sed -n 's/^request \([0-9A-Z]\{4\}-[0-9A-Z]\{4\}\).*/\1/p' "$root/err" | head -1)
[ -z "$new" ] || printf %s "$new" >"$root/id"
id=$(cat "$root/id")
same() {
    sed -e "s/\b${id:-no-request-yet}\b/7F3K-9QMD/g" -e "s#$root#ROOT#g" \
        -e 's/\bssh-ed25519-cert-v01@openssh.com [A-Za-z0-9+/=]*/CERTIFICATE/g' \
        -e 's/\bssh-ed25519 AAAA[A-Za-z0-9+/=]*/PUBLIC-KEY/g' \
        -e 's/SHA256:[A-Za-z0-9+/]\{43\}/SHA256:FINGERPRINT/g' \
        -e 's#hallpass+[0-9a-f]\{8\}+[A-Za-z0-9+/=]*#hallpass+VKEY#' \
        -e 's/sha256:[0-9a-f]\{64\}/sha256:DIGEST/g' \
        -e 's/20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9:]\{8\}Z/2026-11-22T03:12:04Z/g' \
        -e 's/\b[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\b/03:12:04/g' \
        -e 's/([0-9]*s ago)/(0s ago)/' -e 's/in 59m  /in 1h   /' -e 's/in 59m/in 1h/' -e 's/in 14m/in 15m/' \
        -e 's/valid 14m[0-9s]*/valid 15m/' -e 's/serial [0-9][0-9]*/serial 7/' -e 's/^[0-9]* \( *\)user CA/7 \1user CA/' \
        -e 's/\[127\.0\.0\.1\]:[0-9]\{4,5\}/[127.0.0.1]:PORT/g' \
        -e 's/127\.0\.0\.1:[0-9]\{4,5\}/127.0.0.1:PORT/g' -e 's/\b\(Port\|-p\|port\) [0-9]\{4,5\}/\1 PORT/g' "$1" | tr -d '\r'
}
same "$root/out"
same "$root/err" >&2
exit $status
"#;

/// Roles with every kind of rule.
const POLICIES: &str = r#"
[role.db-drop]
groups = ["oncall"]
logins = ["owner"]
targets = ["db1.prod"]
approvals = [{ count = 1, from = "sre" }, { count = 1, from = "security" }]

[role.db-office]
groups = ["oncall"]
logins = ["owner"]
targets = ["web1.prod"]
sources = ["10.0.0.0/8", "192.168.0.0/16"]
approvals = { count = 0 }

[role.db-local]
groups = ["oncall"]
logins = ["local"]
targets = ["web1.prod"]
sources = ["127.0.0.0/8"]
approvals = { count = 0 }
"#;

/// Nobody goes in here, so that the account need not exist.
fn setup() -> Setup {
    Setup {
        login: Some("postgres".to_owned()),
        ..Setup::default()
    }
}

#[test]
fn at_the_ca() -> Result<()> {
    let world = World::with(&setup())?;
    play(&world, "ca")?;
    world.end()
}

#[test]
fn under_policies() -> Result<()> {
    let world = World::with(&Setup {
        extra: POLICIES.to_owned(),
        ..setup()
    })?;
    play(&world, "policy")?;
    world.end()
}

#[test]
fn with_the_program() -> Result<()> {
    let world = World::lay_out(&setup())?;
    play(&world, "hallpass")?;
    world.end_damaged();
    Ok(())
}

/// Runs a directory's transcripts one after the other, since each goes on where the last one ended.
fn play(world: &World, directory: &str) -> Result<()> {
    let command = install(world)?;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("transcripts")
        .join(directory);
    let mut files: Vec<PathBuf> = fs::read_dir(&directory)
        .context(directory.display())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "trycmd")
    });
    files.sort();
    assert!(
        !files.is_empty(),
        "no transcripts in {}",
        directory.display()
    );
    for file in files {
        trycmd::TestCases::new()
            .register_bin("as", command.clone())
            .timeout(std::time::Duration::from_secs(60))
            .case(&file)
            .run();
    }
    Ok(())
}

fn install(world: &World) -> Result<PathBuf> {
    let root = world.root().to_str().unwrap_or_default();
    let text = AS
        .replace("root=ROOT", &format!("root={root}"))
        .replace(
            "SSH -F",
            &format!("{} -F", programs::find("ssh")?.display()),
        )
        .replace(
            "HALLPASS ",
            &format!("{} ", programs::hallpass()?.display()),
        );
    let path = world.root().join("as");
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}
