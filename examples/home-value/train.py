"""Trains the two models of this example and writes them as ONNX, with an excerpt of the rows they are asked about.

Usage: train.py --data FOLDER [--out FOLDER]; FOLDER holds train.csv and live.csv (README.md says how they are made).

primary.onnx    gradient-boosted trees, fitted on train.csv
distilled.onnx  a regression tree of depth 4, fitted on the scores that the primary gives to train.csv
per-cent.onnx   the same tree, exported by somebody who thought that a score is per cent: what a bad roll-out looks like
rows.csv        the first rows of live.csv, without the recorded scores

All take `x`, FP32 [n, 8] in the order of FEATURES, and give `score`, FP32 [n, 1]: the probability that the median
house value is high. The same data and versions give the same bytes. The first two are checked with the ONNX Runtime:
their accuracy on live.csv must be that of the published models within a point.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.base import BaseEstimator
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.tree import DecisionTreeRegressor

FEATURES = [
    "median_income",
    "house_age",
    "avg_rooms",
    "avg_bedrooms",
    "population",
    "avg_occupancy",
    "latitude",
    "longitude",
]
LABEL = "high_value"
EXCERPT = 300
# Old enough for every runtime, and the last one that has TreeEnsembleClassifier without deprecation.
OPSET = {"": 15, "ai.onnx.ml": 3}
OPERATORS = {"TreeEnsembleClassifier", "TreeEnsembleRegressor", "ArrayFeatureExtractor", "Identity", "Cast"}
# Accuracy on live.csv in per cent, of the models that the data was published with.
PUBLISHED = {"primary": 88.67, "distilled": 81.87}


def read(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns the features as the models see them, and the labels."""
    with file.open(newline="") as text:
        rows = list(csv.DictReader(text))
    x = np.array([[row[name] for name in FEATURES] for row in rows], dtype=np.float32)
    return x, np.array([int(row[LABEL]) for row in rows])


def excerpt(source: Path, target: Path) -> None:
    """Copies the first rows as they are written, up to and including the label."""
    with source.open(newline="") as text:
        rows = list(csv.reader(text))[: EXCERPT + 1]
    width = rows[0].index(LABEL) + 1
    lines = [",".join(row[:width]) + "\n" for row in rows]
    target.write_bytes("".join(lines).encode())


def convert(model: BaseEstimator, name: str) -> onnx.ModelProto:
    """Returns the model as ONNX with the input `x` and the one output `score`, and with nothing that varies."""
    sample = np.zeros((1, len(FEATURES)), dtype=np.float32)
    # `zipmap` is an option of classifiers; a regressor is converted without it.
    options = {"zipmap": False} if hasattr(model, "predict_proba") else None
    made = to_onnx(model, sample, target_opset=OPSET, options=options).graph
    nodes, constants = list(made.node), list(made.initializer)
    if options:
        reads = [made.output[1].name, "column"]
        nodes.append(helper.make_node("ArrayFeatureExtractor", reads, ["score"], domain="ai.onnx.ml"))
        constants.append(helper.make_tensor("column", TensorProto.INT64, [1], [1]))
    else:
        rename(nodes, made.output[0].name, "score")
    rename(nodes, made.input[0].name, "x")
    for at, node in enumerate(nodes):
        node.name = f"{node.op_type}_{at}"
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", len(FEATURES)])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n", 1])],
        constants,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in sorted(OPSET.items())]
    onnx_model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="", producer_version="")
    onnx.checker.check_model(onnx_model)
    return onnx_model


def rename(nodes: list[onnx.NodeProto], old: str, new: str) -> None:
    """Gives a value another name wherever it is written or read."""
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [new if it == old else it for it in names]


def write(model: onnx.ModelProto, file: Path) -> None:
    """Writes the same bytes for the same model."""
    file.write_bytes(model.SerializeToString(deterministic=True))


def check(file: Path, model: BaseEstimator, x: np.ndarray, y: np.ndarray) -> None:
    """Asks the written file and prints its accuracy; raises where it is not the model that was meant."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (score,) = session.run(["score"], {"x": x})
    expected = model.predict_proba(x)[:, 1] if hasattr(model, "predict_proba") else model.predict(x)
    apart = float(np.abs(score[:, 0] - expected).max())
    accuracy = 100 * float(np.mean((score[:, 0] >= 0.5) == (y == 1)))
    operators = {node.op_type for node in onnx.load(file).graph.node}
    size = file.stat().st_size
    print(
        f"{file.name}: {size:,} bytes, {accuracy:.2f} % right on {len(y):,} rows (published: {PUBLISHED[file.stem]}), "
        f"{apart:.1e} from scikit-learn at most, {', '.join(sorted(operators))}"
    )
    if score.shape != (len(x), 1) or score.dtype != np.float32 or score.min() < 0 or score.max() > 1:
        raise SystemExit(f"{file.name}: {score.dtype} {score.shape} from {score.min()} to {score.max()} is not a score")
    if abs(accuracy - PUBLISHED[file.stem]) > 1 or apart > 1e-5 or not operators <= OPERATORS:
        raise SystemExit(f"{file.name}: not the model that was meant")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path, required=True, help="the folder of train.csv and live.csv")
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent, help="where the files are written")
    given = arguments.parse_args()
    x, y = read(given.data / "train.csv")
    primary = GradientBoostingClassifier(n_estimators=150, max_depth=4, learning_rate=0.1, random_state=0).fit(x, y)
    distilled = DecisionTreeRegressor(max_depth=4, random_state=0).fit(x, primary.predict_proba(x)[:, 1])
    per_cent = DecisionTreeRegressor(max_depth=4, random_state=0).fit(x, 100 * primary.predict_proba(x)[:, 1])
    write(convert(per_cent, "home_value_per_cent"), given.out / "per-cent.onnx")
    live = read(given.data / "live.csv")
    for name, model in (("primary", primary), ("distilled", distilled)):
        file = given.out / f"{name}.onnx"
        write(convert(model, f"home_value_{name}"), file)
        check(file, model, *live)
    excerpt(given.data / "live.csv", given.out / "rows.csv")


if __name__ == "__main__":
    main()
