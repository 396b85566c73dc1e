"""A reviewer whose program does what `ssh` never does: it takes nothing, or its terminal has another size from one moment to the next."""

import re
import socket
import sys
import time

import paramiko

port, alice, alice_key, bob_key, what = sys.argv[1:]


def login(user, key_file):
    key = paramiko.Ed25519Key.from_private_key_file(key_file)
    key.load_certificate(key_file + "-cert.pub")
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", int(port))))
    transport.start_client(timeout=20)
    transport.auth_publickey(user, key)
    return transport


def until(what, met, limit=30.0):
    end = time.time() + limit
    while not met():
        assert time.time() < end, "not in time: " + what
        time.sleep(0.02)


class Heard:
    """What a channel has said so far."""

    def __init__(self, channel):
        self.channel, self.text = channel, ""

    def says(self, words):
        while self.channel.recv_ready():
            self.text += self.channel.recv(65536).decode("utf-8", "replace")
        return words in self.text

    def clear(self):
        self.says("")
        self.text = ""


def session(command, cols, rows):
    channel = login(alice, alice_key).open_session(timeout=20)
    channel.get_pty("xterm-256color", cols, rows)
    channel.exec_command(command)
    heard = Heard(channel)
    until("the session begins", lambda: heard.says("started"))
    return channel, heard


reviewer = login("review", bob_key)


def newest():
    channel = reviewer.open_session(timeout=20)
    channel.exec_command("ls --live")
    return channel.makefile().read().decode().splitlines()[1][:26]


def look_on(cols, rows, window=1 << 21):
    channel = reviewer.open_session(window_size=window, timeout=20)
    channel.get_pty("xterm-256color", cols, rows)
    channel.exec_command("watch " + newest())
    return channel, Heard(channel)


def slow():
    noise = "head -c 1200 /dev/urandom | base64 -w 0"
    loop = "n=0; while [ $n -lt 2000 ]; do n=$((n+1)); printf '\\033[H'; %s; echo; echo tick-$n; sleep 0.05; done"
    running, heard = session("stty -echo; echo started; " + loop % noise, 80, 24)
    stalled, _ = look_on(80, 24, window=1 << 15)
    other, seen = look_on(80, 24)
    until("others see it", lambda: seen.says("tick"))
    begin = time.time()
    ticks = lambda: len(set(re.findall(r"tick-(\d+)", heard.text)))
    # A window of 32 KiB is full within seconds; ten seconds later nobody waits any more.
    while not stalled.exit_status_ready():
        assert time.time() - begin < 40, "still there"
        heard.says(""), seen.clear()
        time.sleep(0.05)
    took, passed = time.time() - begin, ticks()
    assert took > 9, took
    assert stalled.recv_exit_status() == 1, stalled.recv_exit_status()
    said = stalled.recv_stderr(4096).decode() if stalled.recv_stderr_ready() else ""
    # The session has not stood still, and who takes what they are shown sees it still.
    heard.clear(), seen.clear()
    until("the session goes on", lambda: heard.says("tick-"), 2)
    until("others see it still", lambda: seen.says("") or len(seen.text) > 500, 2)
    assert passed > 4 * took, "%d ticks in %.1f s" % (passed, took)
    print("dropped after %.1f s, %d ticks: %s" % (took, passed, said.strip()))


def resized():
    loop = "while read x; do stty size; printf '\\033[2J\\033[38;120H%s\\033[1;1H' far-$x; done"
    running, heard = session("stty -echo; echo started; " + loop, 80, 24)
    watching, seen = look_on(140, 45)
    until("it is seen", lambda: seen.says("started"))
    running.send("one\n")
    until("the first size", lambda: heard.says("24 80"))
    # The person's terminal grows: what stands beyond its old size is seen where it stands.
    running.resize_pty(132, 40)
    seen.clear()
    running.send("two\n")
    until("the new size", lambda: heard.says("40 132"))
    until("it is seen where it stands", lambda: seen.says("far-two"))
    rows = [int(row) for row in re.findall(r"\x1b\[(\d+);\d+H", seen.text)]
    assert 38 in rows or 39 in rows, rows
    # The watcher's own gets small: nothing is drawn outside of it.
    watching.resize_pty(50, 12)
    time.sleep(0.5)
    seen.clear()
    running.send("three\n")
    until("the session has heard it", lambda: heard.says("far-three"))
    time.sleep(0.5)
    seen.says("")
    places = [(int(row), int(col)) for row, col in re.findall(r"\x1b\[(\d+);(\d+)H", seen.text)]
    assert places, repr(seen.text)
    assert all(row <= 12 and col <= 50 for row, col in places), places
    watching.send("q")
    assert watching.recv_exit_status() == 0
    assert not running.exit_status_ready()
    print("as it is")


{"slow": slow, "resized": resized}[what]()
