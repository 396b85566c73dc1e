#!/usr/bin/env python3
"""Opens the content key of a recording that several open together, by record/FORMAT.md and with nothing of Hallpass.

usage: join.py RECORDING IDENTITY...     prints the key's commitment, to be held against the statement's
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile


def frames(data):
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at + 8 : at + 8 + size]
        at += 8 + size


def times(a, b):
    """The product in GF(256) with x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def inverse(a):
    result = 1
    for _ in range(254):
        result = times(result, a)
    return result


def at_zero(shares):
    """Lagrange's interpolation of each byte's polynomial, at zero."""
    key = []
    for byte in range(32):
        total = 0
        for x, y in shares.items():
            part = y[byte]
            for other in shares:
                if other != x:
                    part = times(part, times(other, inverse(other ^ x)))
            total ^= part
        key.append(total)
    return bytes(key)


def held(wrapped, identities):
    with tempfile.NamedTemporaryFile() as file:
        file.write(base64.b64decode(wrapped["age"]))
        file.flush()
        for identity in identities:
            done = subprocess.run(["age", "-d", "-i", identity, file.name], capture_output=True)
            if done.returncode == 0:
                return done.stdout
    return None


recording, *identities = sys.argv[1:]
with open(recording, "rb") as file:
    _, keys, first, *_ = frames(file.read())
keys = json.loads(keys)
opened = [share for share in (held(one, identities) for one in keys["shares"]) if share]
shares = {share[0]: share[1:] for share in opened}
if len(shares) < keys["threshold"]:
    sys.exit(f"{len(shares)} of {keys['threshold']} shares")
statement = json.loads(first.split(b"\n", 1)[0])["statement"]
told = f"hallpass content key 1\n{statement['session']}\n".encode()
commitment = "sha256:" + hashlib.sha256(told + at_zero(shares)).hexdigest()
print(commitment == statement["commitment"], commitment)
