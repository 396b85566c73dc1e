//! Programs of others at both ends: clients beside OpenSSH's, and servers that are no targets.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT, Live, Service};
use hallpass_tests::world::Setup;
use hallpass_tests::{Output, Result, World, keys, ports, programs};

/// A world in which Alice may move files and run commands on `web1.prod`, which is known by this key, or by its own.
fn world(host_key: Option<&str>) -> Result<(World, String)> {
    let mut world = World::lay_out(&Setup::default())?;
    let text = fs::read_to_string(world.config())?;
    let role = "[role.web-look]\nchannels = [\"shell\", \"exec\", \"sftp\"]\n";
    let mut text = text.replace("[role.web-look]\n", role);
    if let Some(key) = host_key {
        text = text.replace(&keys::public_line(&world.web1.host_key())?, key);
    }
    fs::write(world.config(), text)?;
    world.start_ca()?;
    world.start_bastion()?;
    world.introduce(&world.alice)?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    Ok((world, at))
}

/// Runs one module of the real `ansible` against all that is in its inventory.
fn ansible(world: &World, module: &str, arguments: &str) -> Result<Output> {
    let mut command = world.alice.command("ansible")?;
    command
        .env("ANSIBLE_CONFIG", world.root().join("ansible.cfg"))
        .env("ANSIBLE_NOCOLOR", "1")
        .arg("-i")
        .arg(world.root().join("inventory"))
        .args(["all", "-m", module, "-a", arguments]);
    Live::start(&mut command)?.finish(LIMIT)
}

#[test]
fn ansible_runs_its_modules_and_copies_files_over_one_connection() -> Result<()> {
    let (world, at) = world(None)?;
    let config = world.alice.config();
    let control = world.root().join("control");
    fs::write(
        world.root().join("inventory"),
        format!(
            "web1.prod ansible_user={} ansible_python_interpreter=/usr/bin/python3\n",
            world.login
        ),
    )?;
    fs::write(
        world.root().join("ansible.cfg"),
        format!(
            "[ssh_connection]\npipelining = True\ncontrol_path = {}\n\
             ssh_args = -F {} -J bastion -o ControlMaster=auto -o ControlPersist=20s\n",
            control.display(),
            config.display()
        ),
    )?;
    ansible(&world, "ping", "")?.ok()?.prints("SUCCESS")?;
    ansible(&world, "command", "echo hi there")?
        .ok()?
        .prints("hi there")?;
    let to = world.root().join("copied");
    let copy = format!("src={} dest={}", config.display(), to.display());
    ansible(&world, "copy", &copy)?.ok()?.prints("CHANGED")?;
    assert_eq!(fs::read(&config)?, fs::read(&to)?);
    // A second time there is nothing to do, which only who has looked can say.
    ansible(&world, "copy", &copy)?
        .ok()?
        .prints("\"changed\": false")?;
    ansible(&world, "command", "false")?
        .exits(2)?
        .prints("non-zero")?;
    let control = format!("ControlPath={}", control.display());
    world
        .alice
        .ssh(&["-o", &control, "-O", "exit", &at])?
        .ok()?;
    assert!(world.web1.logins() >= 6, "each command is a session");
    world.end()
}

/// Runs Python with one of the libraries of `PyPI`.
fn libssh2(world: &World, script: &str) -> Result<Output> {
    let mut python = Command::new(programs::find("python3")?);
    python
        .env("PYTHONPATH", programs::SSH2_PYTHON.directory())
        .args(["-c", script, &world.bastion_port.to_string()])
        .arg(format!("{}%web1.prod", world.login))
        .arg(world.alice.key());
    process::run(&mut python)
}

/// libssh2 1.11, as curl and others bring it: a command, and a file over its SFTP.
const LIBSSH2: &str = "
import socket, sys
from ssh2.session import Session
from ssh2.sftp import LIBSSH2_FXF_READ, LIBSSH2_SFTP_S_IRUSR
port, user, key = sys.argv[1:]
session = Session()
session.handshake(socket.create_connection(('127.0.0.1', int(port))))
session.userauth_publickey_fromfile(user, key, '', key + '-cert.pub')
channel = session.open_session()
channel.execute('echo in; exit 5')
size = 1
while size > 0:
    size, part = channel.read()
    print(part.decode(), end='')
channel.close()
channel.wait_closed()
print('status', channel.get_exit_status())
read = b''
with session.sftp_init().open(key + '.pub', LIBSSH2_FXF_READ, LIBSSH2_SFTP_S_IRUSR) as far:
    for size, part in far:
        read += part
assert read == open(key + '.pub', 'rb').read()
print('all as expected')
";

