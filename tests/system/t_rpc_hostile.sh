#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# Whatever comes down the control socket, the gateway answers it or hangs up, serves the next
# client, and never stops delivering.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"buffers": 49152},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0", "descriptors": 8192}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix"}],
"groups": [{"name": "g", "streams": ["flows"], "consumers": [
	{"name": "c1", "address": "10.0.0.3", "port": 9995, "source": "keep"}]}]}
EOF
weir_start "$tmp/weir.json"
wait_for "ctl consumer show c1 | jq -e '.state == \"reachable\"'"
before=$(ctl config get | jq -cS .)
receiver_start r1 c1 --listen 10.0.0.3:9995
send exporter --to 10.0.0.2:4739 --rate 5k --seconds 60 --keys 10 --json "$tmp/sent.json" &
sender=$!

cat >"$tmp/hostile.py" <<'EOF'
import json
import random
import socket
import sys

PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602
NOT_FOUND, INVALID = -32002, -32001
MIB = 1 << 20
faults = []
kinds = 0


def connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(sys.argv[1])  # waits for its turn, as it would not with a timeout
    client.settimeout(10)
    return client


def read_line(client):
    """None when the gateway hung up without an answer."""
    line = b""
    try:
        while not line.endswith(b"\n"):
            part = client.recv(65536)
            if not part:
                return None
            line += part
    except (ConnectionResetError, BrokenPipeError):
        return None
    return json.loads(line)


def alive(after):
    """A new client is served."""
    with connect() as client:
        client.sendall(b'{"jsonrpc":"2.0","id":"v","method":"version"}\n')
        answer = read_line(client)
        if not answer or answer.get("result", {}).get("name") != "weir" or answer["id"] != "v":
            faults.append("%s: version answered %s" % (after, answer))


def request(method="version", **more):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, **more}).encode()


# kind, bytes of one message without its newline, the code that must answer it, and whether the
# same client goes on being served.
messages = [
    ("not JSON", b"hello", PARSE),
    ("HTTP", b"GET / HTTP/1.1\r", PARSE),
    ("an open brace", b"{", PARSE),
    ("half a message", request()[:20], PARSE),
    ("two messages in a line", request() + request(), PARSE),
    ("key twice", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"version"}', PARSE),
    ("NUL bytes", b"\0" * 100, PARSE),
    ("NUL within a message", request().replace(b"version", b"ver\0sion"), PARSE),
    ("escaped NUL", request().replace(b"version", b"ver\\u0000sion"), PARSE),
    ("invalid UTF-8", request().replace(b"version", b"\xff\xfe\x80"), PARSE),
    ("lone surrogate", request().replace(b"version", b"\\ud800"), PARSE),
    ("random bytes", random.Random(1).randbytes(5000).replace(b"\n", b"."), PARSE),
    ("nested arrays", b"[" * 100000, REQUEST),
    ("nested and closed", b"[" * 5000 + b"]" * 5000, REQUEST),
    ("nested objects", b'{"a":' * 5000 + b"1" + b"}" * 5000, REQUEST),
    ("nested parameters", request(params=0)[:-2] + b"[" * 200 + b"]" * 200 + b"}", REQUEST),
    ("integer beyond 64 bits", b'{"jsonrpc":"2.0","id":%s,"method":"version"}' % (b"9" * 400),
        PARSE),
    ("real beyond all", b'{"jsonrpc":"2.0","id":1e999,"method":"version"}', PARSE),
    ("a number", b"17", REQUEST),
    ("null", b"null", REQUEST),
    ("empty batch", b"[]", REQUEST),
    ("batch too long", b"[" + b",".join([request()] * 1000) + b"]", REQUEST),
    ("no version", b'{"id":1,"method":"version"}', REQUEST),
    ("version 1.0", b'{"jsonrpc":"1.0","id":1,"method":"version"}', REQUEST),
    ("no method", b'{"jsonrpc":"2.0","id":1}', REQUEST),
    ("method a number", b'{"jsonrpc":"2.0","id":1,"method":7}', REQUEST),
    ("id an object", b'{"jsonrpc":"2.0","id":{},"method":"version"}', REQUEST),
    ("unknown method", request("gateway_destroy"), METHOD),
    ("empty method", request(""), METHOD),
    ("method of 1 MiB", request("m" * MIB), METHOD),
    ("method with format", request("%s%n%s%n"), METHOD),
    ("method as a path", request("../../etc/passwd"), METHOD),
    ("parameters a list", request(params=[1]), PARAMS),
    ("unknown parameter", request(params={"x": 1}), PARAMS),
    ("parameter of another type", request("consumer_show", params={"name": 7}), PARAMS),
    ("parameter missing", request("consumer_show", params={}), PARAMS),
    ("parameter of 3 MiB", request("consumer_show", params={"name": "n" * 3 * MIB}), NOT_FOUND),
    ("parameter with escapes", request("consumer_show", params={"name": "\x1b]0;x\x07"}),
        NOT_FOUND),
    ("choice unknown", request("log_set_level", params={"level": "loud"}), PARAMS),
    ("rate below 0", request("consumer_set_rate", params={"name": "c1", "packets_per_s": -1}),
        INVALID),
    ("rate too high", request("consumer_set_rate", params={"name": "c1", "bits_per_s": "9" * 30}),
        INVALID),
    ("configuration with everything",
        request("config_apply", params={"config": {"k%d" % i: i for i in range(100000)}}), INVALID),
]


