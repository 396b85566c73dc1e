"""Goes in with a certificate, runs a command, and moves a file there and back: PORT USER KEY FILE HOSTKEY."""

import asyncio
import sys

import asyncssh

port, user, key_file, noise, shown = sys.argv[1:]


async def main():
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {shown}\n")
    options = dict(username=user, client_keys=[(key_file, key_file + "-cert.pub")], known_hosts=known, config=None)
    async with asyncssh.connect("127.0.0.1", int(port), **options) as connection:
        ran = await connection.run("cat; echo errors >&2; exit 7", input="there and back\n")
        assert (ran.stdout, ran.stderr, ran.exit_status) == ("there and back\n", "errors\n", 7), ran
        async with connection.create_process("cat") as process:
            process.send_signal("USR1")
            process.stdin.write("after a signal")
            process.stdin.write_eof()
            assert await process.stdout.read() == "after a signal"
        async with connection.start_sftp_client() as files:
            await files.put(noise, noise + ".far")
            await files.get(noise + ".far", noise + ".back")
            await files.remove(noise + ".far")
    assert open(noise, "rb").read() == open(noise + ".back", "rb").read()
    print("all as expected")


asyncio.run(asyncio.wait_for(main(), 50))
