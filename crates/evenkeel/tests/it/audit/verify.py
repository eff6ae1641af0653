"""A verifier of Evenkeel's audit log that shares nothing with Evenkeel: Python's library, and OpenSSL for Ed25519.

usage: verify.py LOG VKEY. Prints the size, or what is wrong. Source: C2SP tlog-tiles, tlog-checkpoint, signed-note; RFC 6962.
"""

import base64, gzip, hashlib, json, pathlib, subprocess, sys, tempfile


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha()
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\x01", root(hashes[:half]), root(hashes[half:]))


def signed(text, signature, public):
    """Ed25519 by openssl: what is signed, the 64 bytes, and the 32 bytes of the key in an X.509 frame (RFC 8410)."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + public)
        (folder / "text").write_bytes(text)
        (folder / "signature").write_bytes(signature)
        command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile signature"
        return subprocess.run(command.split(), cwd=folder, capture_output=True).returncode == 0


def name(level, n, width):
    digits = f"{n:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    index = "/".join(["x" + it for it in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{index}" + (f".p/{width}" if width < 256 else "")


def main(log, vkey):
    log = pathlib.Path(log)
    origin, number, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1 and sha(origin.encode(), b"\n", key)[:4].hex() == number, "the key"
    text, lines = (log / "checkpoint").read_bytes().split(b"\n\n")
    text += b"\n"
    said, size, top = text.decode().splitlines()
    size = int(size)
    (line,) = [it for it in lines.decode().splitlines() if it.startswith(f"— {origin} ")]
    signature = base64.b64decode(line.split(" ")[2])
    assert said == origin and signature[:4].hex() == number, "the name of the log"
    assert signed(text, signature[4:], key[1:]), "the signature"

    leaves, batches = [], []
    for n in range(-(-size // 256)):
        width = min(256, size - n * 256)
        bundle, at, hashes = (log / name("entries", n, width)).read_bytes(), 0, []
        while at < len(bundle):
            length = int.from_bytes(bundle[at : at + 2], "big")
            entry = bundle[at + 2 : at + 2 + length]
            read, prev = json.loads(entry), (leaves + hashes)[-1] if leaves or hashes else bytes(32)
            assert read["seq"] == len(leaves) + len(hashes) and read["prev"] == prev.hex(), f"the chain at {read['seq']}"
            assert json.dumps(read, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == entry, "its form"
            hashes.append(sha(b"\x00", entry))
            batches += [read["data"]] if read["type"] == "decision.batch" else []
            at += 2 + length
        assert len(hashes) == width, f"bundle {n}"
        leaves += hashes
    assert base64.b64encode(root(leaves)).decode() == top, "the root"

    level, hashes = 0, leaves
    while hashes:
        for n in range(-(-len(hashes) // 256)):
            tile = hashes[n * 256 : n * 256 + 256]
            assert (log / name(level, n, len(tile))).read_bytes() == b"".join(tile), f"tile {level} {n}"
        hashes = [root(hashes[n * 256 : n * 256 + 256]) for n in range(len(hashes) // 256)]
        level += 1

    for batch in batches:
        file = (log.parent / "instances" / batch["segment"]).read_bytes()
        lines = gzip.decompress(file).split(b"\n")[:-1]
        assert hashlib.sha256(file).hexdigest() == batch["file_sha256"], batch["segment"]
        assert root([sha(b"\x00", it) for it in lines]).hex() == batch["merkle_root"], batch["segment"]
        counts = {}
        for record in map(json.loads, lines):
            tier = record["tier"] if "tier" in record else record["outcome"]["tier"]
            tiers, tier = counts.setdefault(record["route"], {}), "none" if tier is None else str(tier)
            tiers[tier] = tiers.get(tier, 0) + 1
        form = json.dumps(counts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        named = {"bytes": len(form), "sha256": hashlib.sha256(form).hexdigest()}
        assert len(lines) == batch["count"] and batch["by_route"] in (counts, named), batch["segment"]
    print(f"{size} entries, {len(batches)} segments")


main(*sys.argv[1:])
