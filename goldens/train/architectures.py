"""Golden values for `ilab-train`: logits, loss and every gradient of tiny models of all supported architectures, and of
adapters on one of them.

Run: python goldens/train/architectures.py     (torch==2.15.0, transformers==4.57.6, peft==0.21.2, safetensors==0.8.0)
Writes: goldens/train/architectures.json (configurations), goldens/train/architectures.safetensors

Weights and samples are those of `gen.py`: both sides compute them exactly from the same integers.
"""

import json
import pathlib

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from gen import mean_loss, samples, weight

COMMON = dict(
    vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=10000.0, max_position_embeddings=64, hidden_act="silu",
    tie_word_embeddings=False,
)
CASES = {
    "mistral": dict(COMMON, model_type="mistral", sliding_window=4, head_dim=6),
    "mistral-without-window": dict(COMMON, model_type="mistral", sliding_window=None),
    "granite": dict(
        COMMON, model_type="granite", tie_word_embeddings=True, embedding_multiplier=6.0, attention_multiplier=0.2,
        residual_multiplier=0.22, logits_scaling=4.0,
    ),
    "granite-untied": dict(
        COMMON, model_type="granite", embedding_multiplier=12.0, attention_multiplier=0.125, residual_multiplier=0.3,
        logits_scaling=8.0,
    ),
    "qwen2": dict(COMMON, model_type="qwen2", use_sliding_window=False),
    "qwen2-tied": dict(COMMON, model_type="qwen2", tie_word_embeddings=True, rope_theta=1000000.0),
    "qwen3": dict(COMMON, model_type="qwen3", head_dim=6),
    "qwen3-tied": dict(COMMON, model_type="qwen3", head_dim=10, tie_word_embeddings=True),
    "multi-query": dict(COMMON, model_type="llama", num_key_value_heads=1, head_dim=4),
}
LORA = dict(r=3, lora_alpha=6, lora_dropout=0.0, target_modules=["q_proj", "v_proj", "o_proj", "down_proj"])


def build(config):
    arguments = {key: value for key, value in config.items() if key != "model_type"}
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(config["model_type"], **arguments), attn_implementation="eager").float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weight(name, parameter.shape))
    return model


def record(golden, case, model, name_of=lambda name: name):
    golden[f"{case}.logits"] = torch.cat([model(input_ids=ids[None]).logits[0] for ids, _ in samples()]).detach()
    loss = mean_loss(model)
    loss.backward()
    golden[f"{case}.loss"] = loss.detach().reshape(1)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            golden[f"{case}.gradient.{name_of(name)}"] = parameter.grad.clone()


def adapted():
    """A Llama with adapters whose second matrices are not zero, as after some steps."""
    config = dict(COMMON, model_type="llama")
    model = get_peft_model(build(config), LoraConfig(**LORA))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(weight(plain(name), parameter.shape))
    return config, model


def plain(name):
    """The name of an adapter's matrix after that of its module."""
    return name.removeprefix("base_model.model.").replace(".default", "")


def main():
    golden, configs = {}, dict(CASES)
    for case, config in CASES.items():
        record(golden, case, build(config))
    config, model = adapted()
    configs["lora"] = config
    record(golden, "lora", model, plain)
    merged = model.merge_and_unload()
    for name in ["model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight"]:
        golden[f"lora.merged.{name}"] = merged.get_parameter(name).detach().clone()
    folder = pathlib.Path(__file__).parent
    folder.joinpath("architectures.json").write_text(json.dumps(configs, indent=1) + "\n")
    save_file({name: tensor.contiguous() for name, tensor in golden.items()},
              folder.joinpath("architectures.safetensors"))


if __name__ == "__main__":
    main()
