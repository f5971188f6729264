#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Makes the manual of the methods and the shells' completion from what the programs say of
themselves: `weir --methods`, and each program's --help.

Usage: generate.py man|bash|zsh OUTPUT WEIR [PROGRAM...]
  man OUTPUT WEIR             weir-methods(7)
  bash OUTPUT WEIR PROGRAM [TEMPLATE]
                              completion of PROGRAM's options; @options@ and @methods@ in TEMPLATE
  zsh OUTPUT WEIR PROGRAM     the same, for zsh, with weirctl's methods and their parameters
"""

import json
import os
import re
import subprocess
import sys

SPDX = "SPDX-License-Identifier: BSD-3-Clause"


def run(program, option):
    # No gateway is asked; and a build is not where leaks are looked for.
    environment = {"WEIR_SOCKET": "/nowhere", "ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run(
        [program, option], check=True, stdout=subprocess.PIPE, env=environment
    ).stdout.decode()


def methods_of(weir):
    return json.loads(run(weir, "--methods"))["methods"]


def options_of(program):
    """[short or "", long, argument or "", help] of each "  -x, --long ARG  help", with what follows."""
    found = []
    for line in run(program, "--help").splitlines():
        match = re.match(r" +(?:-(\w), )? *--([a-z-]+)(?: ([A-Z][A-Z:\[\]|a-z]*))? +(\S.*)", line)
        if match:
            found.append([part or "" for part in match.groups()])
        elif found and re.match(r" {20,}\S", line):
            found[-1][3] += " " + line.strip()
        elif found and not line.startswith(" "):
            break
    if not found:
        sys.exit(f"generate.py: {program} --help shows no options")
    return found


def roff(text):
    """Free text: no macro at its start, no escape in it."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in ".'" else text


def limits(param):
    if "choices" in param:
        return " (" + ", ".join(param["choices"]) + ")"
    if "maximum" in param and param["maximum"] == 2**63 - 1:
        return f" (at least {param['minimum']})"
    if "maximum" in param:
        return f" ({param['minimum']} to {param['maximum']})"
    return ""


def man(methods):
    yield f'.\\" {SPDX}'
    yield ".Dd November 29, 2026\n.Dt WEIR-METHODS 7\n.Os\n.Sh NAME\n.Nm weir-methods"
    yield ".Nd what a running Weir gateway can be asked\n.Sh DESCRIPTION"
    yield "Methods of the control socket, JSON-RPC 2.0, as"
    yield ".Xr weirctl 1\nhas them: underscores may be spaces.\nThose that say"
    yield ".Em write\nare for root, the gateway's own user and group weir.\n.Bl -tag -width Ds"
    for method in sorted(methods, key=lambda method: method["name"]):
        yield f".It Sy {method['name']} Pq Em {method['role']}"
        yield roff(method["help"]) + "."
        for param in method.get("params", []):
            need = ", required" if param.get("required") else ""
            yield f".br\n.Ar {param['name']} ({param['type']}{need}):"
            yield roff(param["help"] + limits(param)) + "."
        yield ".br\nResult: " + roff(method["result"]) + "."
    yield ".El\n.Sh SEE ALSO\n.Xr weirctl 1 ,\n.Xr weir 8"


def words_of(options):
    words = [f"-{short}" for short, _, _, _ in options if short]
    return " ".join(words + [f"--{long}" for _, long, _, _ in options])


def bash_by_template(template, options, methods):
    with open(template, encoding="utf-8") as file:
        text = file.read()
    names = " ".join(sorted(method["name"] for method in methods))
    yield text.rstrip("\n").replace("@options@", words_of(options)).replace("@methods@", names)


def bash(program, options):
    name = os.path.basename(program)
    function = "_" + name.replace("-", "_")
    yield f"# {SPDX}\n# shellcheck shell=bash\n# Completion of {name}; files where a value is due."
    yield f"{function}() {{\n\tlocal current=${{COMP_WORDS[COMP_CWORD]}}"
    yield "\tif [[ $current == -* ]]; then"
    yield f"\t\tmapfile -t COMPREPLY < <(compgen -W '{words_of(options)}' -- \"$current\")"
    yield "\telse\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n\tfi\n}"
    yield f"complete -o filenames -F {function} {name}"


def quoted(text):
    """Inside of '...' and of an _arguments description."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


def zsh(program, options, methods):
    name = os.path.basename(program)
    yield f"#compdef {name}\n# {SPDX}"
    if name == "weirctl":
        yield "_weirctl_method() {\n\tlocal -a methods=("
        for method in sorted(methods, key=lambda method: method["name"]):
            yield f"\t\t'{method['name']}:{quoted(method['help'])}'"
        yield "\t\t'check:does the conservation law hold' 'events:print each event from now on'"
        yield "\t\t'help:what the gateway can do' 'rpc:call with parameters as they are'"
        yield "\t\t'watch:repeat a method')\n\t_describe method methods\n}"
        yield "_weirctl_parameter() {\n\tlocal -a parameters=()\n\tcase ${words[1]} in"
        for method in sorted(methods, key=lambda method: method["name"]):
            if method.get("params"):
                names = " ".join(param["name"] + "=" for param in method["params"])
                yield f"\t{method['name']}) parameters=({names}) ;;"
        yield "\tesac\n\tcompadd -S '' -a parameters\n\t_files\n}"
    yield "_arguments -s \\"
    for short, long, argument, text in options:
        value = f":{argument.lower()}:_files" if argument else ""
        if short:
            yield f"\t'(-{short} --{long})'{{-{short},--{long}}}'[{quoted(text)}]{value}' \\"
        else:
            yield f"\t'--{long}[{quoted(text)}]{value}' \\"
    methods_follow = "'1:method:_weirctl_method' '*::parameter:_weirctl_parameter'"
    yield "\t" + (methods_follow if name == "weirctl" else "&& return")


def main():
    kind, output, weir = sys.argv[1:4]
    if kind == "man":
        lines = man(methods_of(weir))
    elif kind == "bash" and len(sys.argv) > 5:
        lines = bash_by_template(sys.argv[5], options_of(sys.argv[4]), methods_of(weir))
    elif kind == "bash":
        lines = bash(sys.argv[4], options_of(sys.argv[4]))
    else:
        lines = zsh(sys.argv[4], options_of(sys.argv[4]), methods_of(weir))
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


main()
