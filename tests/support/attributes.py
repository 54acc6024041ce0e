"""Finds the attributes of a class in its source, without creating an instance."""

import ast
import inspect
import textwrap
from functools import cache


@cache
def attributes_of(owner: type) -> frozenset[str]:
    """The attributes of a class and of its instances: class members, slots, `self.x = ...`."""
    return frozenset(dir(owner)).union(*map(own_attributes, inspect.getmro(owner)[:-1]))


@cache
def own_attributes(owner: type) -> frozenset[str]:
    """Return the names in this class's body, and those assigned to `self` in its methods."""
    found = {
        *vars(owner),
        *vars(owner).get("__slots__", ()),
        *vars(owner).get("__annotations__", ()),
    }
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    except (OSError, TypeError):
        return frozenset(found)  # written in C
    return frozenset(found | {node.attr for node in self_attributes(tree) if is_stored(node)})


def self_attributes(tree: ast.AST) -> list[ast.Attribute]:
    """Yield every `self.x` and `super().x`."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (
            (isinstance(node.value, ast.Name) and node.value.id == "self")
            or (isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()")
        )
    ]


def is_stored(node: ast.Attribute) -> bool:
    """Return True if a value is assigned to the attribute."""
    return isinstance(node.ctx, ast.Store)
