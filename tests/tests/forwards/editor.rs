//! The way of editors that work on a target: `ssh -T` runs a shell, a script on its standard input starts a server there,
//! and the editor reaches that server through a proxy, or a socket, of the same `ssh`.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use hallpass_tests::process::{LIMIT, Live};
use hallpass_tests::{Failure, Result, World, ports};

use super::{asks, channels, is_told, lines, listens, world};

/// A server on a target that says where it listens, answers one connection in capitals, and ends.
const SERVER: &str = r#"
cat > "$HALLPASS_TEST.py" <<'END'
import os, socket, sys
if sys.argv[1] == "port":
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    place = server.getsockname()[1]
else:
    server = socket.socket(socket.AF_UNIX)
    server.bind(sys.argv[1])
    place = sys.argv[1]
server.listen()
print("listeningOn==%s==" % place, flush=True)
peer, _ = server.accept()
whole = b""
while piece := peer.recv(4096):
    whole += piece
peer.sendall(whole.upper())
END
echo "uname==$(uname -s)=="
/usr/bin/python3 "$HALLPASS_TEST.py" "$HALLPASS_LISTEN" &
wait
rm -f "$HALLPASS_TEST.py"
echo "exitCode==0=="
"#;

/// An `ssh -T … bash` with these flags, whose server listens at this place; gives where it says that it does.
fn edits(world: &World, at: &str, flags: &[&str], listen: &str) -> Result<(Live, String)> {
    let args = [&["-T", "-v", "-J", "bastion"], flags, &[at, "bash"]].concat();
    let mut live = world.alice.ssh_live(&args)?;
    let file = world.root().join("server").display().to_string();
    live.send(format!(
        "HALLPASS_TEST={file}; HALLPASS_LISTEN={listen}\n{SERVER}exit\n"
    ))?;
    live.wait_out("listeningOn==", LIMIT)?;
    live.wait_out("==\n", LIMIT)?;
    let out = live.out();
    let said = out.split("listeningOn==").nth(1);
    let place = said.and_then(|said| said.split("==").next());
    let place = place.ok_or_else(|| Failure::new(format!("no place in {out}")))?;
    Ok((live, place.to_owned()))
}

/// Asks a SOCKS 5 proxy (RFC 1928) for a port of the target; gives the connection, if there is one. `ssh` says no by hanging up.
fn through(proxy: u16, port: u16) -> Result<Option<TcpStream>> {
    let mut socks = TcpStream::connect(ports::address(proxy))?;
    socks.set_read_timeout(Some(LIMIT))?;
    socks.write_all(&[5, 1, 0])?;
    socks.read_exact(&mut [0; 2])?;
    let [high, low] = port.to_be_bytes();
    socks.write_all(&[5, 1, 0, 1, 127, 0, 0, 1, high, low])?;
    let mut answer = [0; 10];
    match socks.read_exact(&mut answer) {
        Ok(()) if answer[1] == 0 => Ok(Some(socks)),
        Ok(()) => Ok(None),
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The recording of the shell has the script, what it printed, and the command.
fn shell_is_told(path: &Path, place: &str) -> Result<()> {
    let (header, events) = lines(path)?;
    assert_eq!(header["hallpass"]["kind"], "exec");
    assert_eq!(header["hallpass"]["command"], "bash");
    let all: String = events.iter().map(|(_, data)| data.as_str()).collect();
    for part in ["server.listen()", "uname==Linux==", place, "exitCode==0=="] {
        assert!(all.contains(part), "{part} in {all}");
    }
    Ok(())
}

#[test]
fn promise_10_an_editor_starts_a_server_on_the_target_and_reaches_its_port() -> Result<()> {
    let words = channels("\"exec\", \"forward\"", "forward-to = [\"127.0.0.1:*\"]");
    let (world, at) = world(&words)?;
    let proxy = ports::free()?;
    let (mut live, port) = edits(&world, &at, &["-D", &proxy.to_string()], "port")?;
    listens(&mut live, proxy)?;
    let port: u16 = port.parse().unwrap();
    let socks = through(proxy, port)?.ok_or_else(|| Failure::new(live.err()))?;
    assert_eq!(asks(socks, b"open folder")?, b"OPEN FOLDER");
    live.finish(LIMIT)?.ok()?.prints("exitCode==0==")?;
    let recordings = world.wait_finished(2, LIMIT)?;
    shell_is_told(&recordings[0], &format!("listeningOn=={port}=="))?;
    let to = format!("127.0.0.1:{port}");
    is_told(
        &recordings[1],
        "direct-tcpip",
        &to,
        b"open folder",
        b"OPEN FOLDER",
    )?;
    world.end()
}

#[test]
fn promise_10_an_editor_starts_a_server_on_the_target_and_reaches_its_socket() -> Result<()> {
    let there = tempfile::Builder::new().prefix("hp-").tempdir_in("/tmp")?;
    let far = there.path().join("far.sock").display().to_string();
    let near = there.path().join("near.sock").display().to_string();
    let words = channels("\"exec\", \"forward\"", "forward-to = [\"/tmp/*\"]");
    let (world, at) = world(&words)?;
    let (live, place) = edits(&world, &at, &["-L", &format!("{near}:{far}")], &far)?;
    assert_eq!(place, far);
    let mut stream = UnixStream::connect(&near)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"open folder")?;
    stream.shutdown(Shutdown::Write)?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    assert_eq!(all, b"OPEN FOLDER");
    live.finish(LIMIT)?.ok()?;
    let recordings = world.wait_finished(2, LIMIT)?;
    shell_is_told(&recordings[0], &format!("listeningOn=={far}=="))?;
    let channel = "direct-streamlocal@openssh.com";
    is_told(
        &recordings[1],
        channel,
        &far,
        b"open folder",
        b"OPEN FOLDER",
    )?;
    world.end()
}

#[test]
fn promise_10_an_editor_whose_role_forwards_nothing_is_refused_by_name_and_keeps_its_shell()
-> Result<()> {
    let (world, at) = world(&channels("\"exec\"", ""))?;
    let proxy = ports::free()?;
    let (mut live, port) = edits(&world, &at, &["-D", &proxy.to_string()], "port")?;
    listens(&mut live, proxy)?;
    let port: u16 = port.parse().unwrap();
    assert!(through(proxy, port)?.is_none());
    live.wait_err(
        "open failed: administratively prohibited: hallpass: forwarding a port is not carried",
        LIMIT,
    )?;
    assert!(live.runs(), "the shell goes on");
    // The server, asked by somebody on the target itself, ends.
    let direct = TcpStream::connect(ports::address(port))?;
    assert_eq!(asks(direct, b"direct")?, b"DIRECT");
    live.finish(LIMIT)?.ok()?;
    let recordings = world.wait_finished(1, LIMIT)?;
    assert_eq!(recordings.len(), 1);
    shell_is_told(&recordings[0], &format!("listeningOn=={port}=="))?;
    world.end()
}
