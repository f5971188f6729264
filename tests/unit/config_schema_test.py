#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The JSON schema and the parser agree: keys, ranges, words, examples, refusals.

usage: config_schema_test.py CONFIG_FOLDER CONFIG_JUDGE BAD_CONFIGS
"""

import json
import pathlib
import subprocess
import sys

import jsonschema

FOLDER, JUDGE, BAD_CONFIGS = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
SCHEMA = json.loads((FOLDER / "schema" / "weir.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

# Ends of ranges that another value forbids in the documents below.
CROSS_CHECKED = {("$.memory.buffers", "4096"), ("$.native.liveness_ms", "20"),
                 ("$.alerts.long_s", "2")}

RATE = {"packets_per_s": 1000, "bits_per_s": 1000000, "burst_packets": 32, "burst_bytes": 4096}
WINDOW = {"messages": 1000, "bytes": 65536}
PREFIXES = ["192.0.2.0/24"]

# Between them these have every key of the schema.
DOCUMENTS = [
    {
        "workers": {"cpus": [0], "idle": "auto", "stall_ms": 1000, "long_loop_us": 1000,
                    "isolate_percent": 40, "most": 4},
        "memory": {"hugepages": True, "buffers": 16777216, "buffer_bytes": 2048},
        "control": {"socket": "/run/weir/weir.sock"},
        "tiers": {"critical": RATE, "standard_weight": 4, "bulk_weight": 1},
        "native": {"udp_port": 4150, "heartbeat_ms": 200, "liveness_ms": 600000,
                   "max_frame": 1400, "queue_ms": 50},
        "reach": {"probe_ms": 1000, "hold_ms": 1500},
        "state": {"file": "/var/lib/weir/state", "interval_ms": 500},
        "quarantine": {"messages": 100, "bytes": 65536},
        "health": {"throttled_percent": 60, "park_ms": 500, "catch_up_ms": 2000},
        "failover": {"enabled": True, "pins": "/run/w", "heartbeat_ms": 20, "gate": 512},
        "capture": {"directory": "/var/lib/weir/captures", "bytes": "1M"},
        "chaos": {"allow": True},
        "trace": {"sample": 10000, "keep": 64, "contexts_per_s": 10,
                  "collector": "http://127.0.0.1:4318/v1/traces"},
        "telemetry": {"address": "127.0.0.1", "port": 9464, "token_file": "/etc/weir/token",
                      "interval_ms": 500, "partitions": 64, "consumers": 64},
        "log": {"format": "json", "per_minute": 10},
        "watchdog": {"act": False, "per_hour": 3, "pool_percent": 20, "disk_ms": 500,
                     "clock_ms": 500},
        "alerts": {"short_s": 60, "long_s": 86400, "deviation": 3},
        "elastic": {"enabled": True, "least": 2, "wake_percent": 100, "park_percent": 1,
                    "wake_ms": 500, "park_ms": 60000},
        "features": {"batching": {"state": "off", "share_percent": 50, "streams": ["s"]},
                     "runs": {"state": "on", "share_percent": 20, "streams": ["s", "t"]},
                     "isolation": {"state": "off"}},
        "ports": [
            {"name": "a", "driver": "pci", "device": "0000:03:00.0", "queues": 1,
             "descriptors": 1024, "mtu": 1500, "promiscuous": True, "mac": "02:00:00:00:00:01",
             "twin": {"name": "weir-a", "addresses": ["192.0.2.1/24"]}},
            {"name": "b", "driver": "pcap", "rx_file": "in.pcap", "tx_file": "out.pcap",
             "loop": True},
            {"name": "x", "driver": "xdp", "interface": "eth4", "mode": "generic"},
            {"name": "c", "driver": "memif", "socket": "/run/m.sock", "id": 1, "role": "server"},
            {"name": "d", "driver": "null", "frame_bytes": 64},
            {"name": "e", "driver": "tap", "interface": "wtap0"},
        ],
        "streams": [
            {"name": "s", "match": {"vlan": 5, "outer_vlan": 6, "destination": PREFIXES,
                                    "source": PREFIXES, "udp_port": [4739]},
             "key": {"type": "bytes", "offset": 4, "length": 4}, "partitions": 16,
             "tier": "bulk", "ring": {"messages": 4096, "bytes": 65536, "age_ms": 0,
                                      "retain_ms": 1000, "drain_ms": 1000},
             "deadline_ms": 500, "buffers": 4096,
             "producers": {"max": 4, "rate": RATE, "key_file": "/etc/weir/producers.key"}},
            {"name": "t", "key": "rtp", "path": "gateway", "match": {"udp_port": 4739}},
            {"name": "u", "key": "ipfix", "templates": {"bytes": 65536, "lifetime_s": 60}},
        ],
        "groups": [
            {"name": "g", "class": "blind", "streams": ["s"], "sample": 1, "source": PREFIXES,
             "consumers": [{"name": "c", "address": "198.51.100.7", "port": 9995,
                            "source": "keep", "rate": RATE, "weight": 50, "egress": "a",
                            "mac": "02:00:00:00:00:02"}]},
            {"name": "h", "class": "native", "streams": "s", "consumer_rate": RATE,
             "max_consumers": 16, "reliable": True, "window": WINDOW,
             "partition_window": WINDOW, "attempts": 5, "retry_percent": 10,
             "moves": 8, "drain_ms": 250, "rebalance_s": 30,
             "weights": [{"name": "large", "weight": 300}],
             "key_file": "/etc/weir/group.key"},
            {"name": "i", "class": "assisted", "streams": "s", "key_file": "/etc/weir/agent.key",
             "consumers": [{"name": "d", "address": "198.51.100.8", "port": 9995}]},
        ],
    },
]

failures = 0


def expect(condition, *message):
    global failures
    if not condition:
        failures += 1
        print("FAILED:", *message)


def judge(texts):
    run = subprocess.run([JUDGE], input=json.dumps(texts), capture_output=True, text=True,
                         check=True)
    return json.loads(run.stdout)


def is_valid(document):
    return VALIDATOR.is_valid(document)


def resolve(schema):
    """The schema with what its $ref names."""
    while "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]], **rest}
    return schema


def branches(schema):
    """A schema's alternatives."""
    schema = resolve(schema)
    if "anyOf" not in schema or "properties" in schema:
        return [schema]
    return [branch for choice in schema["anyOf"] for branch in branches(choice)]


