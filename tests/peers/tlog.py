"""Reads a published log (C2SP tlog-tiles) with nothing of Hallpass: hashlib, and openssl for signatures.

    tlog.py DIR [--follow] VKEY [WITNESS-VKEY…]

Checks the note's signature and the witnesses' cosignatures, every tile, and the root that follows from the
entries; then prints the entries, one a line. With --follow the note has to be signed by the key to which the
log itself leads from VKEY: each key of the log vouches for the next, as ssh-keygen says.
"""

import base64
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile


def die(why):
    sys.exit("tlog.py: " + why)


def path(kind, index, width):
    groups = ["%03d" % (index % 1000)]
    index //= 1000
    while index:
        groups.insert(0, "x%03d" % (index % 1000))
        index //= 1000
    partial = "" if width == 256 else ".p/%d" % width
    return os.path.join("tile", str(kind), *groups) + partial


def read(root, name):
    with open(os.path.join(root, name), "rb") as file:
        return file.read()


def verifies(key, message, signature):
    with tempfile.TemporaryDirectory() as directory:
        names = [os.path.join(directory, name) for name in ("key", "message", "signature")]
        der = bytes.fromhex("302a300506032b6570032100") + key
        for name, data in zip(names, (der, message, signature)):
            with open(name, "wb") as file:
                file.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", names[0]]
        command += ["-rawin", "-in", names[1], "-sigfile", names[2]]
        return subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0


def signed(note, vkey):
    """Whether the key has signed the note; of a cosignature, over its time too."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    if hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id:
        die("the vkey's id is not its own")
    body, lines = note.rsplit(b"\n\n", 1)
    body += b"\n"
    for line in lines.decode().splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if dash != "\u2014" or signer != name or blob[:4].hex() != key_id:
            continue
        if key[0] == 1:
            return verifies(key[1:], body, blob[4:])
        time = struct.unpack(">Q", blob[4:12])[0]
        message = b"cosignature/v1\ntime %d\n" % time + body
        return key[0] == 4 and verifies(key[1:], message, blob[12:])
    return False


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def root_of(hashes):
    """RFC 6962, section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\1" + root_of(hashes[:k]) + root_of(hashes[k:])).digest()


def ssh_line(key):
    """An Ed25519 key as OpenSSH writes it."""
    parts = (b"ssh-ed25519", key)
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def vouched(before, step):
    """Whether the key before has signed this step, by ssh-keygen."""
    text = "hallpass log key v1\nbefore: %s\nstep: %s\nkey: %s\n" % (before, step["step"], step["key"])
    with tempfile.TemporaryDirectory() as directory:
        signers, signature = (os.path.join(directory, name) for name in ("signers", "signature"))
        with open(signers, "w") as file:
            file.write("log " + before + "\n")
        with open(signature, "w") as file:
            file.write(step.get("vouch", ""))
        command = ["ssh-keygen", "-Y", "verify", "-I", "log", "-n", "log-key@hallpass"]
        command += ["-f", signers, "-s", signature]
        run = subprocess.run(command, input=text.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return run.returncode == 0


def follow(entries, vkey):
    """The vkey of the log's newest key, if the one that is known leads to it."""
    name, _, key = vkey.split("+", 2)
    known = ssh_line(base64.b64decode(key)[1:])
    current, announced, reached = None, set(), False
    for entry in entries:
        steps = json.loads(entry)["entry"]
        steps = steps.get("keys", {}).get("steps", []) if isinstance(steps, dict) else []
        for step in steps:
            if step["name"] != "log" or step["step"] == "retired":
                continue
            if current is not None and not vouched(current, step):
                die("a key of the log that the one before has not signed: " + step["key"])
            if step["step"] == "announced":
                announced.add(step["key"])
                continue
            if current is not None and step["key"] not in announced:
                die("a key of the log that was not announced: " + step["key"])
            current = step["key"]
            reached = reached or current == known
    if not reached:
        die("the log never had the key " + known)
    blob = base64.b64decode(current.split(" ")[1])
    key = b"\x01" + blob[-32:]
    key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex()
    return "%s+%s+%s" % (name, key_id, base64.b64encode(key).decode())


def main(root, *vkeys):
    note = read(root, "checkpoint")
    following = vkeys[0] == "--follow"
    if following:
        known, *vkeys = vkeys[1:]
    for vkey in vkeys:
        if not signed(note, vkey):
            die("not signed by " + vkey)
    origin, size, claimed = note.decode().split("\n")[:3]
    size = int(size)
    entries = []
    while len(entries) < size:
        width = min(256, size - len(entries))
        bundle = read(root, path("entries", len(entries) // 256, width))
        for _ in range(width):
            length = struct.unpack(">H", bundle[:2])[0]
            entries.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
        if bundle:
            die("a bundle has more than it should")
    if following and not signed(note, follow(entries, known)):
        die("not signed by the key to which the log leads from " + known)
    hashes = [leaf(entry) for entry in entries]
    if base64.b64encode(root_of(hashes)).decode() != claimed:
        die("the root is not that of the entries")
    level = 0
    while hashes:
        above = []
        for at in range(0, len(hashes), 256):
            part = hashes[at : at + 256]
            if read(root, path(level, at // 256, len(part))) != b"".join(part):
                die("a tile of level %d is not that of the entries" % level)
            if len(part) == 256:
                above.append(root_of(part))
        hashes, level = above, level + 1
    for entry in entries:
        print(entry.decode())


main(*sys.argv[1:])
