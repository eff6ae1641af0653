"""Asks a model with the unmodified tritonclient over HTTP, tensors in JSON, and prints what the client made of it.

Usage: oip_triton.py BASE_URL [--model NAME]; the model takes `x`, FP32 [n, 8], and gives `score`. One JSON line a case:
{"case", "ok", "detail", "outputs", "parameters"}. `ok` says that the client got what the case is about: an answer, or
for the cases in REFUSED an exception. `detail` is the answer's head or {"status", "message"} of the exception;
`outputs` holds datatype, shape and values by name, `parameters` those of the answer. Ends with 0 if all are ok.
"""

import argparse
import json
import sys
from collections.abc import Callable

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

ROW = [6.0553, 29.0, 6.21827, 1.03723, 1457.0, 2.46531, 33.8, -118.08]
REFUSED = {
    "unknown_model",
    "unknown_version",
    "wrong_width",
    "wrong_rank",
    "wrong_datatype",
    "wrong_name",
    "unknown_output",
}


class Asking:
    """A client of one model, in JSON mode."""

    def __init__(self, base: str, model: str) -> None:
        self.client = triton.InferenceServerClient(base.split("://")[-1].rstrip("/"), network_timeout=20.0)
        self.model = model

    def infer(
        self,
        data: np.ndarray,
        datatype: str = "FP32",
        *,
        model: str | None = None,
        name: str = "x",
        output: str | None = "score",
        **more: object,
    ) -> dict:
        """Infers, and returns what a case prints of the answer."""
        x = triton.InferInput(name, list(data.shape), datatype)
        x.set_data_from_numpy(data, binary_data=False)
        wanted = [triton.InferRequestedOutput(output, binary_data=False)] if output else None
        answer = self.client.infer(model or self.model, [x], outputs=wanted, **more)
        head = answer.get_response()
        outputs = {}
        for it in head["outputs"]:
            values = answer.as_numpy(it["name"])
            outputs[it["name"]] = {
                "datatype": it["datatype"],
                "shape": list(values.shape),
                "values": values.flatten().tolist(),
            }
        said = {key: head.get(key) for key in ("model_name", "model_version", "id")}
        return {"detail": said, "outputs": outputs, "parameters": head.get("parameters") or {}}


def rows(count: int) -> np.ndarray:
    return np.array([ROW] * count, dtype=np.float32)


def true(value: bool) -> dict:
    assert value is True, value
    return {"detail": value}


def same_id(answer: dict) -> dict:
    assert answer["detail"]["id"] == "request-7", answer
    return answer


def shaped(answer: dict, count: int) -> dict:
    score = answer["outputs"]["score"]
    assert len(score["values"]) == count == score["shape"][0], answer
    return answer


def cases(asking: Asking) -> dict[str, Callable[[], dict]]:
    client, model = asking.client, asking.model
    return {
        "server_live": lambda: true(client.is_server_live()),
        "server_ready": lambda: true(client.is_server_ready()),
        "model_ready": lambda: true(client.is_model_ready(model)),
        "model_not_ready": lambda: true(not client.is_model_ready("nobody")),
        "server_metadata": lambda: {"detail": client.get_server_metadata()},
        "model_metadata": lambda: {"detail": client.get_model_metadata(model)},
        "one_row": lambda: shaped(asking.infer(rows(1)), 1),
        "three_rows": lambda: shaped(asking.infer(rows(3)), 3),
        "all_outputs": lambda: shaped(asking.infer(rows(1), output=None), 1),
        "request_id": lambda: same_id(asking.infer(rows(1), request_id="request-7")),
        "parameters": lambda: asking.infer(rows(1), parameters={"tenant": "north", "attempt": 2, "dry": True}),
        "timeout": lambda: asking.infer(rows(1), timeout=500_000, priority=1),
        "unknown_model": lambda: asking.infer(rows(1), model="nobody"),
        "unknown_version": lambda: asking.infer(rows(1), model_version="99"),
        "wrong_width": lambda: asking.infer(rows(1)[:, :7]),
        "wrong_rank": lambda: asking.infer(rows(1)[0]),
        "wrong_datatype": lambda: asking.infer(rows(1).astype(np.int32), "INT32"),
        "wrong_name": lambda: asking.infer(rows(1), name="y"),
        "unknown_output": lambda: asking.infer(rows(1), output="nothing"),
    }


def seen(case: str, call: Callable[[], dict]) -> dict:
    """Returns what a case prints."""
    told: dict = {"case": case, "ok": True, "detail": None, "outputs": {}, "parameters": {}}
    try:
        told |= call()
        told["ok"] = case not in REFUSED
    except InferenceServerException as error:
        told["ok"] = case in REFUSED
        told["detail"] = {"status": error.status(), "message": error.message()}
    except Exception as error:
        told["ok"] = False
        told["detail"] = f"{type(error).__name__}: {error}"
    return told


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("base", metavar="BASE_URL")
    arguments.add_argument("--model", default="home-value")
    given = arguments.parse_args()
    asking = Asking(given.base, given.model)
    told = []
    for case, call in cases(asking).items():
        told.append(seen(case, call))
        print(json.dumps(told[-1]), flush=True)
    asking.client.close()
    sys.exit(0 if all(it["ok"] for it in told) else 1)


if __name__ == "__main__":
    main()
