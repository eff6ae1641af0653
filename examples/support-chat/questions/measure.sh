#!/bin/sh
# Puts the questions that are held back to the help centre, found by words and by meaning, and prints the table of `held-back-2/README.md`.
#     measure.sh EVENKEEL INDEX URL MODEL     the binary, where the index may be, and an embeddings server (`../embedder.py`)
set -eu
example=$(cd "$(dirname "$0")/.." && pwd)
"$1" index build "$example/help-centre" -o "$2" --synonyms "$example/synonyms.txt" --embeddings "$3" --model "$4" >&2
"$1" index measure "$2" "$example"/questions/held-back-2/*.jsonl --min-score 0.5 --embeddings "$3" --model "$4"
