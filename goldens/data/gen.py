"""Golden values of training data: token ids with labels, renderings of the built-in templates, and rendered chats taken apart,
as instructlab-training has them.

Pinned: instructlab-training 0.11.1, transformers 4.57.6, tokenizers 0.22.2 (datasets 3.6.0 and the other imports of the
first: any). Run from the repository's root:

    python goldens/data/gen.py

Writes: goldens/data/masks.json, templates.json, prerendered.json

The templates and the vocabularies of single bytes are those of crates/ilab-text/tests/masks.
"""

import json
import pathlib

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from instructlab.training import data_process
from instructlab.training.chat_templates import ibm_generic_tmpl, ibm_legacy_tmpl, mistral_tmpl

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "crates/ilab-text/tests/masks/templates"
QWEN = ["<|endoftext|>", "<|im_end|>", "<|im_start|>"]
# Special tokens in the order of their ids: the first is bos, the second eos unless there is one for both.
FAMILIES = {
    "granite3": (["<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>"], 0),
    "llama3": (["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"], 1),
    "mistral3": (["<s>", "</s>", "[INST]", "[/INST]"], 1),
    "qwen2": (QWEN, 1),
    "qwen3": (QWEN, 1),
    "phi3": (["<s>", "<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"], 1),
    "gemma": (["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"], 1),
}


def tokenizer(family):
    special, eos = FAMILIES[family]
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = [chr(byte) if byte in printed else chr(256 + others.index(byte)) for byte in range(256)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    inner = Tokenizer.from_str(json.dumps({
        "version": "1.0",
        "added_tokens": [{"id": id, "content": content, **flags} for id, content in enumerate(special)],
        "pre_tokenizer": byte_level,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": {token: id for id, token in enumerate(special + letters)}, "merges": []},
    }))
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=special[0], eos_token=special[eos],
        chat_template=(TEMPLATES / f"{family}.jinja").read_text(),
    )
    made.add_special_tokens({"additional_special_tokens": [
        data_process.UNMASK_BEGIN_TOKEN, data_process.UNMASK_END_TOKEN,
        data_process.UNMASK_REASONING_BEGIN_TOKEN, data_process.UNMASK_REASONING_END_TOKEN, data_process.MASK_TOKEN,
    ]})
    return made


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


CHATS = {
    "two turns": [turn("user", "is a < b?"), turn("assistant", "Yes."), turn("user", "And c?"), turn("assistant", "No.")],
    "system": [turn("system", "Be brief."), turn("user", "é 你?"), turn("assistant", "line\n\nline")],
    "question last": [turn("user", "a"), turn("assistant", "b"), turn("user", "c")],
    "empty answer": [turn("user", "a"), turn("assistant", "")],
    "padded": [turn("user", " a "), turn("assistant", " b\n"), turn("user", "c"), turn("assistant", "\n d")],
    "last thought": [turn("user", "a"), turn("assistant", "b"), turn("user", "c"), turn("assistant", "d", reasoning_content="e\nf")],
    "all thoughts": [turn("user", "a"), turn("assistant", "b", reasoning_content="x"), turn("user", "c"),
                     turn("assistant", "d", reasoning_content="y")],
}
WITHOUT_SYSTEM = {"mistral3", "gemma"}


def masks():
    for family in FAMILIES:
        made = tokenizer(family)
        for chat, messages in CHATS.items():
            if chat == "system" and family in WITHOUT_SYSTEM:
                continue
            for unmask in (False, True):
                sample = data_process.unmask_sample({"messages": messages, "unmask": unmask}, made)
                yield {"family": family, "chat": chat, "messages": messages, "unmask": unmask,
                       "input_ids": sample["input_ids"], "labels": sample["labels"]}


def templates():
    chat = [turn("system", "s"), turn("user", "a\nb"), turn("assistant", "c"), turn("user", "d"), turn("assistant", "e")]
    tools = [{"name": "f", "parameters": {"x": [1]}}, {"name": "g"}]
    calls = [turn("user", "a"), turn("assistant_tool_call", "f(1)"), turn("tool_response", "2"), turn("assistant", "c")]
    modules = {"ibm_legacy": ibm_legacy_tmpl, "ibm_generic": ibm_generic_tmpl, "mistral": mistral_tmpl}
    for name, module in modules.items():
        made = PreTrainedTokenizerFast(tokenizer_object=tokenizer("qwen2").backend_tokenizer,
                                       chat_template=module.CHAT_TEMPLATE)
        cases = [(chat, None, False), (chat[1:4], None, True), (chat[1:], None, False)]
        if name == "ibm_generic":
            cases += [(chat, tools, False), (calls, tools, True)]
        for messages, listed, asks in cases:
            text = made.apply_chat_template(messages, tools=listed, add_generation_prompt=asks, tokenize=False)
            yield {"template": name, "messages": messages, "tools": listed, "asks": asks, "text": text}


def prerendered():
    legacy = "<|user|>\n{}\n<|assistant|>\n{}"
    granite3 = "<|start_of_role|>user<|end_of_role|>{0}{1}<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>{0}{2}<|end_of_text|>\n"
    texts = {
        "legacy": legacy.format("What?", "That."),
        "legacy with its end": legacy.format("What?", "That.<|endoftext|>"),
        "legacy with <": legacy.format("is a < b?", "Yes."),
        "granite3 with a line end": granite3.format("\n", "What?", "That."),
        "granite3 as rendered": granite3.format("", "What?", "That."),
    }
    for name, text in texts.items():
        found = data_process.extract_messages_from_pretraining_text(text)
        yield {"name": name, "text": text, "messages": found}


for name, values in (("masks", masks()), ("templates", templates()), ("prerendered", prerendered())):
    path = pathlib.Path(__file__).with_name(f"{name}.json")
    lines = ",\n".join(json.dumps(value, ensure_ascii=False) for value in values)
    path.write_text(f"[\n{lines}\n]\n")