def one(kind, message, code):
    with connect() as client:
        client.sendall(message + b"\n")
        answer = read_line(client)
        found = (answer or {}).get("error", {}).get("code") if isinstance(answer, dict) else answer
        if found != code:
            faults.append("%s: %.200s instead of %d" % (kind, answer, code))
        elif "reason" not in answer["error"]["data"]:
            faults.append("%s: no reason" % kind)
        # It was one message: the next one is heard.
        client.sendall(request() + b"\n")
        answer = read_line(client)
        if not answer or "result" not in answer:
            faults.append("%s: afterwards %.200s" % (kind, answer))


def too_long():
    """An error, then the end, however much still comes."""
    with connect() as client:
        try:
            client.sendall(b"x" * 5 * MIB + b"\n")
        except (ConnectionResetError, BrokenPipeError):
            pass
        answer = read_line(client)
        if answer is not None and "error" not in answer:
            faults.append("5 MiB: %.200s" % answer)
        try:
            client.sendall(request() + b"\n")
            if read_line(client) is not None:
                faults.append("5 MiB: still served")
        except (ConnectionResetError, BrokenPipeError):
            pass


def byte_by_byte():
    with connect() as client:
        for byte in request() + b"\n":
            client.sendall(bytes([byte]))
        if "result" not in (read_line(client) or {}):
            faults.append("byte by byte: not served")


def last_line_open():
    """Half a message and gone; a whole one without its newline still counts."""
    with connect() as client:
        client.sendall(request()[:30])
    with connect() as client:
        client.sendall(request())
        client.shutdown(socket.SHUT_WR)
        if "result" not in (read_line(client) or {}):
            faults.append("no newline: not served")


def empty_lines():
    with connect() as client:
        client.sendall(b"\n\r\n  \n" * 1000 + request() + b"\n")
        while True:
            answer = read_line(client)
            if answer is None or "result" in answer:
                break
        if answer is None:
            faults.append("empty lines: not served")


def notifications():
    with connect() as client:
        silent = b'{"jsonrpc":"2.0","method":"version"}\n'
        client.sendall(silent * 10000 + request() + b"\n")
        if "result" not in (read_line(client) or {}):
            faults.append("notifications: not served")


def gone_before_answer():
    for _ in range(50):
        client = connect()
        client.sendall((request("stats_get") + b"\n") * 20)
        client.close()


def crowd():
    """More than may be; those that are let in are served, and leave room when they go."""
    clients = [connect() for _ in range(40)]
    served = 0
    for client in clients:
        try:
            client.sendall(request() + b"\n")
            served += "result" in (read_line(client) or {})
        except (ConnectionResetError, BrokenPipeError):
            pass
    for client in clients:
        client.close()
    if served < 16 or served == 40:
        faults.append("40 clients: %d were served" % served)


def slow_reader():
    """Asks on and on and never reads: it is dropped, or not listened to any more."""
    client = connect()
    client.settimeout(0.5)
    sent = 0
    try:
        while sent < 64 * MIB:
            sent += client.send((request("stats_get") + b"\n") * 100)
    except (ConnectionResetError, BrokenPipeError, socket.timeout):
        pass
    alive("slow reader, still there")
    client.close()
    if sent >= 64 * MIB:
        faults.append("a client that never reads was listened to for ever")


for kind, message, code in messages:
    one(kind, message, code)
    alive(kind)
    kinds += 1
for special in (too_long, byte_by_byte, last_line_open, empty_lines, notifications,
        gone_before_answer, crowd, slow_reader):
    special()
    alive(special.__name__)
    kinds += 1
for fault in faults:
    print(fault, file=sys.stderr)
print(kinds)
sys.exit(bool(faults))
EOF
kinds=$(timeout 100 /usr/bin/python3 "$tmp/hostile.py" "$socket") || fail "see above"
assert_num "$kinds" -ge 25 "kinds of hostile input"

# Delivery went on all the while, and nothing was changed.
is_running "$sender" || fail "the load ended too early"
kill -INT "$(pgrep -P "$sender" weirload || echo "$sender")"
wait "$sender" || true
wait_for "ctl group list | jq -e '.groups[0].held == 0'"
receiver_stop r1
assert_json "$tmp/r1.json" '.lost == 0 and .reordered == 0 and .duplicates == 0'
assert_eq "$(receiver_get r1 .received)" "$(jq .sent "$tmp/sent.json")" "messages delivered"
assert_eq "$(ctl config get | jq -cS .)" "$before" "configuration"
assert_json "$(ctl consumer show c1)" '.rate.packets_per_s == 0 and .rate.bits_per_s == 0'
assert_law
weir_stop
