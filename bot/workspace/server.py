"""Workspace: the local workspace as one object, its web server in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn

from bot.workspace.delivery import Timing
from bot.workspace.grants import Grants
from bot.workspace.rates import SLACK_RATES, Rate
from bot.workspace.routes import LOOPBACK, application
from bot.workspace.store import Store
from bot.workspace.team import Team

START_SECONDS = 30


class Workspace:
    """A Slack workspace on this machine, for an unmodified Slack app.

    State is kept under `home` and survives the death of the process. Port 0 takes a free one. `rates` and `timing` are
    Slack's by default; `rates=UNLIMITED` (bot.workspace.rates) lifts every rate. With a `manifest` the app hears the
    events and may call the methods that this grants; without one it hears messages and mentions, and may call all.

        with Workspace(Path("home")) as workspace:
            app = App(client=WebClient(workspace.bot_token, base_url=workspace.api_url))
            SocketModeHandler(app, workspace.app_token).connect()
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        manifest: Mapping[str, Any] | None = None,
        rates: Mapping[str, Rate] = SLACK_RATES,
        timing: Timing | None = None,
    ) -> None:
        self.home, self.host, self.port = home, host, port
        self._store = Store(home)
        self._team = Team(self._store, Grants.of(manifest) if manifest else Grants(), rates, timing or Timing())
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def bot_token(self) -> str:
        return self._team.bot_token

    @property
    def app_token(self) -> str:
        return self._team.app_token

    @property
    def url(self) -> str:
        """The page. Known after `start`."""
        return f"{self._team.base_url}/"

    @property
    def api_url(self) -> str:
        """slack_sdk's `base_url`. Known after `start`."""
        return f"{self._team.base_url}/api/"

    def start(self) -> Workspace:
        """Serve. Returns when the workspace answers. Raises OSError when the port is taken."""
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        name = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host
        self._team.base_url = f"http://{f'[{name}]' if ':' in name else name}:{self.port}"
        self._app = application(self._team, local_only=self.host in LOOPBACK)
        config = uvicorn.Config(self._app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="workspace", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the local workspace did not start on {self._team.base_url}; its log tells why")
            time.sleep(0.01)
        return self

    def close(self) -> None:
        """Stop serving. What was not delivered is delivered after the next start."""
        if self._server is not None and self._thread is not None:
            self._app.state.loop.call_soon_threadsafe(self._team.live.close)
            self._server.should_exit = True
            self._thread.join()
            self._server = self._thread = None
        self._store.close()

    def __enter__(self) -> Workspace:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
