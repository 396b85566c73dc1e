"""A service that takes alerts: another hand's HTTP and HMAC. What it takes goes to `heard`, what it turns away to `refused`."""

import hashlib
import hmac
import http.server
import json
import os
import sys

here, port = sys.argv[1], int(sys.argv[2])


def path(name):
    return os.path.join(here, name)


class Hook(http.server.BaseHTTPRequestHandler):
    def refuse(self, status, why):
        with open(path("refused"), "a") as file:
            file.write("%d %s\n" % (status, why))
        self.send_error(status)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        secret = open(path("secret"), "rb").read().strip()
        good = hmac.new(secret, b"hallpass-alert-v1\n" + body, hashlib.sha256).hexdigest()
        alert = json.loads(body)
        if self.path != "/alerts?from=hallpass":
            return self.refuse(404, self.path)
        if not hmac.compare_digest(good, self.headers.get("Hallpass-Mac", "")):
            return self.refuse(403, "mac")
        if self.headers["Hallpass-Id"] != alert["id"] or self.headers["Hallpass-Event"] not in alert["event"]:
            return self.refuse(400, "headers")
        if open(path("mode")).read() == "busy":
            return self.refuse(503, alert["id"])
        with open(path("heard"), "a") as file:
            file.write(body.decode() + "\n")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Hook).serve_forever()
