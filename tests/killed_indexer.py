"""A process that starts the indexer again and again, and kills it or keeps it short: `python killed_indexer.py HOME DOCS`.

It has imported everything and started no thread, and forks, so that each indexer is a process of its own that reads,
cuts, embeds and publishes as `wenju index` does, without the seconds that Python takes to start. One JSON job a line on
standard input, one result a line on standard output.
"""

import hashlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

import faiss  # noqa: F401  (imported once, not in every process)
import tantivy  # noqa: F401
from fakes import HashEmbedder

from rag.config import Settings
from rag.errors import WenjuError
from rag.index import Index, check
from rag.pipeline import Pipeline, build_index
from rag.spelling import _same_sound
from rag.text import bigrams, normalise, words

QUESTIONS = ("春节期间值班电话是多少？", "白水县教育局的值班要求是什么？", "青川市民政局什么时候发的通知？", "放假几天？")


def answers(pipeline: Pipeline) -> str:
    """Digest of all that the canary questions get, timings aside."""
    said = []
    for question in QUESTIONS:
        answer, found = pipeline.ask(question), pipeline.search(question)
        said.append([answer.status, answer.answer, [[c.document_id, c.start, c.end, c.quote] for c in answer.citations],
                     [[h.document.id, h.passage.text, round(h.score, 6)] for h in found.hits]])
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def do(job: str, settings: Settings, docs: Path) -> dict:
    """What one job gives."""
    if job == "index":
        return {"generation": build_index(settings, [docs], embedder=HashEmbedder()).generation}
    index = Index.open(settings.index)
    if job == "check":
        return {"problems": check(settings.index)}
    return {"generation": index.generation, "fallback": index.fallback, "answers": answers(Pipeline(settings, index, HashEmbedder()))}


def keep_short(most: dict[str, int]) -> None:
    """Lets this process have no more than so many: bytes of memory (AS) and open files (NOFILE) beyond what it has now,
    bytes in a file (FSIZE)."""
    now = {"AS": int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize(), "NOFILE": len(list(Path("/proc/self/fd").iterdir()))}
    for name, more in most.items():
        limit = now.get(name, 0) + more
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Forks for each job; one with a time to live is killed after so many seconds, one with limits is kept to them."""
    settings, docs = Settings(home=Path(sys.argv[1]), today="2023-01-10"), Path(sys.argv[2])
    for warm in (words, bigrams, normalise):  # dictionaries are read here, not in every process
        warm(QUESTIONS[0])
    _same_sound()
    HashEmbedder().embed_query(QUESTIONS[0])
    for line in sys.stdin:
        job = json.loads(line)
        receive, send = os.pipe()
        began = time.perf_counter()
        if not (pid := os.fork()):
            try:
                keep_short(job.get("most", {}))
                result = do(job["do"], settings, docs)
            except WenjuError as error:
                result = {"refused": str(error)}
            except BaseException:
                result = {"error": traceback.format_exc()}
            os.write(send, json.dumps(result).encode())
            os._exit(0)
        os.close(send)
        if "seconds" in job:
            time.sleep(job["seconds"])
            os.kill(pid, signal.SIGKILL)
        with os.fdopen(receive, "rb") as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        result = json.loads(said) if said else {"killed": True}
        sys.stdout.write(json.dumps({**result, "seconds": time.perf_counter() - began}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
