"""What four detectors of pyod make of the rows that the row score was given: `anomaly_peers.py SETS SPLITS OUT`.

All are as the library makes them by default, but for the seed of the forest. The columns are standardised by the rows that teach and
clipped at 1,000 standard deviations, as the row score has them.
"""

import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.iforest import IForest
from sklearn.metrics import roc_auc_score

warnings.filterwarnings("ignore")


def rows(splits: Path, name: str, seed: int, part: str) -> np.ndarray:
    return np.fromfile(splits / f"{name}-{seed}-{part}", dtype="<u4")


def run(sets: Path, splits: Path, out: Path) -> None:
    packages = ", ".join(f"{it} {version(it)}" for it in ("pyod", "numpy", "scikit-learn"))
    lines = [f"# {packages}", "set,seed,detector,auroc"]
    for file in sorted(sets.glob("*.npz"), key=lambda it: int(it.stem.split("_")[0])):
        with np.load(file) as both:
            x, y = both["X"].astype(np.float64), both["y"]
        for seed in range(len(list(splits.glob(f"{file.stem}-*-teach")))):
            teach, judge = rows(splits, file.stem, seed, "teach"), rows(splits, file.stem, seed, "judge")
            mean, sd = x[teach].mean(0), x[teach].std(0)
            sd[sd < 1e-12] = 1
            scaled = np.clip((x - mean) / sd, -1000, 1000)
            for name, detector in (
                ("ECOD", ECOD()),
                ("HBOS", HBOS()),
                ("COPOD", COPOD()),
                ("IForest", IForest(random_state=seed)),
            ):
                detector.fit(scaled[teach])
                found = roc_auc_score(y[judge], detector.decision_function(scaled[judge]))
                lines.append(f"{file.stem},{seed},{name},{found:.6f}")
        print(lines[-1], file=sys.stderr, flush=True)
    out.write_text("\n".join(lines) + "\n")


run(*map(Path, sys.argv[1:4]))
