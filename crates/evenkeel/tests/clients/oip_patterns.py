"""Does with the unmodified tritonclient what its published examples do, over HTTP and gRPC, and prints what it made of it.

Usage: oip_patterns.py HTTP GRPC MODEL [ECHO]; HTTP and GRPC are addresses (http://HOST:PORT). MODEL takes `x`, FP32 [n, 8], and gives
`score`; ECHO, where there is one, gives back the BYTES of `text`. Prints one JSON line a case: {"case", "ok", "detail"}. `ok` says that
the client got what the case is about: an answer, or for the cases that are named in REFUSED an exception whose text is `detail`.
"""

import asyncio
import json
import queue
import sys
from collections.abc import Callable

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from tritonclient.utils import InferenceServerException

ROWS = np.array([[6.0553, 29.0, 6.21827, 1.03723, 1457.0, 2.46531, 33.8, -118.08]] * 3, dtype=np.float32)
TEXTS = np.array(["", "é".encode(), b"\x00\xff not UTF-8"], dtype=object)

REFUSED = {
    "http shared memory",
    "http repository",
    "http statistics",
    "http trace",
    "http sequence",
    "grpc shared memory",
    "grpc repository",
    "grpc statistics",
    "grpc trace",
    "grpc sequence",
    "grpc shared memory in a tensor",
    "http shared memory in a tensor",
}


def host(address: str) -> str:
    return address.split("://")[-1].rstrip("/")


class Asking:
    def __init__(self, http_at: str, grpc_at: str, model: str, echo: str | None) -> None:
        self.at = (host(http_at), host(grpc_at))
        self.http = http.InferenceServerClient(self.at[0], network_timeout=20.0, concurrency=2)
        self.grpc = grpc.InferenceServerClient(self.at[1])
        self.model, self.echo = model, echo

    def rows(self, module):
        x = module.InferInput("x", list(ROWS.shape), "FP32")
        x.set_data_from_numpy(ROWS)
        return [x]

    def fine(self, answer) -> str:
        score = answer.as_numpy("score")
        assert score is not None and len(score) == len(ROWS) and np.isfinite(score).all(), score
        return str(score.shape)

    def texts(self, module, client, **more) -> str:
        text = module.InferInput("text", [len(TEXTS)], "BYTES")
        text.set_data_from_numpy(TEXTS)
        back = client.infer(self.echo, [text], **more).as_numpy("text")
        assert list(back) == [it if isinstance(it, bytes) else it.encode() for it in TEXTS], back
        return str(back)

    def http_async(self) -> str:
        handles = [self.http.async_infer(self.model, self.rows(http)) for _ in range(4)]
        return self.fine([it.get_result() for it in handles][-1])

    async def http_aio(self) -> str:
        async with http_aio.InferenceServerClient(self.at[0]) as client:
            answers = await asyncio.gather(*(client.infer(self.model, self.rows(http)) for _ in range(4)))
        return self.fine(answers[-1])

    def grpc_async(self) -> str:
        done: queue.Queue = queue.Queue()
        for _ in range(4):
            self.grpc.async_infer(self.model, self.rows(grpc), lambda result, error: done.put((result, error)))
        for _ in range(4):
            result, error = done.get(timeout=20)
            assert error is None, error
        return self.fine(result)

    async def grpc_aio(self) -> str:
        async with grpc_aio.InferenceServerClient(self.at[1]) as client:
            answers = await asyncio.gather(*(client.infer(self.model, self.rows(grpc)) for _ in range(4)))
        return self.fine(answers[-1])

    def grpc_stream(self) -> str:
        done: queue.Queue = queue.Queue()
        self.grpc.start_stream(lambda result, error: done.put((result, error)))
        for at in range(3):
            self.grpc.async_stream_infer(self.model, self.rows(grpc), request_id=str(at))
        seen = []
        for _ in range(3):
            result, error = done.get(timeout=20)
            assert error is None, error
            self.fine(result)
            seen.append(result.get_response().id)
        self.grpc.stop_stream()
        assert seen == ["0", "1", "2"], seen
        return str(seen)

    def options(self, module, client) -> str:
        answer = client.infer(self.model, self.rows(module), request_id="mine", timeout=500_000, priority=1)
        head = answer.get_response()
        assert (head["id"] if module is http else head.id) == "mine", head
        return self.fine(answer)

    def region(self, module) -> list:
        x = module.InferInput("x", list(ROWS.shape), "FP32")
        x.set_shared_memory("region", ROWS.nbytes)
        return [x]


