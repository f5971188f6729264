#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes a C file of a text file: embed.py FILE NAME OUTPUT."""

import sys

source, name, output = sys.argv[1:]
with open(source, "rb") as file:
    content = file.read()
lines = (content[at:at + 24] for at in range(0, len(content), 24))
with open(output, "w", encoding="ascii") as file:
    file.write(f'#include "telemetry/{name}.h"\n\nconst char weir_{name}[] = {{\n')
    for line in lines:
        file.write("".join(f"{byte if byte < 128 else byte - 256}," for byte in line) + "\n")
    file.write(f"}};\nconst size_t weir_{name}_length = sizeof(weir_{name});\n")
