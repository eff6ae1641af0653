"""Tunes the threshold of each of river's detectors to a mean time between false alarms, and measures their delays.

Everything but the threshold is as the library has it. Reads streams.f64 of the folder that is named, writes peers.csv there. What was
found is kept in found.json, and a run that was stopped goes on where it stood.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import scipy
from river import drift
from river.drift import kswin

FOLDER = Path(sys.argv[1])
STREAMS, REFERENCE, BEFORE, AFTER = map(int, (FOLDER / "streams.txt").read_text().split())
CHANGES = [(0.25, 1.0), (0.5, 1.0), (1.0, 1.0), (0.0, 1.5)]
# Rows that KSWIN has seen before the change: its window is 100 rows, so earlier ones are nothing to it.
ENOUGH_FOR_KSWIN = 300


class FastKs:
    """scipy's two-sample test for windows of 30 without ties, by a table of its own p-values: the same numbers, sooner."""

    def __init__(self):
        self.real = scipy.stats.ks_2samp
        self.p = {}
        ladder = np.arange(30.0)
        for k in range(1, 31):
            # The first sample is moved up by k places: the greatest distance is k/30.
            found = self.real(ladder + k - 0.5, ladder, method="auto")
            assert round(found.statistic * 30) == k
            self.p[k] = found

    def ks_2samp(self, a, b, method="auto"):
        a, b = np.sort(np.asarray(a)), np.sort(np.asarray(b))
        both = np.concatenate([a, b])
        off = np.searchsorted(a, both, side="right") - np.searchsorted(b, both, side="right")
        return self.p[int(np.abs(off).max())]


fast = FastKs()
check = np.random.default_rng(3)
for _ in range(50):
    one, other = check.normal(size=30), check.normal(size=30) + 0.4
    assert math.isclose(fast.real(one, other).pvalue, fast.ks_2samp(one, other).pvalue, rel_tol=1e-9)
kswin.stats = fast


def alarms(detector, rows):
    count = 0
    for x in rows:
        detector.update(x)
        count += detector.drift_detected
    return count


def tuned(make, ladder, rows, every):
    """The most sensitive threshold of a ladder, from sensitive to dull, whose mean time between alarms is at least T."""
    ladder = [float(it) for it in ladder]
    lo, hi = -1, len(ladder) - 1
    while hi - lo > 1:
        middle = (lo + hi) // 2
        found = alarms(make(ladder[middle]), rows)
        print(f"  {ladder[middle]:.3g}: {found} alarms in {len(rows)} rows", file=sys.stderr)
        if found * every <= len(rows):
            hi = middle
        else:
            lo = middle
    found = alarms(make(ladder[hi]), rows)
    return ladder[hi], found


def delays(make, change, streams, skip):
    plus, times = change
    found = []
    for rows in streams:
        detector = make()
        for x in rows[skip : REFERENCE + BEFORE].tolist():
            detector.update(x)
        changed = (rows[REFERENCE + BEFORE :] * times + plus).tolist()
        delay = math.inf
        for at, x in enumerate(changed, 1):
            detector.update(x)
            if detector.drift_detected:
                delay = at
                break
        found.append(delay)
    missed = found.count(math.inf)
    median = sorted(found)[len(found) // 2]
    text = "missed" if median == math.inf else str(median)
    return text if missed == 0 else f"{text} ({missed / len(found) * 100:.1f} % missed)"


streams = np.fromfile(FOLDER / "streams.f64", dtype="<f8").reshape(STREAMS, REFERENCE + BEFORE + AFTER)
peers = [
    # name, threshold, how it is made, ladder from sensitive to dull, rows to tune by at T = 10,000 and 100,000, rows to skip. KSWIN is
    # asked at 10,000 alone: it is the slowest by far, and misses most small shifts already there.
    ("ADWIN", "delta", lambda it: drift.ADWIN(delta=it), np.geomspace(0.999, 1e-6, 120), (1_000_000, 3_000_000), 0),
    ("PageHinkley", "threshold", lambda it: drift.PageHinkley(threshold=it), np.geomspace(5, 5_000, 120), (1_000_000, 3_000_000), 0),
    (
        "KSWIN",
        "alpha",
        lambda it: drift.KSWIN(alpha=it, seed=1),
        # Just above each p-value that two windows of 30 can have: nothing lies between them.
        [fast.p[k].pvalue * 1.000001 for k in range(12, 22)],
        (300_000,),
        REFERENCE + BEFORE - ENOUGH_FOR_KSWIN,
    ),
]
kept = FOLDER / "found.json"
found = json.loads(kept.read_text()) if kept.exists() else {}


def once(key, find):
    if key not in found:
        found[key] = find()
        kept.write_text(json.dumps(found, indent=1))
    print(f"{key}: {found[key]}", file=sys.stderr)
    return found[key]


lines = []
for name, threshold, make, ladder, sizes, skip in peers:
    for every, size in zip((10_000, 100_000), sizes):
        draw = lambda: np.random.default_rng(7).normal(size=size).tolist()
        value, count = once(f"{name} {every} tuned", lambda: tuned(make, ladder, draw(), every))
        between = f"{size // count}" if count else f"above {size}"
        medians = [once(f"{name} {every} {change}", lambda: delays(lambda: make(value), change, streams, skip)) for change in CHANGES]
        lines.append(";".join([f"river {name}", str(every), f"{threshold} = {value:.3g}", f"{between} ({count} alarms)", *medians]))
(FOLDER / "peers.csv").write_text("\n".join(lines) + "\n")
