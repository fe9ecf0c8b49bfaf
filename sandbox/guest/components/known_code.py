"""Known components are written as the body of their `forward`; this makes the module of it that a contract asks for."""

from __future__ import annotations

from collections.abc import Mapping

_TEMPLATE = """\
import math
import torch
from torch import nn
from torch.nn import functional as F


class {name}(nn.Module):
{init}    def forward(self, {arguments}):
{body}


def build():
    return {name}()
"""


def module_code(name: str, arguments: str, body: str, learnable: Mapping[str, float]) -> str:
    """`body` is one expression, or lines that return; `learnable` gives scalars, which it reads as `self.<name>`."""
    lines = (body if "return " in body else f"return {body}").splitlines()
    init = ""
    if learnable:
        parameters = [f"self.{key} = nn.Parameter(torch.tensor({value}))" for key, value in learnable.items()]
        init = "".join(f"        {line}\n" for line in ("super().__init__()", *parameters))
        init = f"    def __init__(self):\n{init}\n"
    indented = "\n".join(f"        {line}" for line in lines)
    return _TEMPLATE.format(name=name, arguments=arguments, init=init, body=indented)
