"""`python -m bot.workspace`: a local workspace by itself, for trying any Slack app against it."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from bot.workspace.server import Workspace


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bot.workspace", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".workspace"), help="where it keeps its state")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=0, help="the port; 0 takes a free one")
    options = parser.parse_args()
    with Workspace(options.home, host=options.host, port=options.port) as workspace:
        print(f"page             {workspace.url}", flush=True)
        print(f"SLACK_API_URL    {workspace.api_url}", flush=True)
        print(f"SLACK_BOT_TOKEN  {workspace.bot_token}", flush=True)
        print(f"SLACK_APP_TOKEN  {workspace.app_token}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("\nstopped")


if __name__ == "__main__":
    main()
