# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # tmp and weir_root are set by _init.sh
#
# A real Prometheus with the shipped rules, and a real Alertmanager that tells of them to a hook
# here. Debian's, on the ports that they have by default.

prometheus_pids=()

# prometheus_start SHORT LONG FOR: the rules for windows and a patience of so many seconds, as the
# gateway's configuration has them; of a gateway that listens where it does by default
prometheus_start() {
	sed -e "s/\[60s/[$1s/; s/\[900s/[$2s/; s/\[60s\]/[$1s]/g; s/\[900s\]/[$2s]/g; s/for: 30s/for: $3s/" \
		"$weir_root/config/prometheus/weir.rules.yml" >"$tmp/weir.rules.yml"
	cat >"$tmp/prometheus.yml" <<-END
		global: {scrape_interval: 300ms, evaluation_interval: 300ms}
		rule_files: [$tmp/weir.rules.yml]
		alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:9093"]}]}]}
		scrape_configs: [{job_name: weir, static_configs: [{targets: ["127.0.0.1:9464"]}]}]
	END
	cat >"$tmp/alertmanager.yml" <<-END
		route: {receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 300ms}
		receivers: [{name: hook, webhook_configs: [{url: "http://127.0.0.1:9095/", send_resolved: true}]}]
	END
	cat >"$tmp/hook.py" <<-'END'
		import http.server, json, sys
		class Hook(http.server.BaseHTTPRequestHandler):
		    def do_POST(self):
		        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
		        with open(sys.argv[1], "a") as out:
		            for alert in body["alerts"]:
		                print(json.dumps(alert), file=out)
		        self.send_response(200)
		        self.end_headers()
		    def log_message(self, *_):
		        pass
		http.server.HTTPServer(("127.0.0.1", 9095), Hook).serve_forever()
	END
	: >"$tmp/hooked"
	python3 "$tmp/hook.py" "$tmp/hooked" &
	prometheus_pids=($!)
	prometheus-alertmanager --config.file="$tmp/alertmanager.yml" --storage.path="$tmp/am" \
		--web.listen-address=127.0.0.1:9093 --cluster.listen-address= >"$tmp/am.log" 2>&1 &
	prometheus_pids+=($!)
	prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/tsdb" \
		--web.listen-address=127.0.0.1:9090 >"$tmp/prometheus.log" 2>&1 &
	prometheus_pids+=($!)
	wait_for "curl -sf -m 2 http://127.0.0.1:9093/-/ready" 20
	wait_for "curl -sf -m 2 http://127.0.0.1:9090/api/v1/targets |
		jq -e '.data.activeTargets[0].health == \"up\"'" 20
}

prometheus_stop() {
	kill "${prometheus_pids[@]}"
	wait "${prometheus_pids[@]}" || true
}

# told STATUS ALERT [CONDITION]: what Alertmanager has told last of it is "firing", or "resolved", and
# its runbook; CONDITION is of its labels
told() {
	jq -se "map(select(.labels.alertname == \"$2\" and (.labels | ${3:-true}))) | length > 0 and
		(last | .status == \"$1\" and .annotations.runbook == \"docs/runbooks/$2.md\")" \
		"$tmp/hooked" >/dev/null
}