def true(value: bool) -> str:
    assert value is True, value
    return "true"


def named(value) -> str:
    name = value["name"] if isinstance(value, dict) else value.name
    assert name, value
    return name


def cases(it: Asking) -> dict[str, Callable[[], object]]:
    """The cases, by name."""
    over: dict[str, Callable[[], object]] = {}
    for name, module, client in (("http", http, it.http), ("grpc", grpc, it.grpc)):
        over |= {
            f"{name} live": lambda client=client: true(client.is_server_live()),
            f"{name} ready": lambda client=client: true(client.is_server_ready()),
            f"{name} model ready": lambda client=client: true(client.is_model_ready(it.model)),
            f"{name} server metadata": lambda client=client: named(client.get_server_metadata()),
            f"{name} model metadata": lambda client=client: named(client.get_model_metadata(it.model)),
            f"{name} infer": lambda m=module, c=client: it.fine(c.infer(it.model, it.rows(m))),
            f"{name} one output": lambda m=module, c=client: it.fine(
                c.infer(it.model, it.rows(m), outputs=[m.InferRequestedOutput("score")])
            ),
            f"{name} options": lambda m=module, c=client: it.options(m, c),
            f"{name} version": lambda m=module, c=client: it.fine(c.infer(it.model, it.rows(m), model_version="1")),
            f"{name} shared memory": lambda c=client: c.register_system_shared_memory("region", "/region", 64),
            f"{name} shared memory in a tensor": lambda m=module, c=client: c.infer(it.model, it.region(m)),
            f"{name} repository": lambda c=client: c.load_model(it.model),
            f"{name} statistics": lambda c=client: c.get_inference_statistics(it.model),
            f"{name} trace": lambda c=client: c.get_trace_settings(),
            f"{name} sequence": lambda m=module, c=client: c.infer(
                it.model, it.rows(m), sequence_id=7, sequence_start=True
            ),
        }
        if it.echo:
            over[f"{name} bytes"] = lambda m=module, c=client: it.texts(m, c)
    return over | {
        "http gzip": lambda: it.fine(
            it.http.infer(
                it.model,
                it.rows(http),
                request_compression_algorithm="gzip",
                response_compression_algorithm="gzip",
            )
        ),
        "http deflate": lambda: it.fine(
            it.http.infer(it.model, it.rows(http), request_compression_algorithm="deflate")
        ),
        "http async": it.http_async,
        "http asyncio": lambda: asyncio.run(it.http_aio()),
        "grpc gzip": lambda: it.fine(it.grpc.infer(it.model, it.rows(grpc), compression_algorithm="gzip")),
        "grpc timeout": lambda: it.fine(it.grpc.infer(it.model, it.rows(grpc), client_timeout=10.0)),
        "grpc async": it.grpc_async,
        "grpc asyncio": lambda: asyncio.run(it.grpc_aio()),
        "grpc stream": it.grpc_stream,
    }


def seen(case: str, call: Callable[[], object]) -> dict:
    """Returns what a case prints."""
    try:
        return {"case": case, "ok": case not in REFUSED, "detail": str(call())[:300]}
    except InferenceServerException as error:
        return {"case": case, "ok": case in REFUSED, "detail": f"{error.status()}: {error.message()}"[:300]}
    except Exception as error:
        return {"case": case, "ok": False, "detail": f"{type(error).__name__}: {error}"[:300]}


def main() -> None:
    http_at, grpc_at, model, *echo = sys.argv[1:]
    asking = Asking(http_at, grpc_at, model, echo[0] if echo else None)
    told = []
    for case, call in cases(asking).items():
        told.append(seen(case, call))
        print(json.dumps(told[-1]), flush=True)
    asking.http.close()
    asking.grpc.close()
    sys.exit(0 if all(it["ok"] for it in told) else 1)


if __name__ == "__main__":
    main()
