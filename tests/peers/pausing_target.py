"""A target that says who takes ^S and ^Q, and what it hears of breaks: PORT HOSTKEY CA PRINCIPAL."""

import asyncio
import sys

import asyncssh

port, host_key, ca, principal = sys.argv[1:]


class Session(asyncssh.SSHServerSession):
    def connection_made(self, channel):
        self.channel = channel

    def pty_requested(self, *_):
        return True

    def shell_requested(self):
        return True

    def session_started(self):
        self.channel.set_xon_xoff(True)
        self.channel.write("ready\r\n")

    def break_received(self, _):
        self.channel.write("BREAK\r\n")
        return True

    def data_received(self, data, _):
        if "x" in data:
            self.channel.set_xon_xoff(False)
            self.channel.write("off\r\n")
        if "q" in data:
            self.channel.exit(0)


class Server(asyncssh.SSHServer):
    def session_requested(self):
        return Session()


async def main():
    trusted = asyncssh.import_authorized_keys(f'cert-authority,principals="{principal}" {ca}\n')
    options = dict(server_host_keys=[host_key], authorized_client_keys=trusted, line_editor=False)
    await asyncssh.listen("127.0.0.1", int(port), server_factory=Server, **options)
    await asyncio.sleep(120)


asyncio.run(main())
