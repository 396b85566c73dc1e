//! Messages out of their state: before keys are exchanged by a client that writes its packets itself, after that by paramiko,
//! which sends what it is told. Then russh drops what it does not expect, where `sshd` would disconnect.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use hallpass_tests::process::{LIMIT, Live};
use hallpass_tests::{Result, World, ports, programs};

/// Message numbers (RFC 4250 §4.1.2).
const IGNORE: u8 = 2;
const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
const ECDH_INIT: u8 = 30;
const ECDH_REPLY: u8 = 31;

/// How long a side that goes on would need at most to say so.
const PATIENCE: Duration = Duration::from_secs(5);

/// A packet in the clear (RFC 4253 §6).
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let length = u32::try_from(payload.len() + padding + 1).unwrap_or_default();
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap_or_default());
    packet.extend(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

fn string(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or_default();
    [&length.to_be_bytes(), text].concat()
}

/// What we can do (RFC 4253 §7.1); strict key exchange if it says so.
fn kexinit(strict: bool) -> Vec<u8> {
    let more = if strict {
        ",kex-strict-c-v00@openssh.com"
    } else {
        ""
    };
    let kex = format!("curve25519-sha256{more}");
    let both = |name: &'static str| [name, name];
    let mut payload = vec![KEXINIT];
    payload.extend([7; 16]);
    payload.extend(string(kex.as_bytes()));
    payload.extend(string(b"ssh-ed25519"));
    for name in [
        both("aes256-gcm@openssh.com"),
        both("hmac-sha2-256-etm@openssh.com"),
        both("none"),
        both(""),
    ]
    .concat()
    {
        payload.extend(string(name.as_bytes()));
    }
    payload.extend([0; 5]);
    payload
}

/// A point of X25519: its base point, which is as good as any.
fn ecdh_init() -> Vec<u8> {
    let mut point = [0; 32];
    point[0] = 9;
    [&[ECDH_INIT][..], &string(&point)].concat()
}

/// Sends these packets after the first line, and gives the numbers of the messages that come back until the other side
/// closes or falls silent; and whether it has closed.
fn talk(port: u16, payloads: &[Vec<u8>]) -> Result<(Vec<u8>, bool)> {
    let mut stream = TcpStream::connect(ports::address(port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut sent = b"SSH-2.0-OpenSSH_9.9\r\n".to_vec();
    sent.extend(payloads.iter().flat_map(|payload| packet(payload)));
    // Who closes at the first packet need not read the others.
    let _ = stream.write_all(&sent);
    let (mut got, mut closed, mut buffer) = (Vec::new(), false, [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => closed = true,
            Ok(read) => {
                got.extend(buffer.iter().take(read));
                if numbers(&got).contains(&NEWKEYS) {
                    break;
                }
                continue;
            }
            Err(e) => closed = !matches!(e.kind(), std::io::ErrorKind::WouldBlock),
        }
        break;
    }
    Ok((numbers(&got), closed))
}

/// The numbers of the messages behind the first line.
fn numbers(bytes: &[u8]) -> Vec<u8> {
    let line = bytes.iter().position(|&byte| byte == b'\n');
    let mut rest = line.map_or(&[][..], |end| bytes.get(end + 1..).unwrap_or_default());
    let mut numbers = Vec::new();
    while let Some((head, body)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        let Some((packet, after)) = body.split_at_checked(length) else {
            break;
        };
        numbers.extend(packet.get(1));
        rest = after;
    }
    numbers
}

#[test]
fn promise_19_nothing_comes_between_the_messages_of_a_strict_key_exchange() -> Result<()> {
    let world = World::new()?;
    let ignore = vec![IGNORE, 0, 0, 0, 0];
    for port in [world.ca_port, world.bastion_port] {
        for strict in [true, false] {
            let init = || kexinit(strict);
            // In order, either goes through to new keys.
            let (answer, _) = talk(port, &[init(), ecdh_init()])?;
            assert_eq!(answer, [KEXINIT, ECDH_REPLY, NEWKEYS], "{strict}");
            // A message that means nothing, in each place where Terrapin puts one.
            for payloads in [
                [ignore.clone(), init(), ecdh_init()],
                [init(), ignore.clone(), ecdh_init()],
            ] {
                let (answer, closed) = talk(port, &payloads)?;
                let went_on = answer.contains(&ECDH_REPLY);
                assert_eq!((went_on, closed), (!strict, strict), "{answer:?}");
            }
        }
    }
    world.end()
}

#[test]
fn promise_19_a_message_out_of_its_state_ends_a_connection_before_it_has_keys() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let service = [&[5][..], &string(b"ssh-userauth")].concat();
    let login = [
        &[50][..],
        &string(b"root"),
        &string(b"ssh-connection"),
        &string(b"none"),
    ]
    .concat();
    let open = [&[90][..], &string(b"session"), &[0; 12]].concat();
    let data = [&[94, 0, 0, 0, 0][..], &string(b"data")].concat();
    for port in [world.ca_port, world.bastion_port] {
        for (what, payload) in [
            ("a service", service.clone()),
            ("a login", login.clone()),
            ("its success", vec![52]),
            ("a channel", open.clone()),
            ("data", data.clone()),
            ("new keys", vec![NEWKEYS]),
            ("lists again", kexinit(true)),
            ("a reply", [&[ECDH_REPLY][..], &string(b"x")].concat()),
            ("a short point", [&[ECDH_INIT][..], &string(b"x")].concat()),
            ("nothing known", vec![199]),
            ("nothing", Vec::new()),
        ] {
            let (answer, closed) = talk(port, &[kexinit(true), payload, ecdh_init()])?;
            assert!(closed, "{what}: {answer:?}");
            assert!(!answer.contains(&ECDH_REPLY), "{what}: {answer:?}");
        }
    }
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;
    world.end()
}

#[test]
fn promise_19_the_real_ssh_and_both_doors_agree_on_it_and_count_anew() -> Result<()> {
    let (world, _) = World::on_web1()?;
    let door = format!("{}%web1.prod@bastion", world.login);
    let data = vec![b'x'; 1 << 20];
    let args = ["-vvv", "-o", "RekeyLimit=256K", &door, "cat"];
    let at_bastion = world.alice.ssh_with(&args, &data)?.ok()?;
    assert_eq!(at_bastion.stdout.len(), data.len());
    let at_ca = world.alice.ssh(&["-vvv", "ca", "whoami"])?.ok()?;
    for (output, exchanges) in [(at_bastion, 3), (at_ca, 1)] {
        let said = output.err();
        assert!(said.contains("will use strict KEX ordering"), "{said}");
        // With counters that only one side has set back, the next packet would be the last.
        for counter in ["resetting send seqnr", "resetting read seqnr"] {
            let times = said.matches(counter).count();
            assert!(times >= exchanges, "{counter}: {times}");
        }
    }
    world.end()
}

/// What is sent once keys are there: before the login, and after it with a channel open.
const AFTER_KEYS: &str = r#"
import socket, sys, time
import paramiko
from paramiko.message import Message

port, user, key_file = sys.argv[1:]
key = paramiko.Ed25519Key.from_private_key_file(key_file)
key.load_certificate(key_file + "-cert.pub")

def message(*parts):
    m = Message()
    m.add_byte(bytes([parts[0]]))
    for part in parts[1:]:
        {int: m.add_int, bytes: m.add_string, bool: m.add_boolean}[type(part)](part)
    return m

def connect():
    sock = socket.create_connection(("127.0.0.1", int(port)))
    transport = paramiko.Transport(sock)
    transport.start_client(timeout=20)
    return transport

def ends(transport, what):
    end = time.time() + 10
    while transport.is_active() and time.time() < end:
        time.sleep(0.02)
    assert not transport.is_active(), what + ": still there"

before = {
    "a channel": message(90, b"session", 0, 1 << 20, 1 << 15),
    "a global request": message(80, b"tcpip-forward", True, b"127.0.0.1", 0),
    "data": message(94, 0, b"data"),
    "a request": message(98, 0, b"exec", True, b"id"),
    "new keys": message(21),
    "a point": message(30, b"x" * 32),
    "success": message(52),
    "an unknown service": message(5, b"ssh-connection"),
}
for what, sent in before.items():
    transport = connect()
    # The service's answer and what the server says of itself are the last packets that are owed.
    time.sleep(0.3)
    heard = transport.packetizer._Packetizer__sequence_number_in
    transport._send_message(sent)
    time.sleep(0.5)
    if transport.is_active():
        more = transport.packetizer._Packetizer__sequence_number_in - heard
        assert more == 0, "before the login, " + what + " is answered"
    transport.close()

after = {
    "data on a channel that was never opened": message(94, 77, b"data"),
    "other data there": message(95, 77, 1, b"data"),
    "a request there": message(98, 77, b"exec", True, b"id"),
    "a window there": message(93, 77, 1 << 20),
    "its end": message(96, 77),
    "its close": message(97, 77),
    "a confirmation of nothing": message(91, 77, 0, 1 << 20, 1 << 15),
    "a failure of nothing": message(92, 77, 1, b"", b""),
    "new keys": message(21),
    "a point": message(30, b"x" * 32),
    "success": message(52),
}
for what, sent in after.items():
    transport = connect()
    transport.auth_publickey(user, key)
    channel = transport.open_session(timeout=20)
    transport._send_message(sent)
    try:
        channel.exec_command("echo in")
        got = channel.makefile().read()
    except (paramiko.SSHException, EOFError, OSError):
        got = b""
    # Either the connection ends, or the message was nothing, and what follows is whole.
    if not transport.is_active() or got != b"in\n":
        ends(transport, "after the login, " + what)
    transport.close()

# A window that grows beyond 32 bits (RFC 4254 section 5.2).
transport = connect()
transport.auth_publickey(user, key)
channel = transport.open_session(timeout=20)
for _ in range(3):
    transport._send_message(message(93, channel.remote_chanid, 0xFFFFFFFF))
try:
    channel.exec_command("head -c 3000000 /dev/zero | wc -c")
    got = channel.makefile().read()
except (paramiko.SSHException, EOFError, OSError):
    got = b""
assert got in (b"", b"3000000\n"), got
transport.close()
print("all as expected")
"#;

#[test]
fn promise_19_a_message_out_of_its_state_is_not_answered_and_changes_nothing_once_there_are_keys()
-> Result<()> {
    let (world, at) = World::on_web1()?;
    let mut python = Command::new(programs::find("/usr/bin/python3")?);
    python
        .args(["-c", AFTER_KEYS, &world.bastion_port.to_string()])
        .arg(format!("{}%web1.prod", world.login))
        .arg(world.alice.key());
    let output = Live::start(&mut python)?.finish(LIMIT)?;
    output.ok()?.prints("all as expected")?;
    let log = std::fs::read_to_string(world.root().join("bastion.log"))?;
    assert!(!log.contains("panicked"), "{log}");
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;
    world.end()
}