#[test]
fn libssh2_goes_in_with_a_certificate_and_reads_a_file() -> Result<()> {
    programs::SSH2_PYTHON.installed()?;
    let (world, _) = world(None)?;
    libssh2(&world, LIBSSH2)?
        .ok()?
        .prints("in\nstatus 5\nall as expected\n")?;
    world.end()
}

/// A libssh2 of before 1.11 knows neither authenticated ciphers nor encrypt-then-MAC, and no certificate of an Ed25519 key.
#[test]
fn a_curl_that_is_too_old_is_refused_before_it_has_said_who_it_is() -> Result<()> {
    let mut version = Command::new(programs::find("curl")?);
    let version = process::run(version.arg("--version"))?.out();
    if !version.contains("libssh2/1.10.") {
        eprintln!("this curl is another one: {version}");
        return Ok(());
    }
    let (world, _) = world(None)?;
    let mut curl = world.alice.command("curl")?;
    let user = format!("{}%web1.prod:", world.login);
    let url = format!("sftp://127.0.0.1:{}/etc/hostname", world.bastion_port);
    curl.args(["-sS", "--insecure", "-u", &user, "--key"])
        .arg(world.alice.key())
        .arg("--pubkey")
        .arg(world.alice.certificate())
        .arg(url);
    process::run(&mut curl)?
        .exits(2)?
        .says("Unable to exchange encryption keys")?;
    assert_eq!(world.web1.logins(), 0);
    world.end()
}

/// What `ssh` hears of a target that is no OpenSSH.
fn refused(world: &World, at: &str, program: &str) -> Result<()> {
    let output = world.jump(&[at, "true"])?.exits(255)?;
    let said = output.err();
    let line = format!(
        "hallpass: web1.prod runs {program}, which knows no certificates: a target's sshd has to be OpenSSH's"
    );
    let lines: Vec<&str> = said
        .lines()
        .filter(|l| l.starts_with("hallpass: "))
        .collect();
    assert_eq!(lines, [line], "{output}");
    Ok(())
}

#[test]
fn a_dropbear_at_the_target_is_named() -> Result<()> {
    let (mut world, at) = world(None)?;
    world.web1.stop();
    let key = world.root().join("dropbear_key");
    let mut convert = Command::new(programs::find("dropbearconvert")?);
    convert.args(["openssh", "dropbear"]);
    process::run(convert.arg(world.web1.host_key()).arg(&key))?.ok()?;
    let mut dropbear = Command::new(programs::find("dropbear")?);
    let listen = format!("127.0.0.1:{}", world.web1.port);
    dropbear
        .args(["-F", "-E", "-p", &listen, "-P"])
        .arg(world.root().join("dropbear.pid"))
        .arg("-r")
        .arg(&key);
    let log = world.root().join("dropbear.log");
    let mut service = Service::start("dropbear", &mut dropbear, &log)?;
    service.wait_port(world.web1.port, LIMIT)?;
    refused(&world, &at, "Dropbear")?;
    world.end()
}

/// Runs `TinySSH` for each connection, as a super-server does.
fn serve_tinyssh(keys: &Path) -> Result<u16> {
    let port = ports::free()?;
    let listener = TcpListener::bind(ports::address(port))?;
    let (program, keys) = (programs::find("tinysshd")?, keys.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { break };
            let Ok(other) = stream.try_clone() else { break };
            let mut tinysshd = Command::new(&program);
            tinysshd.arg("-v").arg(&keys);
            tinysshd.stdin(Stdio::from(OwnedFd::from(stream)));
            tinysshd.stdout(Stdio::from(OwnedFd::from(other)));
            let _ = tinysshd
                .stderr(Stdio::null())
                .spawn()
                .and_then(|mut child| child.wait());
        }
    });
    Ok(port)
}

#[test]
fn a_tinyssh_at_the_target_is_named() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let keys = directory.path().join("keys");
    let mut make = Command::new(programs::find("tinysshd-makekey")?);
    process::run(make.arg("-q").arg(&keys))?.ok()?;
    let port = serve_tinyssh(&keys)?;
    let mut scan = Command::new(programs::find("ssh-keyscan")?);
    scan.args(["-t", "ed25519", "-p", &port.to_string(), "127.0.0.1"]);
    let line = process::run(&mut scan)?.ok()?.out();
    let key: Vec<&str> = line.split_whitespace().skip(1).take(2).collect();
    let (mut world, _) = world(Some(&key.join(" ")))?;
    world.web1.stop();
    let text = fs::read_to_string(world.config())?;
    let (from, to) = (world.web1.port.to_string(), port.to_string());
    fs::write(world.config(), text.replace(&from, &to))?;
    world.ca()?.signal("HUP")?;
    world.kill_bastion();
    world.start_bastion()?;
    thread::sleep(Duration::from_millis(300));
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    refused(&world, &at, "TinySSH")?;
    world.end()
}
