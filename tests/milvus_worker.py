"""A process that works on an index whose vectors a Milvus server holds: `python milvus_worker.py JOB URI NAME FOLDER DOCS`.

index: brings the index up to date, two rows at a time and slowly, so that it can be killed in the middle.
K/N: embeds that part of the documents, two passages at a time and slowly.
search: one query a line on standard input, the texts of its hits as JSON on standard output; takes up new generations.
"""

import json
import sys
import time
from pathlib import Path

from fakes import HashEmbedder
from index_fakes import cut, index_of, load

import rag.index.parts
import rag.stores.milvus
from rag.index import Engine, Index, Part, fill_part
from rag.stores.milvus import Milvus
from rag.stores.milvus_parts import Parts


def search(engine: Engine, folder: Path) -> None:
    index = engine.attach(Index.open(folder))
    for line in sys.stdin:
        if Index.published(folder) != index.generation:
            index = engine.attach(Index.open(folder))
        rows, _ = index.vectors.search(HashEmbedder().embed_query(line.strip()).vector, 5)
        print(json.dumps([index.generation, [index.passage(int(row)).text for row in rows]]), flush=True)  # noqa: T201


def part(engine: Engine, folder: Path, docs: Path, part: Part) -> None:
    rag.index.parts._WAITING = 2
    put = Parts.put

    def slowly(self: Parts, values: dict[bytes, bytes]) -> None:
        put(self, values)
        print(len(values), flush=True)  # noqa: T201
        time.sleep(0.1)

    Parts.put = slowly
    done = fill_part(folder, [docs], part, load, cut, HashEmbedder(), engine)
    print(json.dumps([done.files, done.passages, done.embedded, done.reused]))  # noqa: T201


def main() -> None:
    job, uri, name, folder, docs = sys.argv[1:]
    engine = Engine(Milvus(uri, name), Path(folder))
    if job == "search":
        return search(engine, Path(folder))
    if "/" in job:
        return part(engine, Path(folder), Path(docs), Part.parse(job))
    rag.stores.milvus._BATCH = 2
    made = rag.stores.milvus._records

    def slowly(start: int, *rows: object) -> list:
        print(start, flush=True)  # noqa: T201
        time.sleep(0.3)
        return made(start, *rows)

    rag.stores.milvus._records = slowly
    index_of(Path(folder), Path(docs), engine=engine)


if __name__ == "__main__":
    main()
