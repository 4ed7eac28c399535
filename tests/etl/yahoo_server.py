"""A local Yahoo: recorded answers, and the ways in which it fails, behind real HTTP."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, str]
Answers = Callable[[str, dict[str, list[str]]], Reply]


@contextmanager
def served(answers: Answers) -> Iterator[tuple[str, list[str]]]:
    """The base URL of a server that answers (path, query) by `answers`, and the paths asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked.append(url.path)
            status, body = answers(url.path, parse_qs(url.query))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def error(code: str, description: str) -> Reply:
    """Yahoo's answer on a symbol that it has nothing of."""
    problem = {"code": code, "description": description}
    return 404, json.dumps({"chart": {"result": None, "error": problem}})
