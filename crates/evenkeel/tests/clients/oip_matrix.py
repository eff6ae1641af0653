"""Asks models with one unmodified client of the Open Inference Protocol, and prints what it made of the answers.

Usage: oip_matrix.py CLIENT HTTP GRPC MODEL...; CLIENT is one of `CLIENTS`, HTTP and GRPC are addresses (http://HOST:PORT, or
https://HOST:PORT, whose certificate is of the issuer in the file that the variable `OIP_CA` names). Each
model takes `x`, FP32 [n, 8], and gives `score`. Prints one JSON line a model: {"client", "model", "ok", "scores", "detail"};
`ok` says that two rows went in and two scores came out, `detail` what went wrong.
"""

import asyncio
import json
import os
import sys

import numpy as np

ROWS = np.array(
    [
        [6.0553, 29.0, 6.21827, 1.03723, 1457.0, 2.46531, 33.8, -118.08],
        [3.5, 12.0, 5.1, 1.1, 900.0, 3.1, 34.2, -118.3],
    ],
    dtype=np.float32,
)


def host(address: str) -> str:
    return address.split("://")[-1].rstrip("/")


def issuer(address: str) -> str | None:
    return os.environ["OIP_CA"] if address.startswith("https://") else None


def tritonclient_http(binary: bool):
    def ask(http: str, grpc: str, model: str) -> np.ndarray:
        import tritonclient.http as triton

        ca = issuer(http)
        tls = {"ssl": True, "ssl_options": {"ca_certs": ca}} if ca else {}
        client = triton.InferenceServerClient(host(http), network_timeout=20.0, **tls)
        x = triton.InferInput("x", list(ROWS.shape), "FP32")
        x.set_data_from_numpy(ROWS, binary_data=binary)
        wanted = [triton.InferRequestedOutput("score", binary_data=binary)]
        scores = client.infer(model, [x], outputs=wanted).as_numpy("score")
        client.close()
        return scores

    return ask


def tritonclient_grpc(http: str, grpc: str, model: str) -> np.ndarray:
    import tritonclient.grpc as triton

    ca = issuer(grpc)
    client = triton.InferenceServerClient(host(grpc), ssl=ca is not None, root_certificates=ca)
    x = triton.InferInput("x", list(ROWS.shape), "FP32")
    x.set_data_from_numpy(ROWS)
    scores = client.infer(model, [x], client_timeout=20.0).as_numpy("score")
    client.close()
    return scores


def kserve_request(model: str, binary: bool):
    from kserve import InferInput, InferRequest

    x = InferInput(name="x", shape=list(ROWS.shape), datatype="FP32")
    x.set_data_from_numpy(ROWS, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=[x])


def kserve_rest(binary: bool):
    async def asking(http: str, model: str) -> np.ndarray:
        from kserve import InferenceRESTClient, RESTConfig

        verify = issuer(http) or True
        async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0, timeout=20, verify=verify)) as client:
            answer = await client.infer(http, kserve_request(model, binary), model_name=model)
        return next(it for it in answer.outputs if it.name == "score").as_numpy()

    return lambda http, grpc, model: asyncio.run(asking(http, model))


def kserve_grpc(http: str, grpc: str, model: str) -> np.ndarray:
    async def asking() -> np.ndarray:
        from kserve import InferenceGRPCClient

        ca = issuer(grpc)
        client = InferenceGRPCClient(host(grpc), use_ssl=ca is not None, root_certificates=ca, retries=0, timeout=20)
        answer = await client.infer(kserve_request(model, True))
        await client.close()
        return next(it for it in answer.outputs if it.name == "score").as_numpy()

    return asyncio.run(asking())


CLIENTS = {
    "tritonclient-http-json": tritonclient_http(False),
    "tritonclient-http-binary": tritonclient_http(True),
    "tritonclient-grpc": tritonclient_grpc,
    "kserve-rest-json": kserve_rest(False),
    "kserve-rest-binary": kserve_rest(True),
    "kserve-grpc": kserve_grpc,
}


def seen(name: str, http: str, grpc: str, model: str) -> dict:
    told = {"client": name, "model": model, "ok": False, "scores": [], "detail": ""}
    try:
        scores = np.asarray(CLIENTS[name](http, grpc, model), dtype=np.float64).flatten()
        told["scores"] = scores.tolist()
        told["ok"] = len(scores) == len(ROWS) and bool(np.isfinite(scores).all())
    except Exception as error:
        told["detail"] = f"{type(error).__name__}: {error}"[:300]
    return told


def main() -> None:
    name, http, grpc, *models = sys.argv[1:]
    for model in models:
        print(json.dumps(seen(name, http, grpc, model)), flush=True)


if __name__ == "__main__":
    main()
