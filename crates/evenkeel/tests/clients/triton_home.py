"""Prepares a folder from which a real Triton answers the model `home-value`, and others that go wrong in their own ways.

Usage: triton_home.py DIR. The server's binary is the one that PyPI's nvidia-pytriton carries, run by itself on an ordinary model
repository. Prints one JSON line: {"model", "http", "grpc", "ready", "command", "environment"}: the server is started by
`command` with `environment` added, and is ready when GET of `ready` is 200.

`home-value` takes `x`, FP32 [n, 8], and gives `score`, FP32 [n, 1]; `echo` gives back BYTES; `sum` adds up `number`, INT32 [1, 1], of a
sequence into `total`, and `brief` does so with a short memory; `nan` gives what is no number;
`boom` raises; `slow` needs a second.
"""

import json
import os
import sys
import sysconfig
from pathlib import Path

from ports import free_ports

MODELS = {
    "home-value": (
        'max_batch_size: 64 input { name: "x" data_type: TYPE_FP32 dims: [8] } '
        'output { name: "score" data_type: TYPE_FP32 dims: [1] }',
        "x = pb.get_input_tensor_by_name(request, 'x').as_numpy()\n"
        "        score = 1 / (1 + np.exp(-x.sum(axis=1, keepdims=True) / 10000))\n"
        "        return [pb.Tensor('score', score.astype(np.float32))]",
    ),
    "echo": (
        'input { name: "text" data_type: TYPE_STRING dims: [-1] } output { name: "text" data_type: TYPE_STRING dims: [-1] }',
        "return [pb.Tensor('text', pb.get_input_tensor_by_name(request, 'text').as_numpy())]",
    ),
    "sum": (
        "max_batch_size: 4 sequence_batching { max_sequence_idle_microseconds: 60000000 oldest { max_candidate_sequences: 64 } "
        'control_input { name: "START" control { kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1] } } } '
        'input { name: "number" data_type: TYPE_INT32 dims: [1] } output { name: "total" data_type: TYPE_INT32 dims: [1] }',
        "number, start = (pb.get_input_tensor_by_name(request, it).as_numpy()[0, 0] for it in ('number', 'START'))\n"
        "        key = request.correlation_id()\n"
        "        self.totals[key] = int(number) + (0 if start else self.totals[key])\n"
        "        return [pb.Tensor('total', np.array([[self.totals[key]]], dtype=np.int32))]",
    ),
    "nan": (
        'max_batch_size: 64 input { name: "x" data_type: TYPE_FP32 dims: [8] } '
        'output { name: "score" data_type: TYPE_FP32 dims: [1] }',
        "x = pb.get_input_tensor_by_name(request, 'x').as_numpy()\n"
        "        return [pb.Tensor('score', np.full((len(x), 1), np.nan, dtype=np.float32))]",
    ),
    "boom": (
        'max_batch_size: 64 input { name: "x" data_type: TYPE_FP32 dims: [8] } '
        'output { name: "score" data_type: TYPE_FP32 dims: [1] }',
        "raise pb.TritonModelException('the model broke')",
    ),
    "slow": (
        'max_batch_size: 64 input { name: "x" data_type: TYPE_FP32 dims: [8] } '
        'output { name: "score" data_type: TYPE_FP32 dims: [1] }',
        "time.sleep(1)\n"
        "        x = pb.get_input_tensor_by_name(request, 'x').as_numpy()\n"
        "        return [pb.Tensor('score', np.zeros((len(x), 1), dtype=np.float32))]",
    ),
}

# The same, but it forgets a sequence of which it has heard nothing for a fifth of a second.
MODELS["brief"] = (MODELS["sum"][0].replace("60000000", "200000"), MODELS["sum"][1])

MODEL = '''import time

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    totals = {}

    def one(self, request):
        {body}

    def execute(self, requests):
        return [pb.InferenceResponse(self.one(request)) for request in requests]
'''


def prepare(folder: Path, server: Path) -> None:
    """Writes the model repository, and a folder of backends in which the stub of this Python stands beside the backend."""
    for name, (config, body) in MODELS.items():
        model = folder / "repository" / name
        (model / "1").mkdir(parents=True)
        (model / "config.pbtxt").write_text(f'backend: "python" {config}\n')
        (model / "1" / "model.py").write_text(MODEL.replace("{body}", body))
    backend = folder / "backends" / "python"
    backend.mkdir(parents=True)
    for file in (server / "backends" / "python").iterdir():
        (backend / file.name).symlink_to(file)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = "triton_python_backend_stub"
    (backend / stub).symlink_to(server / "python_backend_stubs" / version / stub)


def main() -> None:
    folder = Path(sys.argv[1])
    packages = Path(sysconfig.get_path("purelib"))
    server = packages / "pytriton" / "tritonserver"
    prepare(folder, server)
    http, grpc, metrics = free_ports(3)
    command = [
        str(server / "bin" / "tritonserver"),
        f"--model-repository={folder / 'repository'}",
        f"--backend-directory={folder / 'backends'}",
        "--http-address=127.0.0.1",
        "--grpc-address=127.0.0.1",
        f"--http-port={http}",
        f"--grpc-port={grpc}",
        f"--metrics-port={metrics}",
    ]
    # Its Python finds its packages through the first `python3` on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {"PATH": path, "LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs")}
    base = f"http://127.0.0.1:{http}"
    told = {"model": "home-value", "http": base, "grpc": f"http://127.0.0.1:{grpc}", "ready": "/v2/health/ready"}
    print(json.dumps(told | {"command": command, "environment": environment}))


if __name__ == "__main__":
    main()
