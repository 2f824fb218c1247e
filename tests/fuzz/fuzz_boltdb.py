"""Coverage-guided fuzzing of the reader, where atheris is installed: `python tests/fuzz/fuzz_boltdb.py CORPUS_DIR`.

The corpus directory is seeded with whole files when it is empty. What crashes is written by atheris to `crash-*`.
"""

# ruff: noqa: PLC0415 - atheris instruments what is imported after it

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY / "operator")]


def main() -> None:
    try:
        import atheris  # type: ignore[import-not-found]  # optional: not in the lock
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris, or run the deterministic loop: pytest tests/fuzz")
    with atheris.instrument_imports(include=["etcd_dr"]):
        from fuzz.boltdb_mutations import explore, seeds

    corpus = Path(next((argument for argument in sys.argv[1:] if not argument.startswith("-")), ".fuzz"))
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed.raw())
    atheris.Setup(sys.argv, explore)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