def fits(schema, value):
    kind = {dict: "object", list: "array"}.get(type(value))
    return schema.get("type") == kind if kind else schema.get("type") not in ("object", "array")


def walk(schema, value, steps=()):
    """Each (steps, alternatives of the schema) of a document."""
    choices = branches(schema)
    yield steps, choices
    for choice in choices:
        if not fits(choice, value):
            continue
        if isinstance(value, dict):
            for key in value:
                yield from walk(choice["properties"][key], value[key], steps + (key,))
        elif isinstance(value, list):
            for index, element in enumerate(value):
                yield from walk(choice["items"], element, steps + (index,))


def path_of(steps):
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def changed(document, steps, value):
    """A copy with one value replaced, or with its key removed when the value is None."""
    document = json.loads(json.dumps(document))
    place = document
    for step in steps[:-1]:
        place = place[step]
    if value is None:
        del place[steps[-1]]
    else:
        place[steps[-1]] = value
    return document


def value_at(document, steps):
    for step in steps:
        document = document[step]
    return document


def test_examples():
    files = sorted((FOLDER / "examples").glob("*.json"))
    expect(len(files) >= 7, "examples are missing")
    for file, verdict in zip(files, judge([file.read_text() for file in files])):
        expect(verdict["ok"], file.name, "refused by the parser:", verdict)
        errors = [error.message for error in VALIDATOR.iter_errors(json.loads(file.read_text()))]
        expect(not errors, file.name, "refused by the schema:", errors)


