"""Asks an OIP model at a steady rate, whether or not answers come, and says who answered and why.

Usage: oip_load.py BASE_URL [--model NAME] [--rate R] [--seconds S] [--threads N] [--timeout S] [--rows FILE] [--each]

Request k is due k / R seconds after the start, and its latency counts from then: a slow answer does not slow the
asking down as long as a thread is free. `--each` prints a JSON line a request: {"at_ms", "sent_ms", "latency_ms",
"status", "tier", "reason", "failure"}. The last line is the summary: {"requests", "failures", "by_status", "by_tier",
"by_reason", "by_tier_and_reason", "by_failure", "max_latency_ms", "longest_gap_ms", "unsent_ms"}: counts in order of
first appearance; `by_tier_and_reason` is a list of {"tier", "reason", "count", "first_ms"}; the gap is the longest
time without a good answer, from the start to the last answer; `unsent_ms` is the most that a request left late because
every thread was waiting. A good answer is a 200 with one score from 0 to 1 a row.
"""

import argparse
import csv
import http.client
import itertools
import json
import math
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROWS = Path(__file__).resolve().parents[4] / "examples/home-value/rows.csv"


@dataclass
class Seen:
    """What one request saw; times in milliseconds since the start of the load."""

    at_ms: float
    sent_ms: float
    latency_ms: float
    status: int | None
    tier: str | None
    reason: str | None
    failure: str | None


def bodies(rows: Path) -> list[bytes]:
    """Returns a request for each row, without its id and label."""
    with rows.open(newline="") as text:
        table = [[float(it) for it in row[1:-1]] for row in list(csv.reader(text))[1:]]
    x = {"name": "x", "datatype": "FP32"}
    return [json.dumps({"inputs": [x | {"shape": [1, len(row)], "data": row}]}).encode() for row in table]


def flaw(status: int, body: bytes) -> str | None:
    """Says what is wrong with an answer, if something is."""
    if status != 200:
        return f"status {status}"
    try:
        outputs = {it["name"]: it["data"] for it in json.loads(body)["outputs"]}
        (score,) = outputs["score"]
        return None if math.isfinite(score) and 0 <= score <= 1 else "the score is out of range"
    except (ValueError, KeyError, TypeError):
        return "the answer has no score"


class Load:
    """A load on one model: threads that share a schedule, each with a connection of its own."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.address = urllib.parse.urlsplit(given.base).netloc
        self.path = f"/v2/models/{urllib.parse.quote(given.model, safe='')}/infer"
        self.rate, self.count, self.timeout = given.rate, round(given.rate * given.seconds), given.timeout
        self.bodies = bodies(given.rows)
        self.next = itertools.count()
        self.seen: list[Seen] = []
        self.start = 0.0

    def run(self, threads: int) -> list[Seen]:
        """Returns what all requests saw, in the order of their answers."""
        self.start = time.monotonic() + 0.1
        workers = [threading.Thread(target=self.work) for _ in range(threads)]
        for it in workers:
            it.start()
        for it in workers:
            it.join()
        return self.seen

    def work(self) -> None:
        connection = http.client.HTTPConnection(self.address, timeout=self.timeout)
        while (k := next(self.next)) < self.count:
            due = self.start + k / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            self.seen.append(self.ask(connection, due, self.bodies[k % len(self.bodies)]))
        connection.close()

    def ask(self, connection: http.client.HTTPConnection, due: float, body: bytes) -> Seen:
        """Sends one request; there is no second try, whatever happens."""
        status = tier = reason = None
        sent = time.monotonic()
        try:
            connection.request("POST", self.path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            status, tier, reason = answer.status, answer.getheader("evenkeel-tier"), answer.getheader("evenkeel-reason")
            failure = flaw(status, answer.read())
        except (OSError, http.client.HTTPException) as error:
            failure = type(error).__name__
            connection.close()
        now = time.monotonic()
        since = 1000 * (now - self.start), 1000 * (sent - self.start), 1000 * (now - due)
        return Seen(*(round(it, 1) for it in since), status, tier, reason, failure)


def summary(seen: list[Seen]) -> dict:
    """Adds up; `seen` is in the order of the answers."""
    firsts: dict[tuple[str | None, str | None], dict] = {}
    for it in seen:
        pair = {"tier": it.tier, "reason": it.reason, "count": 0, "first_ms": it.at_ms}
        firsts.setdefault((it.tier, it.reason), pair)["count"] += 1
    good = [0.0] + [it.at_ms for it in seen if it.failure is None] + [seen[-1].at_ms]
    return {
        "requests": len(seen),
        "failures": sum(it.failure is not None for it in seen),
        "by_status": Counter(str(it.status) for it in seen),
        "by_tier": Counter(str(it.tier) for it in seen),
        "by_reason": Counter(str(it.reason) for it in seen),
        "by_tier_and_reason": list(firsts.values()),
        "by_failure": Counter(it.failure for it in seen if it.failure),
        "max_latency_ms": max(it.latency_ms for it in seen),
        "longest_gap_ms": round(max(after - before for before, after in itertools.pairwise(good)), 1),
        "unsent_ms": round(max(it.sent_ms - (it.at_ms - it.latency_ms) for it in seen), 1),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("base", metavar="BASE_URL")
    arguments.add_argument("--model", default="home-value")
    arguments.add_argument("--rate", type=float, default=50.0, help="requests per second")
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--threads", type=int, default=16)
    arguments.add_argument("--timeout", type=float, default=10.0, help="seconds until a request counts as failed")
    arguments.add_argument("--rows", type=Path, default=ROWS)
    arguments.add_argument("--each", action="store_true", help="print a line a request")
    given = arguments.parse_args()
    if given.rate * given.seconds < 1 or given.threads < 1:
        arguments.error("there is nothing to ask")
    seen = sorted(Load(given).run(given.threads), key=lambda it: it.at_ms)
    if given.each:
        for it in seen:
            print(json.dumps(asdict(it)))
    print(json.dumps(summary(seen)))


if __name__ == "__main__":
    main()
