"""Hears who takes ^S and ^Q, and sends breaks, which nobody takes: PORT USER KEY HOSTKEY."""

import asyncio
import sys

import asyncssh
from asyncssh.packet import UInt32

port, user, key_file, shown = sys.argv[1:]


class Session(asyncssh.SSHClientSession):
    def __init__(self):
        self.said, self.asked = "", []

    def data_received(self, data, _):
        self.said += data

    def xon_xoff_requested(self, may):
        self.asked.append((may, self.said.count("\n")))

    async def until(self, word):
        while word not in self.said:
            await asyncio.sleep(0.02)


async def main():
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {shown}\n")
    options = dict(username=user, client_keys=[(key_file, key_file + "-cert.pub")], known_hosts=known, config=None)
    async with asyncssh.connect("127.0.0.1", int(port), **options) as connection:
        channel, session = await connection.create_session(Session, term_type="xterm")
        await session.until("ready")
        assert [may for may, _ in session.asked] == [True], session.asked
        # Asked for an answer, it is a no, and the session goes on; an answer that nobody wants is not given.
        assert await channel._make_request(b"break", UInt32(500)) is False
        channel.send_break(500)
        # A name of any other request stands escaped in the log, if at all.
        assert await channel._make_request(b"break\n2026-11-22T00:00:00Z  INFO forged\x1b[2J") is False
        channel.write("x")
        await session.until("off")
        assert [may for may, _ in session.asked] == [True, False], session.asked
        channel.write("q")
        await channel.wait_closed()
        assert channel.get_exit_status() == 0
        assert "BREAK" not in session.said, session.said
    print("all as expected")


asyncio.run(asyncio.wait_for(main(), 50))
