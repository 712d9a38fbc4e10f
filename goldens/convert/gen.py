"""Golden values of the conversion to GGUF: every key and the SHA-256 of every tensor, as llama.cpp's converter has them.

Pinned: the sdist of llama-cpp-python 0.3.16, for vendor/llama.cpp/convert_hf_to_gguf.py with its gguf-py;
transformers 4.57.6, torch 2.15.0, numpy 2.4.6. Run from the repository's root:

    cargo run -p ilab-testkit --example tiny_llama -- MODELS
    python goldens/convert/gen.py MODELS LLAMA_CPP > goldens/convert/tiny_llama.json
    python goldens/convert/gen.py MODELS LLAMA_CPP families > goldens/convert/families.json
    python goldens/convert/gen.py MODELS LLAMA_CPP logits > goldens/convert/logits.json

MODELS is any new folder, LLAMA_CPP the vendor/llama.cpp folder of the unpacked sdist.
"""

import hashlib
import json
import pathlib
import sys
import tempfile
import unittest.mock

MODELS, LLAMA_CPP = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
sys.path[:0] = [str(LLAMA_CPP), str(LLAMA_CPP / "gguf-py")]

# First, because it looks for optional packages and would take the stand-ins for real ones.
import transformers  # noqa: E402, F401

# Imported by the converter for formats that are not used here.
MISTRAL = ["mistral_common.tokens.tokenizers." + name for name in ("base", "multimodal", "tekken", "sentencepiece")]
for module in ("sentencepiece", *MISTRAL):
    sys.modules[module] = unittest.mock.MagicMock()

import convert_hf_to_gguf  # noqa: E402
import gguf  # noqa: E402

TYPES = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
FAMILIES = {"mistral": "LlamaModel", "granite": "GraniteModel", "qwen2": "Qwen2Model", "qwen3": "Qwen3Model"}

# Guessed from the folder's name, which is ours to choose.
GUESSED = {"general.name", "general.basename", "general.finetune", "general.version"}

# The converter knows pre-tokenizers by a checksum over published models. The tiny tokenizer splits by ByteLevel with
# GPT-2's expression, which llama.cpp calls gpt-2.
convert_hf_to_gguf.TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"


def convert(folder: pathlib.Path, file_type: str, path: pathlib.Path) -> gguf.GGUFReader:
    converter = getattr(convert_hf_to_gguf, FAMILIES.get(folder.name, "LlamaModel"))
    model = converter(
        dir_model=folder,
        ftype=gguf.LlamaFileType[file_type],
        fname_out=path,
    )
    model.write()
    return gguf.GGUFReader(path)


def metadata(reader: gguf.GGUFReader) -> dict:
    keys = {
        key: {"type": "/".join(kind.name for kind in field.types), "value": field.contents()}
        for key, field in reader.fields.items()
        if not key.startswith("GGUF.") and key not in GUESSED
    }
    return dict(sorted(keys.items()))


def content(tensor: gguf.ReaderTensor) -> dict:
    if tensor.name == "rope_freqs.weight":
        # A power and divisions in single precision: the last bit is the mathematics library's.
        return {"values": tensor.data.tolist()}
    return {"sha256": hashlib.sha256(tensor.data.tobytes()).hexdigest()}


def tensors(reader: gguf.GGUFReader) -> dict:
    return {
        tensor.name: {
            "type": tensor.tensor_type.name,
            "dimensions": [int(size) for size in tensor.shape],
            **content(tensor),
        }
        for tensor in sorted(reader.tensors, key=lambda tensor: tensor.name)
    }


def golden(folder: pathlib.Path, types: dict = TYPES) -> dict:
    result = {
        "sources": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())
        },
        "types": {},
    }
    with tempfile.TemporaryDirectory() as scratch:
        for name, file_type in types.items():
            reader = convert(folder, file_type, pathlib.Path(scratch) / f"{name}.gguf")
            keys = metadata(reader)
            file_type_value = keys.pop("general.file_type")["value"]
            assert result.setdefault("metadata", keys) == keys, "only the file type depends on the type"
            result["types"][name] = {"file_type": file_type_value, "tensors": tensors(reader)}
    return result


def block_golden() -> dict:
    """Q8_0 blocks of values that are hard to round: halves, signs, denormals, a zero block, one outlier."""
    import numpy as np

    values = np.concatenate(
        [
            np.linspace(-1, 1, 32),
            np.arange(-16, 16) + 0.5,
            np.zeros(32),
            np.full(32, 1e-9),
            np.geomspace(1e-6, 6e4, 32) * np.where(np.arange(32) % 2, -1, 1),
            np.array([127.0] + [0.5 + i for i in range(31)]),
        ]
    ).astype(np.float32)
    blocks = gguf.quants.quantize(values.reshape(-1, 32), gguf.GGMLQuantizationType.Q8_0)
    return {"values": values.view(np.uint32).tolist(), "blocks": blocks.tobytes().hex()}


def logits(folder: pathlib.Path) -> list[float]:
    """Of the last of 60 tokens, by transformers in f32."""
    import torch

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    tokens = torch.tensor([[(position * position + 3 * position) % 250 for position in range(60)]])
    with torch.no_grad():
        return model(tokens).logits[0, -1].tolist()


def content_of(argument: str | None) -> dict:
    if argument == "logits":
        return {name: logits(MODELS / name) for name in ("plain", "like_llama3", *FAMILIES)}
    if argument == "families":
        return {"models": {name: golden(MODELS / name, {"f16": TYPES["f16"]}) for name in FAMILIES}}
    models = {name: golden(MODELS / name) for name in ("plain", "like_llama3")}
    return {"models": models, "q8_0": block_golden()}


print(json.dumps(content_of(sys.argv[3] if len(sys.argv) > 3 else None), indent=1, ensure_ascii=False))
