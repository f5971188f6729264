#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# light
#
# A configuration that is wrong is refused with where, why and what to do; and nothing has
# changed, at start and on the running gateway.

# shellcheck source=tests/system/_init.sh
. "$(dirname "$0")/_init.sh"

lan
host exporter 1
kernel_port gw0 2
host c1 3
cat >"$tmp/weir.json" <<EOF
{"workers": {"cpus": [1]}, "control": {"socket": "$socket"}, "memory": {"buffers": 32768},
"ports": [{"name": "lan", "driver": "af_packet", "interface": "gw0"}],
"streams": [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix"}],
"groups": [{"name": "g", "streams": ["flows"], "consumers": [
	{"name": "c1", "address": "10.0.0.3", "port": 9995, "source": "keep"}]}]}
EOF
"$weir_build/lib/config/bad_configs" >"$tmp/bad.json"
assert_num "$(jq length "$tmp/bad.json")" -ge 30 "bad configurations"
weir_start "$tmp/weir.json"
wait_for "ctl consumer show c1 | jq -e '.state == \"reachable\"'"
before=$(ctl config get | jq -cS .)
receiver_start r1 c1 --listen 10.0.0.3:9995
send exporter --to 10.0.0.2:4739 --rate 2k --seconds 60 --keys 10 --json "$tmp/sent.json" &
sender=$!

# Each as it is, text for text, inside a request: what is no JSON spoils the request, which is
# refused as such. Prints what was wrong with the answers, and how many were right.
cat >"$tmp/feed.py" <<'EOF'
import json
import socket
import sys

gateway = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
gateway.settimeout(10)
gateway.connect(sys.argv[1])
answers = gateway.makefile("rb")
number = right = 0


# A line break would end the message.
def ask(method, text):
    head = '{"jsonrpc": "2.0", "id": %d, "method": "%s", "params": {"config": ' % (number, method)
    message = head + text.replace("\n", " ") + "}}\n"
    gateway.sendall(message.encode())
    return json.loads(answers.readline())


def unique(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("key twice")
    return dict(pairs)


def small(digits):
    if abs(int(digits)) >= 1 << 63:
        raise ValueError("beyond 64 bits")
    return int(digits)


# None: no JSON, as the gateway has it.
def parse(text):
    try:
        return json.loads(text, object_pairs_hook=unique, parse_int=small)
    except ValueError:
        return None


def fault(bad, answer):
    error = answer.get("error")
    if "result" in answer or error is None:
        return "not refused"
    data = error.get("data", {})
    config = parse(bad["config"])
    if config is None or "\\u0000" in bad["config"]:
        return None if error["code"] == -32700 else "wrong code"
    if answer.get("id") != number:
        return "wrong id"
    if not isinstance(config, dict):
        return None if data.get("path") == "$.params.config" else "wrong path"
    if data.get("path") != bad["path"]:
        return "wrong path"
    if not data.get("reason") or not data.get("hint"):
        return "no reason or hint"
    return None


for bad in json.load(open(sys.argv[2])):
    for method in "config_check", "config_apply":
        number += 1
        answer = ask(method, bad["config"])
        wrong = fault(bad, answer)
        if wrong:
            print(method, bad["name"], bad["path"], wrong, answer)
        else:
            right += 1
print(right)
EOF
/usr/bin/python3 "$tmp/feed.py" "$socket" "$tmp/bad.json" >"$tmp/found" || fail "$(cat "$tmp/found")"
assert_eq "$(cat "$tmp/found")" $((2 * $(jq length "$tmp/bad.json"))) "refused, each way"

# Nothing changed, and the messages went on meanwhile.
assert_eq "$(ctl config get | jq -cS .)" "$before" "configuration"
is_running "$sender" || fail "the load ended before the last configuration"
delivered=$(ctl consumer show c1 | jq .delivered)
wait_for "ctl consumer show c1 | jq -e '.delivered > $delivered + 1000'"
kill -INT "$(pgrep -P "$sender" weirload || echo "$sender")"
wait "$sender" || true
wait_for "ctl group list | jq -e '.groups[0].held == 0'"
receiver_stop r1
assert_json "$tmp/r1.json" '.received > 1000 and .lost == 0 and .reordered == 0'
assert_law
weir_stop

# At start: exit status 1 with path and hint; --check says the same, and goes the same way, so that
# every fourth is enough for it.
mkdir "$tmp/bad"
/usr/bin/python3 - "$tmp/bad.json" "$tmp/bad" <<'EOF'
import json
import sys

with open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as file:
    for number, bad in enumerate(json.load(file)):
        for part in ("config", "path"):
            with open(f"{sys.argv[2]}/{number}.{part}", "w", encoding="utf-8",
                      errors="surrogateescape", newline="") as out:
                out.write(bad[part])
EOF
count=$(jq length "$tmp/bad.json")
for ((index = 0; index < count; index++)); do
	cp "$tmp/bad/$index.config" "$tmp/one.json"
	path=$(cat "$tmp/bad/$index.path")
	for way in "" --check; do
		if [ -n "$way" ] && [ $((index % 4)) -ne 0 ]; then
			continue
		fi
		status=0
		# shellcheck disable=SC2086 # no argument when empty
		weir --config "$tmp/one.json" $way >"$tmp/out" 2>&1 || status=$?
		assert_eq "$status" 1 "exit status with: $(cat "$tmp/one.json")"
		grep -qF -- "$path" "$tmp/out" || fail "no path $path in: $(cat "$tmp/out")"
		grep -q 'hint' "$tmp/out" || fail "no hint in: $(cat "$tmp/out")"
	done
done

# Those that we show are sound.
for example in "$weir_root"/config/examples/*.json; do
	weir --config "$example" --check >"$tmp/out" 2>&1 || fail "$example: $(cat "$tmp/out")"
done
assert_fails weir --config "$tmp/absent.json" --check
