"""Finds private names of libraries, and patches of libraries, in the source of a package."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras

# Private by their spelling, but public in Python's documentation of named tuples.
PUBLIC = {"_asdict", "_fields", "_make", "_replace"}


class Use(NamedTuple):
    """A private name that a file uses, or a patch that it makes."""

    file: str
    name: str


def is_private(name: str) -> bool:
    return re.fullmatch(r"_[A-Za-z]\w*", name) is not None and name not in PUBLIC


def is_private_module(name: str) -> bool:
    parts = name.split(".")
    has_private_part = any(map(is_private, parts))
    is_internal = parts[:2] in (["keras", "src"], ["tensorflow", "python"], ["jax", "_src"])
    return (has_private_part or is_internal) and parts[0] not in ("keras_l4", "__future__")


class Class(NamedTuple):
    """The names of the bases of a class, and the private attributes that it defines."""

    bases: list[str]
    private: set[str]


class Sources:
    """The syntax trees of a package, and all classes in them by name."""

    def __init__(self, package: Path) -> None:
        self.trees = {
            path.relative_to(package).as_posix(): ast.parse(path.read_text("utf-8"))
            for path in sorted(package.rglob("*.py"))
        }
        self.classes: dict[str, list[Class]] = {}
        for tree in self.trees.values():
            for node in classes_of(tree):
                bases = [ast.unparse(base) for base in node.bases]
                self.classes.setdefault(node.name, []).append(Class(bases, set(defined(node))))

    def ancestry(self, name: str) -> Iterator[Class]:
        """Yields the classes of that name, and all their ancestors in the package."""
        for found in self.classes.get(name, []):
            yield found
            for base in found.bases:
                if base.rpartition(".")[2] != name:
                    yield from self.ancestry(base.rpartition(".")[2])

    def uses(self) -> set[Use]:
        """Returns the private names of libraries that the package uses."""
        return {Use(file, name) for file, tree in self.trees.items() for name in self.used(tree)}

    def used(self, tree: ast.Module) -> Iterator[str]:
        yield from imported(tree)
        yield from named_by_strings(tree)
        peers = {name for node in classes_of(tree) for name in defined(node)}
        for node, owner in with_class(tree):
            if isinstance(node, ast.Attribute) and is_private(node.attr):
                value = ast.unparse(node.value)
                if value in ("self", "cls") or value.startswith("super("):
                    if self.is_foreign(owner, node.attr, is_super=value.startswith("super(")):
                        yield node.attr
                # An object of a class of the same file may access its peer.
                elif node.attr not in peers:
                    yield node.attr

    def is_foreign(self, owner: ast.ClassDef | None, name: str, is_super: bool) -> bool:
        """Returns True if `self.name` is an attribute of Keras, or of a base that is not known."""
        classes = [] if owner is None else list(self.ancestry(owner.name))
        if any(name in private_names_of(base) for found in classes for base in found.bases):
            return True
        return not any(name in found.private for found in classes[is_super:])


def classes_of(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def defined(cls: ast.ClassDef) -> Iterator[str]:
    """Yields the private methods and attributes that a class defines."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target)
        elif isinstance(node, ast.Assign):
            yield from map(ast.unparse, node.targets)
    for node in ast.walk(cls):
        is_stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if is_stored and ast.unparse(node.value) in ("self", "cls"):
            yield node.attr


def with_class(
    node: ast.AST, owner: ast.ClassDef | None = None
) -> Iterator[tuple[ast.AST, ast.ClassDef | None]]:
    """Yields all nodes, each with the class that contains it."""
    for child in ast.iter_child_nodes(node):
        yield child, owner
        yield from with_class(child, child if isinstance(child, ast.ClassDef) else owner)


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from filter(is_private_module, names)


def named_by_strings(tree: ast.Module) -> Iterator[str]:
    """Yields names in `getattr(x, "_name")`, `vars(x)["_name"]`, `vars(x).pop("_name")`, `f(_name=...)`."""
    for node in ast.walk(tree):
        strings: list[ast.expr] = []
        if isinstance(node, ast.Call):
            yield from (k.arg for k in node.keywords if k.arg is not None and is_private(k.arg))
            called = ast.unparse(node.func)
            if called in ("getattr", "hasattr", "setattr", "delattr") or "vars(" in called:
                strings = node.args
        elif isinstance(node, ast.Subscript) and "vars(" in ast.unparse(node.value):
            strings = [node.slice]
        yield from filter(is_foreign_string, map(string_of, strings))


def string_of(node: ast.AST) -> str:
    value = node.value if isinstance(node, ast.Constant) else ""
    return value if isinstance(value, str) else ""


def is_foreign_string(value: str) -> bool:
    """Returns False for attributes that keras_l4 itself attaches to a model."""
    return is_private(value) and not value.startswith("_keras_l4")


@functools.cache
def private_names_of(base: str) -> set[str]:
    """Returns the private attributes of a class of Keras, such as "keras.callbacks.Callback"."""
    if not base.startswith("keras."):
        return set()
    cls: Any = functools.reduce(getattr, base.split(".")[1:], keras)
    lines = [inspect.getsource(c) for c in cls.__mro__ if c.__module__.startswith("keras")]
    assigned = re.findall(r"\bself\.(_[A-Za-z]\w*)", "\n".join(lines))
    return {name for name in (*dir(cls), *assigned) if is_private(name)}


def slots(trees: dict[str, ast.Module]) -> set[str]:
    """Returns the strings in functions that call `optimizer_slots`: the kinds of slots."""
    functions = [
        node
        for file, tree in trees.items()
        if not file.startswith("keras_internals/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "optimizer_slots(" in ast.unparse(node)
    ]
    strings = {string_of(node) for function in functions for node in ast.walk(function)}
    return set(filter(str.isidentifier, strings))


def patches(package: Path) -> set[Use]:
    """Returns assignments to attributes of imported modules and classes, and to `vars(x)[...]`."""
    return {
        Use(file, ast.unparse(target))
        for file, tree in Sources(package).trees.items()
        for target in assigned(tree)
        if is_patch(target, set(libraries(tree)))
    }


def assigned(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.Delete)):
            for target in node.targets:
                yield from target.elts if isinstance(target, ast.Tuple) else [target]


def libraries(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) or (
            isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("keras_l4")
        ):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


def is_patch(target: ast.expr, modules: set[str]) -> bool:
    if isinstance(target, ast.Subscript):
        return "vars(" in ast.unparse(target.value) and not string_of(target.slice).startswith(
            "_keras_l4"
        )
    root = target
    while isinstance(root, ast.Attribute):
        root = root.value
    return root is not target and isinstance(root, ast.Name) and root.id in modules
