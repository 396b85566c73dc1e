"""Behind the key exchange: what a client says until it has logged in, mutated. Says how many messages it has sent."""

import random
import socket
import sys
import threading
import time

import paramiko
from paramiko.message import Message

port, user, key_file, connections = sys.argv[1:]
key = paramiko.Ed25519Key.from_private_key_file(key_file)
key.load_certificate(key_file + "-cert.pub")


class Tap(paramiko.Transport):
    """Keeps what it sends once there are keys."""

    said = None

    def _send_message(self, data):
        if self.said is not None:
            self.said.append(data.asbytes())
        paramiko.Transport._send_message(self, data)


def connect():
    sock = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
    transport = Tap(sock)
    transport.start_client(timeout=20)
    return transport


def lengthened(payload, draw):
    """One of the texts of a request to log in, as long as a text may be."""
    texts, rest = [], payload[1:]
    while len(texts) < 3:
        length = int.from_bytes(rest[:4], "big")
        texts.append(rest[4:4 + length])
        rest = rest[4 + length:]
    texts[draw.randrange(3)] = bytes([draw.randrange(256)]) * draw.choice([0, 256, 4000, 30000])
    return payload[:1] + b"".join(len(text).to_bytes(4, "big") + text for text in texts) + rest


def mutated(payload, draw):
    if payload[0] == 50 and draw.randrange(4) == 0:
        return lengthened(payload, draw)
    data = bytearray(payload)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(data))
        end = min(at + draw.randint(1, 64), len(data))
        kind = draw.randrange(6)
        if kind == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at:end] = b"\xff" * (end - at)
        elif kind == 2:
            data[at:end] = bytes(end - at)
        elif kind == 3:
            del data[at + 1:]
        elif kind == 4:
            del data[at:end]
        else:
            to = draw.randrange(len(data))
            data[to:to] = data[at:end]
        if not data:
            data.append(draw.randrange(256))
    # As long as a packet may be, now and then.
    if draw.randrange(20) == 0:
        data += bytes(draw.choice([20000, 32000, 200000]))
    return bytes(data)


good = connect()
good.said = []
good.auth_publickey(user, key)
said = [payload for payload in good.said if payload[0] in (5, 50)]
good.close()
assert len(said) >= 2, said
# What asks whether a key would do (RFC 4252 section 7), and what asks what there is (section 5.2).
for method in (b"publickey", b"none", b"password", b"keyboard-interactive"):
    ask = Message()
    ask.add_byte(b"\x32")
    for text in (user.encode(), b"ssh-connection", method):
        ask.add_string(text)
    if method == b"publickey":
        ask.add_boolean(False)
        ask.add_string(key.public_blob.key_type)
        ask.add_string(key.public_blob.key_blob)
    elif method == b"password":
        ask.add_boolean(False)
        ask.add_string("secret")
    elif method == b"keyboard-interactive":
        ask.add_string("")
        ask.add_string("")
    said.append(ask.asbytes())
sent = [0] * 4


def throw(seed):
    draw = random.Random(seed)
    for _ in range(int(connections) // len(sent)):
        try:
            transport = connect()
            # The service comes first, or not.
            if draw.randrange(5):
                transport._send_message(Message(said[0]))
            for _ in range(draw.randint(1, 8)):
                transport._send_message(Message(mutated(draw.choice(said), draw)))
                sent[seed] += 1
            end = time.time() + 0.2
            while transport.is_active() and time.time() < end:
                time.sleep(0.01)
            assert not transport.is_authenticated()
            transport.close()
        except (paramiko.SSHException, EOFError, OSError):
            pass


threads = [threading.Thread(target=throw, args=(seed,)) for seed in range(len(sent))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(sent))
