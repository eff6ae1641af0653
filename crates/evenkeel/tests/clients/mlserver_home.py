"""Prepares a folder from which a real MLServer answers the model `home-value`, with scikit-learn inside.

Usage: mlserver_home.py DIR [--http-port N] [--grpc-port N] [--rows FILE] [--plain]; then, in DIR: mlserver start .
A port that is not given is a free one. Prints one JSON line: {"model", "http", "grpc", "ready"}; the server is ready
when GET of `ready` is 200.

The model is a small one, fitted here on the rows of the example, so that no other data is needed. It takes `x`, FP32
[n, 8], and gives `score`, FP32 [n, 1]. With `--plain` MLServer's own runtime answers, which calls its outputs `predict`
and `predict_proba`, and gives the second only to whoever asks for it.
"""

import argparse
import csv
import json
from pathlib import Path

import joblib
import numpy as np
from ports import free_ports
from sklearn.ensemble import GradientBoostingClassifier

MODEL = "home-value"
ROWS = Path(__file__).resolve().parents[4] / "examples/home-value/rows.csv"

# MLServer imports it from the model's folder.
RUNTIME = '''"""The model server's side: MLServer's scikit-learn runtime with one output, the probability of class 1."""

import numpy as np
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver_sklearn import SKLearnModel


class HomeValue(SKLearnModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        unknown = [it.name for it in payload.outputs or [] if it.name != "score"]
        if unknown:
            raise InferenceError(f"there is no output {unknown[0]}")
        x = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        score = self._model.predict_proba(x)[:, 1:].astype(np.float32)
        output = NumpyCodec.encode_output("score", score)
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[output])
'''


def fit(rows: Path) -> GradientBoostingClassifier:
    """Fits a small model on the columns between the id and the label."""
    with rows.open(newline="") as text:
        table = np.array([row[1:] for row in list(csv.reader(text))[1:]], dtype=np.float32)
    model = GradientBoostingClassifier(n_estimators=20, max_depth=3, random_state=0)
    return model.fit(table[:, :-1], table[:, -1].astype(int))


def write_json(file: Path, value: dict) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


def prepare(folder: Path, http_port: int, grpc_port: int, rows: Path, plain: bool) -> None:
    """Writes the server's settings, and the model with its runtime."""
    model = folder / MODEL
    model.mkdir(parents=True, exist_ok=True)
    server = {
        "host": "127.0.0.1",
        "http_port": http_port,
        "grpc_port": grpc_port,
        "metrics_endpoint": None,  # no third port
        "parallel_workers": 0,  # one process, so that ending it ends everything
        "debug": False,
    }
    write_json(folder / "settings.json", server)
    x = {"name": "x", "datatype": "FP32", "shape": [-1, 8]}
    score = {"name": "score", "datatype": "FP32", "shape": [-1, 1]}
    parameters = {"uri": "./model.joblib", "version": "v1"}
    settings = {
        "name": MODEL,
        "implementation": "model.HomeValue",
        "parameters": parameters,
        "inputs": [x],
        "outputs": [score],
    }
    if plain:
        settings = {
            "name": MODEL,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": parameters,
        }
    write_json(model / "model-settings.json", settings)
    (model / "model.py").write_text(RUNTIME)
    joblib.dump(fit(rows), model / "model.joblib")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--http-port", type=int, default=0)
    arguments.add_argument("--grpc-port", type=int, default=0)
    arguments.add_argument("--rows", type=Path, default=ROWS)
    arguments.add_argument("--plain", action="store_true")
    given = arguments.parse_args()
    free = free_ports(2)
    http_port, grpc_port = given.http_port or free[0], given.grpc_port or free[1]
    prepare(given.folder, http_port, grpc_port, given.rows, given.plain)
    base = f"http://127.0.0.1:{http_port}"
    print(json.dumps({"model": MODEL, "http": base, "grpc": grpc_port, "ready": f"{base}/v2/models/{MODEL}/ready"}))


if __name__ == "__main__":
    main()
