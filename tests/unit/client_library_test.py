#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""libweir.so exports the functions of weir.h and nothing else, its structures keep their sizes, and
the Python module has the same structures and numbers as the C compiler.

usage: client_library_test.py WEIR_H LIBWEIR_SO LIBWEIR_MAP PYTHON_FOLDER VERSION NM CC...
"""

import ctypes
import pathlib
import re
import subprocess
import sys
import tempfile

HEADER, LIBRARY, MAP, FOLDER, VERSION, NM = sys.argv[1:7]
CC = sys.argv[7:]
sys.dont_write_bytecode = True
sys.path.insert(0, FOLDER)

import weir  # noqa: E402
from weir import _abi, _handle, consumer  # noqa: E402

TEXT = re.sub(r"/\*.*?\*/", "", pathlib.Path(HEADER).read_text(), flags=re.S)

# As released, where pointers and long are of 64 bits: see "Compatibility" in weir.h. Room for a new
# field is taken from `reserved`, with the same alignment.
SIZES = {
    "weir_consumer_options": 152,
    "weir_trace_context": 32,
    "weir_message": 96,
    "weir_event": 176,
    "weir_consumer_stats": 384,
    "weir_producer_options": 120,
    "weir_producer_stats": 408,
}

STRUCTURES = {
    "weir_consumer_options": _abi.ConsumerOptions,
    "weir_trace_context": _abi.TraceContextData,
    "weir_message": _abi.MessageData,
    "weir_event": _abi.EventData,
    "weir_consumer_stats": _abi.ConsumerStats,
    "weir_producer_options": _abi.ProducerOptions,
    "weir_producer_stats": _abi.ProducerStats,
}

ENUMERATIONS = {
    "WEIR_FROM_": weir.From,
    "WEIR_EVENT_": weir.EventKind,
    "WEIR_GONE_": weir.Gone,
    "WEIR_PRODUCE_": weir.Tier,
    "WEIR_HELD_BY_": weir.HeldBy,
    "WEIR_CONSUMER_": _handle.State,
    "WEIR_PRODUCER_": _handle.State,
}

CONSTANTS = {
    "WEIR_SENT": _abi.SENT,
    "WEIR_HELD_BY_MAX": _abi.HELD_BY_MAX,
    "WEIR_FLAG_DEGRADED": consumer._FLAG_DEGRADED,
    "WEIR_FLAG_REDELIVERED": consumer._FLAG_REDELIVERED,
}


def header_functions():
    return set(re.findall(r"\b(weir_\w+)\([^;{]*\);", TEXT))


def header_structures():
    """Names of the fields of each structure, in order."""
    found = {}
    for name, body in re.findall(r"struct (\w+) \{(.*?)\n\};", TEXT, flags=re.S):
        found[name] = re.findall(r"(\w+)(?:\[\w+\])?;", body)
    return found


def header_enumerators():
    bodies = re.findall(r"enum\s+\w*\s*\{([^}]*)\}", TEXT)
    return [name for body in bodies for name in re.findall(r"\b(WEIR_\w+)", body)]


def compiled():
    """What the C compiler makes of the header: sizes, fields by structure, numbers by name."""
    lines = ["#include <stddef.h>", "#include <stdio.h>", f'#include "{pathlib.Path(HEADER).resolve()}"',
             "int main(void) {"]
    for structure, fields in header_structures().items():
        lines.append(f'printf("size {structure} %zu\\n", sizeof(struct {structure}));')
        for field in fields:
            lines.append(f'printf("field {structure} {field} %zu %zu\\n", offsetof(struct '
                         f"{structure}, {field}), sizeof(((struct {structure} *)0)->{field}));")
    for name in header_enumerators() + list(CONSTANTS) + [
            f"WEIR_VERSION_{part}" for part in ("MAJOR", "MINOR", "PATCH")]:
        lines.append(f'printf("value {name} %d\\n", (int)({name}));')
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as folder:
        source, program = f"{folder}/layout.c", f"{folder}/layout"
        pathlib.Path(source).write_text("\n".join(lines) + "\n")
        subprocess.run([*CC, "-o", program, source], check=True)
        output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    sizes, fields, values = {}, {}, {}
    for line in output.splitlines():
        kind, name, *rest = line.split()
        if kind == "size":
            sizes[name] = int(rest[0])
        elif kind == "value":
            values[name] = int(rest[0])
        else:
            fields.setdefault(name, []).append((rest[0], int(rest[1]), int(rest[2])))
    return sizes, fields, values


SIZES_C, FIELDS_C, VALUES_C = compiled()


def exported_functions_are_those_of_the_header():
    output = subprocess.run([NM, "-D", "--with-symbol-versions", "--defined-only", LIBRARY],
                            check=True, capture_output=True, text=True).stdout
    symbols = [line.split()[1:] for line in output.splitlines()]
    nodes = set(re.findall(r"^(WEIR_\S+) \{", pathlib.Path(MAP).read_text(), flags=re.M))
    assert {name for kind, name in symbols if kind == "A"} == nodes, symbols
    functions = [name.split("@@") for kind, name in symbols if kind != "A"]
    assert all(kind in "AT" for kind, _ in symbols), symbols
    assert {name for name, _ in functions} == header_functions(), functions
    assert all(node in nodes for _, node in functions), functions


def the_module_declares_every_function():
    assert set(_abi._FUNCTIONS) == header_functions()


def structures_keep_their_sizes():
    assert set(SIZES) == set(header_structures())
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        assert SIZES_C == SIZES, SIZES_C
    for structure, fields in header_structures().items():
        assert fields[-1] == "reserved", structure


def the_module_has_the_same_layouts():
    assert set(STRUCTURES) == set(SIZES_C)
    for name, structure in STRUCTURES.items():
        fields = [(field[0], getattr(structure, field[0]).offset, getattr(structure, field[0]).size)
                  for field in structure._fields_]
        assert fields == FIELDS_C[name], (name, fields, FIELDS_C[name])
        assert ctypes.sizeof(structure) == SIZES_C[name], name


def the_module_has_the_same_numbers():
    for name, value in CONSTANTS.items():
        assert VALUES_C[name] == value, name
    known = set(CONSTANTS) | {"WEIR_HELD_BY_COUNT"}
    for prefix, kind in ENUMERATIONS.items():
        for member in kind:
            if member is not weir.HeldBy.OTHER:  # the module's own
                assert VALUES_C[prefix + member.name] == member, prefix + member.name
                known.add(prefix + member.name)
    assert set(header_enumerators()) <= known, set(header_enumerators()) - known


def the_header_has_the_version_of_the_project():
    parts = [str(VALUES_C[f"WEIR_VERSION_{part}"]) for part in ("MAJOR", "MINOR", "PATCH")]
    assert ".".join(parts) == VERSION, parts


def main():
    tests = [exported_functions_are_those_of_the_header, the_module_declares_every_function,
             structures_keep_their_sizes, the_module_has_the_same_layouts,
             the_module_has_the_same_numbers, the_header_has_the_version_of_the_project]
    failed = 0
    for test in tests:
        try:
            test()
        except AssertionError as error:
            failed += 1
            print(f"FAILED {test.__name__}: {error}")
    # Counted by scripts/test as CUnit's are.
    print(f"tests {len(tests)} {len(tests)} {len(tests) - failed} {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
