"""How the service is used, from the audit log: questions a day, what was refused, how long answers took, what was asked."""

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.text import normalise
from ui.api.audit import Entry

STATUSES = ("answered", "no_evidence", "clarify", "stopped")
_MOST = 10


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds within which half, 95 % and 99 % of the answers came; None when there were none."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Day:
    """One day, in the machine's time zone. counts: questions by the answer's status."""

    date: str
    counts: Mapping[str, int]
    latency: Latency

    @property
    def questions(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def refused(self) -> float | None:
        """The share of questions without evidence; None without questions."""
        return self.counts["no_evidence"] / self.questions if self.questions else None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, how often it was asked, and when last (ISO 8601, UTC)."""

    question: str
    count: int
    last: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Every day from the first to the last, and all of them together. people: names that asked."""

    days: tuple[Day, ...]
    whole: Day
    people: int
    most_asked: tuple[Asked, ...]
    unanswered: tuple[Asked, ...]


def usage(entries: Iterable[Entry], since: dt.date, until: dt.date) -> Usage:
    """The figures of these days (both included). entries: of these days and perhaps others."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    spent: dict[str, list[float]] = defaultdict(list)
    asked: dict[str, list[Entry]] = defaultdict(list)
    people = set()
    for entry in entries:
        if entry.kind != "ask" or not since.isoformat() <= (day := _day(entry.at)) <= until.isoformat():
            continue
        counts[day][entry.status] += 1
        if entry.ms:
            spent[day].append(entry.ms)
        asked[_key(entry.question)].append(entry)
        people.add(entry.who)
    dates = [(since + dt.timedelta(n)).isoformat() for n in range((until - since).days + 1)]
    unanswered = {key: own for key, all_own in asked.items() if (own := [e for e in all_own if e.status == "no_evidence"])}
    everything = [ms for own in spent.values() for ms in own]
    return Usage(
        tuple(_made(date, counts[date], spent[date]) for date in dates), _made("", sum(counts.values(), Counter()), everything),
        len(people), _most(asked), _most(unanswered),
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed (nearest rank; Hyndman & Fan 1996, type 1)."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1] if values else None


def _made(date: str, counts: Counter[str], spent: Sequence[float]) -> Day:
    return Day(date, {status: counts[status] for status in STATUSES}, Latency(*(percentile(spent, p) for p in (0.5, 0.95, 0.99))))


def _most(asked: Mapping[str, Sequence[Entry]]) -> tuple[Asked, ...]:
    """Those asked most, the latest first among equals, each as it was last put."""
    found = [Asked(own[-1].question, len(own), own[-1].at) for own in asked.values()]
    return tuple(sorted(found, key=lambda a: (a.count, a.last), reverse=True)[:_MOST])


def _key(question: str) -> str:
    """What makes two questions the same: letters and digits, however they are written."""
    return "".join(c for c in normalise(question).lower() if c.isalnum()) or question


def _day(at: str) -> str:
    try:
        return dt.datetime.fromisoformat(at).astimezone().date().isoformat()
    except ValueError:
        return ""
