#!/usr/bin/env python3
"""Makes the documents of `help-centre` of the Cargo Book, as it comes with a Rust toolchain.

    import.py BOOK VERSION DAY    the book's folder, the version of Cargo, and the day on which somebody looked at the pages:
    import.py "$(rustc --print sysroot)/share/doc/rust/html/cargo" 1.95.0 2026-11-26

Rules: a page is split at its second-level headings, and a part above 6,000 characters at its third-level ones too; a part below
400 characters stays with the one before it. A command's page is one document, of which the synopsis and the lists of options,
environment and exit states are left out: they are the same on forty pages. Lists of contents, the change log, the list of unstable
features and commands that are gone are left out. What is kept is kept as it is, but for the links and the buttons of headings.

Each document gets the questions that it answers, of `asked.jsonl` beside this file.
"""

import html
import json
import re
import sys
from pathlib import Path

OUT = Path(__file__).parent / "help-centre"
ASKED = Path(__file__).parent / "asked.jsonl"
SKIP = ("CHANGELOG", "unstable", "index", "toc", "print", "deprecated-and-removed", "cargo-git-checkout",
        "cargo-read-manifest", "cargo-verify-project")
LEFT_OUT = ("NAME", "OPTIONS", "ENVIRONMENT", "EXIT STATUS", "SEE ALSO", "SYNOPSIS")


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def words(markup):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", markup))).strip()


def split(body, level):
    """Returns (heading, markup) of the parts at a level; the first has no heading."""
    pieces = re.split(rf"<h{level} id=\"[^\"]*\">(.*?)</h{level}>", body, flags=re.S)
    headings = [None] + [words(it) for it in pieces[1::2]]
    return list(zip(headings, (it.strip() for it in pieces[0::2])))


def merged(parts):
    """Leaves short parts with the one before."""
    kept = []
    for heading, body in parts:
        if kept and len(body) < 400:
            kept[-1] = (kept[-1][0], f"{kept[-1][1]}\n<h2>{html.escape(heading or '')}</h2>\n{body}")
        else:
            kept.append((heading, body))
    return kept


def documents(page, is_command):
    """Returns (title, markup) of the documents of a page."""
    main = re.search(r"<main>(.*?)</main>", page, flags=re.S)[1]
    heading = re.search(r"<h1[^>]*>(.*?)</h1>", main, flags=re.S)
    title, body = words(heading[1]), main.replace(heading[0], "", 1)
    body = re.sub(r"</?a\b[^>]*>", "", body)
    parts = split(body, 2)
    if is_command:
        name = next((words(body) for heading, body in parts if heading == "NAME"), "")
        kept = [f"<h2>{html.escape(heading)}</h2>\n{body}" if heading else body for heading, body in parts if heading not in LEFT_OUT]
        return [(name.replace("cargo-", "cargo ", 1).replace(" —", ":", 1) or title, "\n".join(kept))]
    finer = []
    for heading, body in parts:
        for inner, part in split(body, 3) if len(body) > 6000 else [(None, body)]:
            finer.append((" › ".join(it for it in (heading, inner) if it) or None, part))
    return [(f"{title}: {heading}" if heading else title, body) for heading, body in merged(finer)]


def main(book, version, day):
    OUT.mkdir(exist_ok=True)
    for old in OUT.glob("*.html"):
        old.unlink()
    asked = {it["id"]: it["questions"] for it in map(json.loads, ASKED.read_text().splitlines())}
    total = size = 0
    for path in sorted(Path(book).rglob("*.html")):
        page = path.read_text()
        if path.stem in SKIP or path.stem.endswith("-commands") or "<main>" not in page:
            continue
        is_command = path.parent.name == "commands"
        for title, body in documents(page, is_command):
            if len(words(body)) < 100:
                continue
            heading = "" if is_command or ": " not in title else "-" + title.split(": ", 1)[1].split(" › ")[-1]
            stem = slug(path.stem.removeprefix("cargo-") + heading)[:80].strip("-")
            assert not (OUT / f"{stem}.html").exists(), stem
            source = f"https://doc.rust-lang.org/{version}/cargo/{path.relative_to(book)}"
            head = [f"<title>{html.escape(title, quote=False)}</title>"]
            head += [f'<meta name="{name}" content="{value}">' for name, value in
                     (("id", stem), ("verified_at", day), ("source", source))]
            head += [f'<meta name="question" content="{html.escape(it)}">' for it in asked.pop(stem, [])]
            text = '<!doctype html>\n<html lang="en">\n<head>\n' + "\n".join(head) + f"\n</head>\n<body>\n{body.strip()}\n</body>\n</html>\n"
            (OUT / f"{stem}.html").write_text(re.sub(r"[ \t]+$", "", text, flags=re.M))
            total, size = total + 1, size + len(text)
    print(f"{total} documents, {size} characters; questions of documents that are gone: {sorted(asked) or 'none'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
