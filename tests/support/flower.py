"""A Flower for a test, and what its pages and its API answer."""

import base64
import json
import re
import socket
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tests.support.fleet import Fleet, until
from tests.support.servers import free_port

LOGIN = "operator:a-password-of-flowers"
API = (  # all that it answers to GET, but for what it says of one task or one worker
    "workers?refresh=1", "workers?status=1", "tasks", "task/types", "queues/length",
)  # fmt: skip
_LINK = re.compile(r'href="(/[^"#]*)"')


def listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, port)) == 0


class Flower:
    """``celery -A tasks flower`` in *fleet*, on a port of its own; it ends with the fleet."""

    def __init__(
        self, fleet: Fleet, *options: str, login: str | None = LOGIN, **environment: str
    ) -> None:
        self.port = free_port()
        if login is not None:
            environment["FLOWER_BASIC_AUTH"] = login
        argv = ("-A", "tasks", "flower", f"--port={self.port}", *options)
        self.process = fleet.celery(*argv, **environment)
        until(self._opened, what=lambda: self.process.output)
        assert not self.process.ended, self.process.output

    def _opened(self) -> bool:
        return self.process.ended or listens("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, form: dict[str, Any] | None = None, *, login: str = LOGIN
    ) -> tuple[int, str]:
        """Status and text of the answer to GET, or to POST of a *form*."""
        credentials = base64.b64encode(login.encode()).decode()
        request = urllib.request.Request(
            self.url + path,
            data=None if form is None else urllib.parse.urlencode(form).encode(),
            headers={"Authorization": f"Basic {credentials}"} if login else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def api(self, path: str) -> Any:
        """What the API says at *path*."""
        status, text = self.ask(f"/api/{path}")
        assert status == 200, text
        return json.loads(text)

    def rows(self, search: str = "") -> list[dict[str, Any]]:
        """The rows of the page of tasks."""
        return list(self._table(search)["data"])

    def count(self) -> int:
        """How many tasks it keeps."""
        return int(self._table("")["recordsTotal"])

    def _table(self, search: str) -> dict[str, Any]:
        form = {
            "draw": 1, "start": 0, "length": 500, "search[value]": search,
            "order[0][column]": 0, "order[0][dir]": "asc", "columns[0][data]": "received",
        }  # fmt: skip
        status, text = self.ask("/tasks/datatable", form)
        assert status == 200, text
        return dict(json.loads(text))

    def pages(self) -> dict[str, str]:
        """Every page that a link leads to, and every answer of the API, by its path."""
        tasks, workers = self.api("tasks"), self.api("workers?refresh=1")
        found: dict[str, str] = {}
        left = ["/", "/tasks", "/broker", "/metrics", "/healthcheck", "/no-such-page"]
        left += [f"/api/{each}" for each in API]
        left += [f"/{each}/{task}" for each in ("task", "api/task/info") for task in tasks]
        left += [f"/api/task/result/{task}" for task in [*tasks][:20]]
        left += [f"/worker/{worker}" for worker in workers]
        left += [f"/api/workers?workername={worker}" for worker in workers]
        while left:
            path = left.pop()
            if path not in found and not path.startswith("/static/"):
                _, found[path] = self.ask(path)
                left += _LINK.findall(found[path])
        return found | {"/tasks/datatable": json.dumps(self.rows())}
