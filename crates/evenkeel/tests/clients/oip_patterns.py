"""Does with the unmodified tritonclient what its published examples do, over HTTP and gRPC, and prints what it made of it.

Usage: oip_patterns.py HTTP GRPC MODEL [ECHO SUM BRIEF]; HTTP and GRPC are addresses (http://HOST:PORT). MODEL takes `x`, FP32 [n, 8], and gives
`score`; ECHO, where there is one, gives back the BYTES of `text`, SUM adds up the `number` of a sequence into `total`, and BRIEF does
so and forgets it within a second. Prints one JSON line a case: {"case", "ok", "detail"}. `ok` says that
the client got what the case is about: an answer, or for the cases that are named in REFUSED an exception whose text is `detail`.
"""

import asyncio
import json
import queue
import sys
import time
from collections.abc import Callable

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from tritonclient.utils import InferenceServerException

ROWS = np.array([[6.0553, 29.0, 6.21827, 1.03723, 1457.0, 2.46531, 33.8, -118.08]] * 3, dtype=np.float32)
TEXTS = np.array(["", "é".encode(), b"\x00\xff not UTF-8"], dtype=object)

# What is sent in a sequence, and what comes back; and the ids of two of them, of either kind.
NUMBERS, TOTALS = [11, 7, 5, 3, 2, 0, 1], [11, 18, 23, 26, 28, 28, 29]
NAMES = [1_000_001, "año"]

REFUSED = {
    "http shared memory",
    "http repository",
    "http statistics",
    "http trace",
    "grpc shared memory",
    "grpc repository",
    "grpc statistics",
    "grpc trace",
    "grpc shared memory in a tensor",
    "http shared memory in a tensor",
}


def host(address: str) -> str:
    return address.split("://")[-1].rstrip("/")


class Asking:
    def __init__(self, http_at: str, grpc_at: str, model: str, echo: str | None, summing: str | None, brief: str | None) -> None:
        self.at = (host(http_at), host(grpc_at))
        self.http = http.InferenceServerClient(self.at[0], network_timeout=20.0, concurrency=2)
        self.grpc = grpc.InferenceServerClient(self.at[1])
        self.model, self.echo, self.sum, self.brief = model, echo, summing, brief

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

    def sequences(self, module, client) -> str:
        """Two sequences side by side, one call each at a time; one that is over is not gone on with."""
        seen = []
        for at, value in enumerate(NUMBERS):
            for name in NAMES:
                flags = {"sequence_start": at == 0, "sequence_end": at == len(NUMBERS) - 1}
                answer = client.infer(self.sum, number(module, value), sequence_id=name, **flags)
                seen.append(total(answer))
        assert seen == [it for it in TOTALS for _ in NAMES], seen
        for name in NAMES:
            self.lost(module, client, self.sum, name)
        return str(seen)

    def lost(self, module, client, model: str, name) -> None:
        try:
            client.infer(model, number(module, 1), sequence_id=name)
        except InferenceServerException as error:
            assert "begin it again" in error.message(), error
            assert error.status() in ("409", "StatusCode.FAILED_PRECONDITION"), error
            return
        raise AssertionError(f"{name} goes on")

    def forgotten(self, module, client) -> str:
        """A server that has forgotten a sequence has lost it, which is no fault of its client."""
        for name in NAMES:
            client.infer(self.brief, number(module, 1), sequence_id=name, sequence_start=True)
        time.sleep(1.5)
        for name in NAMES:
            self.lost(module, client, self.brief, name)
            answer = client.infer(self.brief, number(module, 5), sequence_id=name, sequence_start=True)
            assert total(answer) == 5, answer
        return "begun again"

    def sequence_stream(self) -> str:
        """Two sequences in one stream, all of it sent before anything is answered."""
        done: queue.Queue = queue.Queue()
        self.grpc.start_stream(lambda result, error: done.put((result, error)))
        for ask in turns(grpc):
            self.grpc.async_stream_infer(self.sum, **ask)
        seen = []
        for _ in range(len(NUMBERS) * len(NAMES)):
            result, error = done.get(timeout=20)
            assert error is None, error
            seen.append((result.get_response().id, total(result)))
        self.grpc.stop_stream()
        return streamed(seen)

    async def sequence_stream_aio(self) -> str:
        async def asked():
            for ask in turns(grpc):
                yield {"model_name": self.sum, **ask}

        seen = []
        async with grpc_aio.InferenceServerClient(self.at[1]) as client:
            async for result, error in client.stream_infer(asked()):
                assert error is None, error
                seen.append((result.get_response().id, total(result)))
        return streamed(seen)

    def options(self, module, client) -> str:
        answer = client.infer(self.model, self.rows(module), request_id="mine", timeout=500_000, priority=1)
        head = answer.get_response()
        assert (head["id"] if module is http else head.id) == "mine", head
        return self.fine(answer)

    def region(self, module) -> list:
        x = module.InferInput("x", list(ROWS.shape), "FP32")
        x.set_shared_memory("region", ROWS.nbytes)
        return [x]


def number(module, value: int) -> list:
    it = module.InferInput("number", [1, 1], "INT32")
    it.set_data_from_numpy(np.array([[value]], dtype=np.int32))
    return [it]


def total(answer) -> int:
    return int(answer.as_numpy("total").flatten()[0])


def turns(module):
    """The requests of two sequences, one of each in turn."""
    for at, value in enumerate(NUMBERS):
        for name in NAMES:
            flags = {"sequence_start": at == 0, "sequence_end": at == len(NUMBERS) - 1}
            yield {"inputs": number(module, value), "request_id": f"{name}_{at}", "sequence_id": name, **flags}


def streamed(seen: list) -> str:
    assert seen == [(f"{name}_{at}", it) for at, it in enumerate(TOTALS) for name in NAMES], seen
    return str(seen)


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
            # A model without a state takes it as well.
            f"{name} sequence": lambda m=module, c=client: it.fine(
                c.infer(it.model, it.rows(m), sequence_id=7, sequence_start=True, sequence_end=True)
            ),
        }
        if it.echo:
            over[f"{name} bytes"] = lambda m=module, c=client: it.texts(m, c)
        if it.sum:
            over[f"{name} sequences"] = lambda m=module, c=client: it.sequences(m, c)
            over[f"{name} forgotten sequence"] = lambda m=module, c=client: it.forgotten(m, c)
    if it.sum:
        over["grpc sequence stream"] = it.sequence_stream
        over["grpc asyncio sequence stream"] = lambda: asyncio.run(it.sequence_stream_aio())
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
    http_at, grpc_at, model, *more = sys.argv[1:]
    asking = Asking(http_at, grpc_at, model, *(more or (None, None, None)))
    told = []
    for case, call in cases(asking).items():
        told.append(seen(case, call))
        print(json.dumps(told[-1]), flush=True)
    asking.http.close()
    asking.grpc.close()
    sys.exit(0 if all(it["ok"] for it in told) else 1)


if __name__ == "__main__":
    main()
