//! OpenSSH's rules of certificates (`ssh-keygen(1)` CERTIFICATES, `sshd_config(5)`): the bastion judges hostile certificates as a
//! real `sshd` does, or more strictly for a reason.

use std::path::Path;

use hallpass_tests::keys::{self, Certificate};
use hallpass_tests::{Result, World};

/// What one judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    In,
    Out,
}

use Judged::{In, Out};

/// A certificate, what `sshd` makes of it, and what the bastion does; where they differ, the bastion is the stricter one.
struct Case<'a> {
    name: &'a str,
    says: Certificate<'a>,
    sshd: Judged,
    bastion: Judged,
}

fn cases<'a>(at: &'a str, two: &'a str) -> Vec<Case<'a>> {
    let right = Certificate {
        principals: at,
        serial: 1,
        ..Certificate::default()
    };
    let with = |name, sshd, bastion, change: &dyn Fn(&mut Certificate<'a>)| {
        let mut says = right.clone();
        change(&mut says);
        Case {
            name,
            says,
            sshd,
            bastion,
        }
    };
    vec![
        with("right", In, In, &|_| {}),
        with("no serial", In, In, &|c| c.serial = 0),
        with("for ever", In, In, &|c| c.window = "always:forever"),
        with("empty key id", In, In, &|c| c.id = ""),
        with("no principal", Out, Out, &|c| c.principals = ""),
        with("the login alone", Out, Out, &|c| c.principals = "root"),
        with("a wildcard", Out, Out, &|c| c.principals = "*@web1.prod"),
        with("everything", Out, Out, &|c| c.principals = "*"),
        with("expired", Out, Out, &|c| c.window = "-10m:-5m"),
        with("not yet", Out, Out, &|c| c.window = "+5m:+10m"),
        with("host type", Out, Out, &|c| c.host = true),
        with("from here", In, In, &|c| {
            c.options = &["source-address=127.0.0.0/8"];
        }),
        with("from here or there", In, In, &|c| {
            c.options = &["source-address=192.0.2.0/24,127.0.0.1/32"];
        }),
        with("from there", Out, Out, &|c| {
            c.options = &["source-address=192.0.2.0/24"];
        }),
        with("from an address that is none", Out, Out, &|c| {
            c.options = &["critical:source-address=xxxxx"];
        }),
        with("from no address", Out, Out, &|c| {
            c.options = &["critical:source-address="];
        }),
        with("one command", In, In, &|c| {
            c.options = &["force-command=echo in"];
        }),
        with("an unknown critical option", Out, Out, &|c| {
            c.options = &["critical:unknown@example=yes"];
        }),
        with("an unknown extension", In, In, &|c| {
            c.options = &["extension:unknown@example=yes"];
        }),
        // `sshd` asks it of tokens alone; the bastion cannot see a login's PIN, and lets nobody in who should give one.
        with("verify-required without a token", In, Out, &|c| {
            c.options = &["verify-required"];
        }),
        with("no extension", In, In, &|c| c.options = &["clear"]),
        // One name among others: `sshd` looks for its own; ours are for one way in, each well-formed.
        with("a name that is no way in", In, Out, &|c| {
            c.principals = two;
        }),
    ]
}

/// Whether Alice gets into the target's own `sshd` with the certificate that lies beside her key.
fn by_sshd(world: &World) -> Result<Judged> {
    let (port, to) = (
        world.web1.port.to_string(),
        format!("{}@127.0.0.1", world.login),
    );
    let output = world.alice.ssh(&[
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-p",
        &port,
        &to,
        "echo in",
    ])?;
    Ok(if output.status == 0 { In } else { Out })
}

/// Whether the bastion's own checks let the certificate pass: then only the CA's log refuses it, which holds no such one.
fn by_bastion(world: &mut World, at: &str) -> Result<(Judged, String)> {
    let before = world.bastion()?.log().len();
    let output = world.jump(&[at, "echo in"])?;
    assert_ne!(output.status, 0, "nobody issued it: {output}");
    let log = world.bastion()?.log();
    let told = format!("{}{}", output.err(), log.get(before..).unwrap_or_default());
    let passed = told.contains("this CA never issued it");
    Ok((if passed { In } else { Out }, told))
}

#[test]
fn promise_25_the_bastion_judges_as_sshd_does_or_more_strictly() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let (user_ca, session_ca) = (world.ca_key("user"), world.ca_key("session"));
    let key = world.alice.key();
    let mut differ = 0;
    let two = format!("{at},not-a-way-in");
    for case in cases(&at, &two) {
        let certify = |ca: &Path| keys::certify(ca, &key, &case.says).map(drop);
        certify(&session_ca)?;
        assert_eq!(by_sshd(&world)?, case.sshd, "sshd: {}", case.name);
        certify(&user_ca)?;
        let (judged, told) = by_bastion(&mut world, &at)?;
        assert_eq!(judged, case.bastion, "bastion: {}\n{told}", case.name);
        assert!(
            judged == Out || case.sshd == In,
            "{}: wider than sshd",
            case.name
        );
        differ += u32::from(judged != case.sshd);
    }
    assert_eq!(differ, 2, "cases in which the bastion is stricter");
    world.end()
}
