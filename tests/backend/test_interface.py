"""The three backends implement `interface.py`: same functions, parameters and defaults.

Reads the sources, so that no framework is imported.
"""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_backend

BACKEND = Path(__file__).parents[2] / "keras_l4" / "backend"
PACKAGES = ("tensorflow", "jax", "torch")
PROTOCOLS = {
    "core": "Core",
    "distribution": "Distribution",
    "gradients": "Gradients",
    "reductions": "Reductions",
    "ring_buffer": "RingBuffer",
    "step_state": "StepState",
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def signature(function: ast.FunctionDef) -> str:
    """Returns names, kinds and defaults of the parameters, without annotations and `self`."""
    arguments = function.args
    for parameter in ast.walk(arguments):
        if isinstance(parameter, ast.arg):
            parameter.annotation = None
    arguments.args = [a for a in arguments.args if a.arg != "self"]
    return f"({ast.unparse(arguments)})"


def public_members(body: list[ast.stmt]) -> dict[str, str]:
    """Returns the signatures of public functions, and "constant" for public constants."""
    members = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            members[node.name] = signature(node)
        elif isinstance(node, ast.Assign):
            members |= {t.id: "constant" for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            is_alias = isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"
            if not is_alias:
                members[node.target.id] = "constant"
    return {name: member for name, member in members.items() if not name.startswith("_")}


def imports(tree: ast.Module) -> list[tuple[str, str]]:
    """Returns module and name of each `from keras_l4.… import`."""
    return [
        (node.module, alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("keras_l4.")
        for alias in node.names
    ]


def exported(tree: ast.Module) -> list[str]:
    """Returns the names in `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def interface_members(module: str) -> dict[str, str]:
    for node in parse(BACKEND / "interface.py").body:
        if isinstance(node, ast.ClassDef) and node.name == PROTOCOLS[module]:
            return public_members(node.body)
    raise AssertionError(f"interface.py has no class {PROTOCOLS[module]}")


def implemented_members(package: str, module: str) -> dict[str, str]:
    """Returns the public members of a module: its own, and those that `__all__` re-exports."""
    tree = parse(BACKEND / package / f"{module}.py")
    members = public_members(tree.body)
    sources = {name: source for source, name in imports(tree)}
    for name in exported(tree):
        if name not in members:
            path = BACKEND.parent.joinpath(*sources[name].split(".")[1:]).with_suffix(".py")
            members[name] = public_members(parse(path).body)[name]
    return members


def test_every_protocol_has_a_module_in_backend() -> None:
    assert exported(parse(BACKEND / "__init__.py")) == sorted(PROTOCOLS)


@pytest.mark.parametrize("module", PROTOCOLS)
@pytest.mark.parametrize("package", PACKAGES)
def test_module_has_exactly_the_members_of_its_protocol(package: str, module: str) -> None:
    assert implemented_members(package, module) == interface_members(module)


def test_every_function_of_the_interface_has_a_docstring() -> None:
    classes = [n for n in parse(BACKEND / "interface.py").body if isinstance(n, ast.ClassDef)]
    functions = [n for c in classes for n in ast.walk(c) if isinstance(n, ast.FunctionDef)]
    assert [f.name for f in functions if not ast.get_docstring(f)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_package_does_not_import_another_backend(package: str) -> None:
    allowed = ("interface", "common.", f"{package}.", package)
    for path in (BACKEND / package).glob("*.py"):
        modules = [source.partition("keras_l4.backend.")[2] for source, _ in imports(parse(path))]
        assert all(module.startswith(allowed) for module in modules if module), path


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_of_a_package_import_each_other_without_cycles(package: str) -> None:
    graph = {}
    for path in (BACKEND / package).glob("*.py"):
        found = imports(parse(path))
        # `from package.module import name`, or `from package import module`.
        qualified = {f"{source}.{name}" for source, name in found} | {source for source, _ in found}
        prefix = f"keras_l4.backend.{package}."
        graph[path.stem] = {q.removeprefix(prefix) for q in qualified if q.startswith(prefix)}
    modules = graph.keys()
    assert {"core", "reductions"} <= modules
    edges = {module: imported & modules for module, imported in graph.items()}
    assert sorted(graphlib.TopologicalSorter(edges).static_order()) == sorted(modules)
