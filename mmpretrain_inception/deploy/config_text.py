"""Reading the text of a config without executing it."""

from __future__ import annotations

import ast
from typing import Any

from mmengine.config import Config


def read_config_text(text: str) -> Config:
    """Read what mmengine's Runner stores of its config: one assignment of literals and ``dict(...)`` a setting.

    Args:
        text: The text.

    Raises:
        ValueError: If it holds anything else, which would have to be executed.
    """
    settings = {}
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.Assign) or not all(isinstance(name, ast.Name) for name in statement.targets):
            raise ValueError(f'line {statement.lineno} is no setting')
        for name in statement.targets:
            settings[name.id] = _value(statement.value)  # type: ignore[attr-defined]
    return Config(settings)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id != 'dict' or node.args:
            raise ValueError(f'line {node.lineno} calls something else than dict')
        return {_name(keyword): _value(keyword.value) for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError(f'line {node.lineno} unpacks a dict')
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values) if key is not None}
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_value(item) for item in node.elts]
        return tuple(items) if isinstance(node, ast.Tuple) else items
    return ast.literal_eval(node)


def _name(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError(f'line {keyword.value.lineno} unpacks a dict')
    return keyword.arg
