"""The receiver's process: ``receiver_server.py LOG PORT``, the standard library alone."""

import os
import socketserver
import sys
import threading
import time
from pathlib import Path


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, log: Path, port: int) -> None:
        super().__init__(("127.0.0.1", port), Batch)
        self.turn = threading.Lock()
        self.rejects = b""
        self.busy = 0
        self.pause = 0.0
        self.log = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        # a batch that a killed receiver did not write whole was never acknowledged
        data = log.read_bytes()
        os.ftruncate(self.log, data.rfind(b"\n") + 1)

    def answer(self, verb: str, body: bytes) -> str:
        if verb == "take":
            time.sleep(self.pause)
        with self.turn:
            match verb:
                case "reject":
                    self.rejects = body
                case "busy":
                    self.busy = int(body)
                case "slow":
                    self.pause = float(body)
                case _ if self.busy:
                    self.busy -= 1
                    return "busy"
                case _ if self.rejects and self.rejects in body:
                    return "rejected"
                case _:
                    return "ok" if os.write(self.log, body) == len(body) else "torn"
            return "ok"


class Batch(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        verb, _, size = self.rfile.readline().decode().partition(" ")
        body = self.rfile.read(int(size or 0))
        if size and len(body) == int(size):
            self.wfile.write(self.server.answer(verb, body).encode() + b"\n")


if __name__ == "__main__":
    with Server(Path(sys.argv[1]), int(sys.argv[2])) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
