"""An IMAP server of a few lines, on a real port: what a mailbox program needs (RFC 3501, UIDPLUS and MOVE by wish)."""

import contextlib
import re
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Stored:
    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


class ImapServer:
    """`at` maps a moment (a command's name, such as FETCH or STORE) to what happens before it is carried out."""

    def __init__(self, *, can_move: bool = True) -> None:
        self.folders: dict[str, list[Stored]] = {"INBOX": [], "Archive": []}
        self.password = "open sesame"
        self.validity = 7
        self.can_move = can_move
        self.at: dict[str, Callable[[str], object]] = {}
        self.commands: list[str] = []
        self._next_uid = 1
        self.port = 0

    @property
    def url(self) -> str:
        return f"imap://help@127.0.0.1:{self.port}/INBOX"

    def deliver(self, raw: bytes, folder: str = "INBOX") -> Stored:
        stored = Stored(self._next_uid, raw)
        self._next_uid += 1
        self.folders[folder].append(stored)
        return stored

    def start(self) -> None:
        server = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    server._talk(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", self.port), Session)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _talk(self, session: socketserver.StreamRequestHandler) -> None:
        def say(*lines: bytes | str) -> None:
            for line in lines:
                session.wfile.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

        folder = ""
        say("* OK here")
        while line := session.rfile.readline().decode().strip():
            tag, _blank, rest = line.partition(" ")
            is_uid = rest.upper().startswith("UID ")
            name, _blank, arguments = rest[4 if is_uid else 0 :].partition(" ")
            self.commands.append(f"{name.upper()} {arguments}" if name.upper() != "LOGIN" else "LOGIN")
            self.at.get(name.upper(), lambda _arguments: None)(arguments)
            match name.upper():
                case "CAPABILITY":
                    say(f"* CAPABILITY IMAP4REV1{' MOVE UIDPLUS' if self.can_move else ''}", f"{tag} OK done")
                case "LOGIN":
                    ok = f'"{self.password}"' in arguments
                    say(f"{tag} {'OK in' if ok else 'NO [AUTHENTICATIONFAILED] wrong password'}")
                case "SELECT":
                    folder = arguments.strip('"')
                    if folder not in self.folders:
                        say(f"{tag} NO no such mailbox")
                        continue
                    count = len(self.folders[folder])
                    say(
                        f"* {count} EXISTS",
                        f"* OK [UIDVALIDITY {self.validity}] valid",
                        f"{tag} OK [READ-WRITE] in",
                    )
                case "SEARCH":
                    found = " ".join(str(one.uid) for one in self._search(folder, arguments))
                    say(f"* SEARCH {found}".rstrip(), f"{tag} OK done")
                case "FETCH":
                    self._fetch(folder, arguments, session)
                    say(f"{tag} OK done")
                case "STORE":
                    uid, change, flags = arguments.split(" ", 2)
                    for one in self._with_uid(folder, uid):
                        one.flags |= set(flags.strip("()").split()) if change.startswith("+") else set()
                    say(f"{tag} OK done")
                case "COPY" | "MOVE":
                    uid, target = arguments.split(" ", 1)
                    if target.strip('"') not in self.folders:
                        say(f"{tag} NO [TRYCREATE] no such mailbox")
                        continue
                    for one in self._with_uid(folder, uid):
                        self.deliver(one.raw, target.strip('"'))
                        if name.upper() == "MOVE":
                            self.folders[folder].remove(one)
                    say(f"{tag} OK done")
                case "EXPUNGE":
                    for one in self._with_uid(folder, arguments):
                        self.folders[folder].remove(one)
                    say(f"{tag} OK done")
                case "LOGOUT":
                    say("* BYE", f"{tag} OK out")
                    return
                case _:
                    say(f"{tag} BAD what?")

    def _search(self, folder: str, arguments: str) -> list[Stored]:
        stored = self.folders[folder]
        if arguments.upper() == "UNSEEN":
            return [one for one in stored if r"\Seen" not in one.flags]
        if found := re.fullmatch(r"UID (\d+):\*", arguments):
            # "*" is the last mail, whatever its number: RFC 3501, 6.4.8.
            last = max((one.uid for one in stored), default=0)
            return [one for one in stored if one.uid >= int(found[1]) or one.uid == last]
        return stored

    def _with_uid(self, folder: str, uid: str) -> list[Stored]:
        return [one for one in self.folders[folder] if one.uid == int(uid)]

    def _fetch(self, folder: str, arguments: str, session: socketserver.StreamRequestHandler) -> None:
        uid, items = arguments.split(" ", 1)
        for number, one in enumerate(self.folders[folder], start=1):
            if one.uid != int(uid):
                continue
            if "RFC822.SIZE" in items:
                session.wfile.write(f"* {number} FETCH (UID {uid} RFC822.SIZE {len(one.raw)})\r\n".encode())
                continue
            content = one.raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if "HEADER" in items else one.raw
            section = "BODY[HEADER]" if "HEADER" in items else "BODY[]"
            head = f"* {number} FETCH (UID {uid} {section} {{{len(content)}}}\r\n"
            session.wfile.write(head.encode() + content + b")\r\n")
