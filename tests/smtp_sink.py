"""A mail server of a few lines, on a real port: it takes mails, refuses them, or waits, as a test tells it."""

import contextlib
import email
import socketserver
import threading
from collections.abc import Callable
from email.message import Message


class SmtpSink:
    """`refusals` maps an address to the reply to it, `at` a moment (connected | taken) to what happens then.

    `taken` is the moment at which the mail is here and the sender does not know yet.
    """

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.refusals: dict[str, str] = {}
        self.at: dict[str, Callable[[], object]] = {}
        self.connections = 0
        self.port = 0
        self._server: socketserver.ThreadingTCPServer | None = None

    def start(self) -> None:
        sink = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):  # whoever sends may be killed at any moment
                    sink._talk(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), Session)
        self.port = self._server.server_address[1]  # the same one after every start
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _talk(self, session: socketserver.StreamRequestHandler) -> None:
        def say(reply: str) -> None:
            session.wfile.write(f"{reply}\r\n".encode())

        self.connections += 1
        self._reached("connected")
        say("220 here")
        while line := session.rfile.readline().decode():
            match line[:4].upper():
                case "RCPT":
                    address = line.partition("<")[2].partition(">")[0]
                    say(self.refusals.get(address, "250 fine"))
                case "DATA":
                    say("354 go on")
                    mail = b"".join(iter(session.rfile.readline, b".\r\n"))
                    self.mails.append(email.message_from_bytes(mail))
                    self._reached("taken")
                    say("250 taken")
                case "QUIT":
                    say("221 bye")
                    return
                case _:
                    say("250 fine")

    def _reached(self, moment: str) -> None:
        self.at.get(moment, lambda: None)()
