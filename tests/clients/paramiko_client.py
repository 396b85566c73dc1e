"""Goes in with a certificate, runs a command, and moves a file there and back: PORT USER KEY FILE HOSTKEY."""

import base64
import os
import sys

import paramiko

port, user, key_file, noise, shown = sys.argv[1:]
key = paramiko.Ed25519Key.from_private_key_file(key_file)
key.load_certificate(key_file + "-cert.pub")
host_key = paramiko.Ed25519Key(data=base64.b64decode(shown.split()[1]))

client = paramiko.SSHClient()
client.get_host_keys().add(f"[127.0.0.1]:{port}", "ssh-ed25519", host_key)
client.connect("127.0.0.1", int(port), user, pkey=key, allow_agent=False, look_for_keys=False, timeout=30)

stdin, stdout, stderr = client.exec_command("cat; echo errors >&2; exit 7")
stdin.write("there and back\n")
stdin.channel.shutdown_write()
assert stdout.read() == b"there and back\n"
assert stderr.read() == b"errors\n"
assert stdout.channel.recv_exit_status() == 7

files = client.open_sftp()
files.put(noise, noise + ".far")
files.get(noise + ".far", noise + ".back")
assert open(noise, "rb").read() == open(noise + ".back", "rb").read()
files.remove(noise + ".far")
assert not os.path.exists(noise + ".far")
client.close()
print("all as expected")
