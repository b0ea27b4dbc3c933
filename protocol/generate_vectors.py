"""Write `fairwire_protocol/vectors/golden.json` from the types and their examples.

    python protocol/generate_vectors.py            write the file
    python protocol/generate_vectors.py --check    fail if the file is not what the types say

The file is part of the protocol: a change in it is a change of the wire, to be looked at before it is committed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import msgspec

from fairwire_protocol.codec import JSON, MSGPACK, PROTOCOL
from wire_examples import examples

TARGET: Final = Path(__file__).parent / "fairwire_protocol" / "vectors" / "golden.json"


def generate() -> str:
    """One vector a line, so that a change shows as the lines it changes."""
    plain = examples(JSON)
    lines = [
        json.dumps(
            {
                "name": name,
                "value": json.loads(msgspec.json.encode(plain[name])),
                "msgpack": MSGPACK.encode(value).hex(),
            },
            ensure_ascii=False,
        )
        for name, value in examples(MSGPACK).items()
    ]
    return f'{{"protocol": {PROTOCOL}, "vectors": [\n' + ",\n".join(lines) + "\n]}\n"


def main() -> int:
    """Write, or check."""
    fresh = generate()
    if "--check" in sys.argv[1:]:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != fresh:
            sys.stderr.write(f"{TARGET.name} is stale; run python protocol/generate_vectors.py\n")
            return 1
        return 0
    TARGET.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
