"""A real kserve server with the model `home-value`.

Usage: kserve_home.py [--serve HTTP_PORT GRPC_PORT]. Without arguments it prints one JSON line, {"model", "http", "grpc", "ready",
"command", "environment"}, as `triton_home.py` does; with them it serves. `home-value` takes `x`, FP32 [n, 8], and gives `score`,
FP32 [n, 1].
"""

import json
import sys
from pathlib import Path

from ports import free_ports


def serve(http_port: int, grpc_port: int) -> None:
    import numpy as np
    from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

    class HomeValue(Model):
        def __init__(self) -> None:
            super().__init__("home-value")
            self.ready = True

        def predict(self, payload: InferRequest, headers=None, response_headers=None) -> InferResponse:
            x = payload.inputs[0].as_numpy()
            score = 1 / (1 + np.exp(-x.sum(axis=1, keepdims=True) / 10000))
            output = InferOutput(name="score", shape=list(score.shape), datatype="FP32")
            # Each answer goes as it was asked for: in bytes, or as JSON.
            output.set_data_from_numpy(score.astype(np.float32), binary_data=payload.inputs[0]._raw_data is not None)
            # An answer without an id is a 500 of this server.
            return InferResponse(response_id=payload.id or "none", model_name=self.name, infer_outputs=[output])

    ModelServer(http_port=http_port, grpc_port=grpc_port, workers=1).start([HomeValue()])


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        return serve(int(sys.argv[2]), int(sys.argv[3]))
    http, grpc = free_ports(2)
    command = [sys.executable, str(Path(__file__).resolve()), "--serve", str(http), str(grpc)]
    base = f"http://127.0.0.1:{http}"
    ready = "/v2/models/home-value/ready"
    told = {"model": "home-value", "http": base, "grpc": f"http://127.0.0.1:{grpc}", "ready": ready}
    print(json.dumps(told | {"command": command, "environment": {}}))


if __name__ == "__main__":
    main()
