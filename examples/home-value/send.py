"""Sends rows to the example's gateway, one a request, with every income changed by a factor or as it is, and says what comes of it.

    python3 examples/home-value/send.py --rows 600 --income 1.25 --labels

It needs Python's own library alone. What became of the rows (`high_value`) is sent afterwards, with --labels, the last one first.
"""

import argparse
import collections
import csv
import http.client
import json
import pathlib
import time
import urllib.parse

COLUMNS = ["median_income", "house_age", "avg_rooms", "avg_bedrooms", "population", "avg_occupancy", "latitude", "longitude"]
# Seconds between two looks at the route.
LOOK = 0.25


def told():
    it = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    it.add_argument("--rows", type=int, default=300, help="how many; after the last row of the file comes the first")
    it.add_argument("--income", type=float, default=1.0, help="what each median_income is multiplied by")
    it.add_argument("--pace", type=float, default=100.0, help="rows a second, at most")
    it.add_argument("--labels", action="store_true", help="send what became of each row afterwards")
    it.add_argument("--file", default=pathlib.Path(__file__).with_name("rows.csv"), help="the rows, as CSV")
    it.add_argument("--url", default="http://127.0.0.1:8080", help="where the gateway listens")
    return it.parse_args()


class Gateway:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=10)

    def ask(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {text.decode()}")
        return json.loads(text)

    def infer(self, row, income):
        data = [float(row[name]) for name in COLUMNS]
        data[0] *= income
        x = {"name": "x", "datatype": "FP32", "shape": [1, len(data)], "data": data}
        return self.ask("POST", "/v2/models/home-value/infer", {"inputs": [x]})

    def drift(self):
        """How the route stands with drift, in words; empty before its first row."""
        it = self.ask("GET", "/v1/routes/home-value/state").get("drift") or {}
        words = [it["state"]] if it.get("state") else []
        if it.get("alarm"):
            words.append("by " + ", ".join(culprit["stream"] for culprit in it["alarm"]["culprits"]))
        if it.get("proposed_since"):
            words.append(f"{it['start_at']} is proposed")
        if it.get("share") is not None:
            words.append(f"primary gets {it['share']:.0%}")
        return ", ".join(words)


def main():
    it = told()
    gateway = Gateway(it.url)
    with open(it.file, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    answered, right, labels = collections.Counter(), collections.Counter(), []
    start, seen, looked = time.monotonic(), None, 0.0
    for n in range(it.rows):
        row = rows[n % len(rows)]
        answer = gateway.infer(row, it.income)
        of = answer["parameters"]
        who = f"tier {of['evenkeel.tier']} ({of['evenkeel.path']}, {of['evenkeel.reason']})"
        high = row["high_value"] == "1"
        answered[who] += 1
        right[who] += (answer["outputs"][0]["data"][0] >= 0.5) == high
        labels.append({"decision": of["evenkeel.decision"], "label": high})
        now = time.monotonic()
        if now - looked >= LOOK or n + 1 == it.rows:
            looked, drift = now, gateway.drift()
            if drift != seen:
                print(f"{n + 1:6} rows: {drift}", flush=True)
                seen = drift
        time.sleep(max(0.0, start + (n + 1) / it.pace - time.monotonic()) if it.pace > 0 else 0.0)
    for who, count in answered.items():
        print(f"{count:6} rows answered by {who}, {right[who]} of them right")
    if it.labels:
        said = gateway.ask("POST", "/v1/feedback", labels[::-1])
        print(f"{said['counted']:6} labels counted, {said['replaced']} replaced, {said['refused']} refused")


if __name__ == "__main__":
    main()