def test_bad_configs():
    run = subprocess.run([BAD_CONFIGS], capture_output=True, text=True, check=True)
    cases = json.loads(run.stdout)
    expect(len(cases) >= 150, "only", len(cases), "bad configurations")
    for case, verdict in zip(cases, judge([case["config"] for case in cases])):
        expect(not verdict["ok"] and verdict["path"] == case["path"], case["name"], verdict)
        try:
            refused = not is_valid(json.loads(case["config"]))
        except ValueError:
            refused = True
        expect(refused == case["schema"], case["name"], "refused by the schema:", refused)


def test_objects():
    """The parser's hint for an unknown key lists exactly the schema's keys."""
    seen = set()
    for document in DOCUMENTS:
        expect(is_valid(document), "a document of this test is not valid")
        places = [(steps, choice) for steps, choices in walk(SCHEMA, document)
                  for choice in choices if choice.get("type") == "object"
                  and isinstance(value_at(document, steps), dict)]
        probes = [changed(document, steps + ("zzzzzzzz",), 1) for steps, _ in places]
        for (steps, choice), verdict in zip(places, judge([json.dumps(p) for p in probes])):
            known = verdict["hint"].partition("known here: ")[2].split(", ")
            expect(sorted(known) == sorted(choice["properties"]), path_of(steps), known)
            expect(choice.get("additionalProperties") is False, path_of(steps), "is open")
            seen.update(id(choice["properties"][key]) for key in value_at(document, steps))
        for (steps, choice) in places:
            for key in choice.get("required", ()):
                probe = changed(document, steps + (key,), None)
                verdict = judge([json.dumps(probe)])[0]
                expect(not is_valid(probe) and not verdict["ok"], path_of(steps), "needs", key)
    check_complete(SCHEMA, seen)


def check_complete(schema, seen):
    """Every property that the schema has was in a document."""
    if isinstance(schema, list):
        for element in schema:
            check_complete(element, seen)
    elif isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            for key, member in schema["properties"].items():
                expect(id(member) in seen, "no document of this test has", key)
        for member in schema.values():
            check_complete(member, seen)


def leaf_values(choice):
    """Values at and beyond the edges of one alternative."""
    if choice.get("type") == "integer":
        low, high = choice["minimum"], choice["maximum"]
        return [low - 1, low, high, high + 1, low + 0.5, str(low) + "x", True, [[]], {"x": 1}]
    if "enum" in choice:
        return [*choice["enum"], "zzzzzzzz", "", 1.5, [[]], {"x": 1}]
    if choice.get("type") == "boolean":
        return [True, False, 0, "true", {"x": 1}]
    return []


def complaints(errors):
    """Where the schema finds fault, within alternatives too."""
    for error in errors:
        yield tuple(error.absolute_path)
        yield from complaints(error.context)


def test_leaves():
    """A value is refused by the parser, at its own path, just when the schema refuses it."""
    probes = []
    for document in DOCUMENTS:
        for steps, choices in walk(SCHEMA, document):
            for choice in choices:
                for value in leaf_values(choice):
                    probes.append((steps, value, changed(document, steps, value)))
    expect(len(probes) > 300, "only", len(probes), "values tried")
    verdicts = judge([json.dumps(probe) for _, _, probe in probes])
    for (steps, value, probe), verdict in zip(probes, verdicts):
        path = path_of(steps)
        if (path, repr(value)) in CROSS_CHECKED:
            continue
        by_parser = not verdict["ok"] and verdict["path"].startswith(path)
        by_schema = any(place[:len(steps)] == steps
                        for place in complaints(VALIDATOR.iter_errors(probe)))
        expect(by_parser == by_schema, path, repr(value), "parser refuses:", by_parser,
               "schema refuses:", by_schema, verdict)


jsonschema.Draft202012Validator.check_schema(SCHEMA)
for test in (test_examples, test_bad_configs, test_objects, test_leaves):
    test()
    print(test.__name__, "done")
print(failures, "failed")
sys.exit(failures != 0)
