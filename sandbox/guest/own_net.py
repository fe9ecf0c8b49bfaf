"""A team's own model as the kinds see it: the factory that its `make_model` gets, and its layers.

Most kinds have their place in the training loop; only the kinds of PLACES go into the model itself, where `make_model`
called the factory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from .alone import Net
from .components.kind import Kind
from .harness import Build, component_seed
from .tiers import seed_torch

PLACES: dict[str, type[nn.Module]] = {"activation": nn.ReLU, "normalizer": nn.Identity}  # and what stands there else


class Places:
    """What `make_model` gets as `component`.

    component()             an activation: the one that is tried, or ReLU when another kind is
    component(features)     a normalizer of [..., features]: the one that is tried, or none at all
    otherwise=nn.GELU       stands there instead when another kind is tried; called with the same arguments
    """

    def __init__(self, kind: Kind, build: Build, seed: int) -> None:
        self._kind = kind
        self._build = build
        self._seed = seed
        self.calls = dict.fromkeys(PLACES, 0)
        self.hidden: list[Tensor] = []  # what the activations made in the latest forward pass, in order

    def __call__(self, *arguments: int, otherwise: Callable[..., nn.Module] | None = None) -> nn.Module:
        if len(arguments) > 1 or not all(type(argument) is int and argument > 0 for argument in arguments):
            given = ", ".join(map(repr, arguments))
            raise TypeError(f"component({given}): write component() for an activation, component(64) for a normalizer")
        place = "normalizer" if arguments else "activation"
        self.calls[place] += 1
        tried = self._kind.name == place
        module = self._built(*arguments) if tried else (otherwise or PLACES[place])(*arguments)
        if place == "activation":
            module.register_forward_hook(lambda _module, _inputs, output: self.hidden.append(output))
        return module

    def _built(self, *arguments: int) -> nn.Module:
        """It draws from a seed of its own, so that the model around it starts the same whatever it draws."""
        state = torch.default_generator.get_state()
        seed_torch(component_seed(self._seed, sum(self.calls.values())))
        module: nn.Module = self._build(*arguments)
        torch.default_generator.set_state(state)
        return AsRows(module) if arguments else module


class AsRows(nn.Module):
    """A normalizer's contract is [n, features]; all other dimensions are rows to it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.module(x if x.ndim == 2 else x.reshape(-1, x.shape[-1]))
        return result.reshape(x.shape)


class OwnNet(Net):
    """forward(x) -> (what the model returns, what each activation made). Its maps: linear layers and convolutions."""

    def __init__(self, model: nn.Module, places: Places) -> None:
        nn.Module.__init__(self)
        self.model = model
        self._places = places
        affine = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
        self.maps = [cast(nn.Linear, module) for module in model.modules() if isinstance(module, affine)]
        self.activations = ()

    def forward(self, x: Tensor) -> tuple[Any, list[Tensor]]:
        self._places.hidden.clear()
        output = self.model(x)
        return output, list(self._places.hidden)

    def weights(self) -> list[Tensor]:
        """As [out, in]; of a convolution with the positions of one channel side by side."""
        return [m.weight.flatten(1) for m in self.maps]
