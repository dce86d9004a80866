"""Logs as one JSON object a line. They hold no question, answer, name, address or token: the audit log is for those.

An error's message may quote what a person wrote, so of an error only its kind and the places it passed are kept.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

REQUEST: ContextVar[str] = ContextVar("wenju-request", default="")
"""Id of the request at hand; also the response's X-Request-Id."""
requests = logging.getLogger("wenju.request")


class JsonLines(logging.Formatter):
    """`{"at", "level", "logger", "request", "message", …}`; what a record carries as `fields` is added."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "request": REQUEST.get(),
            "message": record.getMessage(), **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["at_lines"] = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        return json.dumps({name: value for name, value in line.items() if value != ""}, ensure_ascii=False)


def set_up(kind: str) -> None:
    """Sends this process's logs to standard error: "json" as above with every request, "plain" only warnings, for people."""
    if kind != "json":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("wenju", "wenju.request"):
        logging.getLogger(name).setLevel(logging.INFO)
