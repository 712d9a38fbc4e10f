"""Weight files as their own programs write them, with the values that those programs read back.

Pinned: torch 2.15.0, numpy 2.4.6, gguf 0.19.0, transformers 4.57.6, peft 0.21.2, safetensors 0.8.0. Run from the repository's root:

    python goldens/weights/gen.py

Writes into goldens/weights: torch/ (state dictionaries), blocks.gguf (blocks of every type with what they stand for),
adapters.npz (numpy's archive), peft/ and peft_rslora/ (a tiny model, an adapter, the merged model).
"""

import collections
import json
import pathlib
import shutil

import gguf
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).resolve().parent


def described(tensor: torch.Tensor) -> dict:
    return {"shape": list(tensor.shape), "values": tensor.detach().float().flatten().tolist()}


def torch_files() -> None:
    folder = HERE / "torch"
    folder.mkdir(exist_ok=True)
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7 - 1
    state = collections.OrderedDict(
        plain=base,
        transposed=base.t(),
        every_second=base[1:, ::2],
        deep=torch.arange(24, dtype=torch.float32).reshape(2, 3, 4).permute(2, 0, 1),
        half=base.half(),
        brain=base.bfloat16(),
        brain_row=base.bfloat16()[2],
        parameter=torch.nn.Parameter(base * 2),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 6),
        whole_numbers=torch.arange(3),
    )
    torch.save(state, folder / "layouts.bin")
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    torch.save(module.state_dict(), folder / "module.bin")
    torch.save(dict(state=state), folder / "nested.bin")
    torch.save(module, folder / "whole_module.bin")
    torch.save({"plain": base}, folder / "legacy.bin", _use_new_zipfile_serialization=False)
    values = {name: described(tensor) for name, tensor in state.items() if tensor.is_floating_point()}
    module_values = {name: described(tensor) for name, tensor in module.state_dict().items()}
    (folder / "values.json").write_text(json.dumps({"layouts": values, "module": module_values}) + "\n")


TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]

# Where the half-precision scales of a block lie; everything else may be any bits.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}


def blocks() -> None:
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(HERE / "blocks.gguf", "llama")
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        n_values, n_bytes = gguf.GGML_QUANT_SIZES[kind]
        stored = random.integers(0, 256, (2, 512 // n_values * n_bytes), dtype=np.uint8)
        for row in stored:
            for begin in range(0, row.size, n_bytes):
                for at in SCALES[name]:
                    scale = np.float16(random.uniform(-0.1, 0.1)).tobytes()
                    row[begin + at : begin + at + 2] = np.frombuffer(scale, np.uint8)
        writer.add_tensor(name, stored, raw_dtype=kind)
        writer.add_tensor(f"{name}.values", gguf.quants.dequantize(stored, kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def npz() -> None:
    def array(shape: tuple[int, int], dtype: type) -> np.ndarray:
        return (np.arange(shape[0] * shape[1]).reshape(shape) / 8 - 1).astype(dtype)

    module = "model.layers.3.self_attn.{}_proj.lora_{}"
    np.savez(
        HERE / "adapters.npz",
        **{
            module.format("q", "a"): array((6, 2), np.float32),
            module.format("q", "b"): array((2, 4), np.float16),
            module.format("v", "a"): np.asfortranarray(array((6, 2), np.float32)),
            module.format("v", "b"): array((2, 3), np.float32),
        },
    )


def peft(name: str, **options) -> None:
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=24, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).float()
    model.save_pretrained(folder / "base")
    (folder / "base" / "generation_config.json").unlink()
    lora = LoraConfig(r=3, lora_alpha=7, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM", **options)
    adapted = get_peft_model(model, lora)
    for key, parameter in adapted.named_parameters():
        if "lora_" in key:
            torch.nn.init.normal_(parameter, std=0.3)
    adapted.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    path = folder / "adapter" / "adapter_config.json"
    described = json.loads(path.read_text())
    described["base_model_name_or_path"] = "base"
    path.write_text(json.dumps(described, indent=2) + "\n")
    merged = adapted.merge_and_unload().state_dict()
    save_file({key: value.contiguous() for key, value in merged.items()}, folder / "merged.safetensors")


torch_files()
blocks()
npz()
peft("peft")
peft("peft_rslora", use_rslora=True, rank_pattern={"down_proj": 2})
