#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each shipped Prometheus rule fires for what lasts, with its labels and its runbook, says nothing of
a blip, and ends when it is over: by promtool, on series made here.

usage: telemetry_rules_test.py RULES PROMTOOL
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

RULES, PROMTOOL = pathlib.Path(sys.argv[1]), sys.argv[2]

STEP_S = 15
LASTING, BLIP, QUIET = 64, 2, 76  # steps: 16 minutes bad, half a minute bad, 19 minutes good

# Alert: labels that make its series, and for each metric its value while bad and while good. A
# metric of two numbers grows: by so much a step.
GAUGES = {
    "WeirDown": ({"job": "weir"}, "up", 0, 1),
    "WeirUnaccounted": ({}, "weir_law_violations", 3, 0),
    "WeirWorkerStalled": ({"worker": "1"}, "weir_worker_stalled", 1, 0),
    "WeirWorkerBusy": ({"worker": "1"}, "weir_worker_duty_ratio", 0.97, 0.6),
    "WeirPortDown": ({"port": "lan"}, "weir_port_up", 0, 1),
    "WeirConsumerUnreachable": ({"consumer": "c", "group": "g"}, "weir_consumer_reachable", 0, 1),
    "WeirConsumerParked": ({"consumer": "c", "group": "g", "state": "parked"},
                           "weir_consumer_state", 1, 0),
    "WeirPoolShort": ({"watchdog": "pool", "subject": "received"}, "weir_health_trouble", 1, 0),
    "WeirDiskTrouble": ({"watchdog": "disk", "subject": "state"}, "weir_health_trouble", 1, 0),
    "WeirClockStepped": ({"watchdog": "clock", "subject": "wall"}, "weir_health_trouble", 1, 0),
    "WeirQuarantine": ({}, "weir_quarantine_held_messages", 7, 0),
    "WeirDrift": ({"side": "host"}, "weir_drift_differences", 2, 0),
    "WeirChaos": ({"fault": "drop"}, "weir_chaos_on", 1, 0),
    "WeirUnusual": ({"series": "x"}, "weir_baseline_odd", 1, 0),
}
# Labels that make a series; what is lost with the labels beside them; what it is lost of.
RATIOS = {
    "WeirPortLosing": ({"port": "lan"}, "weir_port_missed_packets_total", {},
                       "weir_port_received_packets_total"),
    "WeirPortDropping": ({"port": "lan"}, "weir_port_dropped_packets_total", {"reason": "no_match"},
                         "weir_port_received_packets_total"),
    "WeirStreamDropping": ({"stream": "s"}, "weir_stream_dropped_messages_total",
                           {"reason": "key_malformed"}, "weir_stream_received_messages_total"),
    "WeirGroupLosing": ({"stream": "s", "group": "g"}, "weir_group_dropped_messages_total",
                        {"reason": "lapped"}, "weir_group_received_messages_total"),
}
GROWTH = 1000  # a step, of what it is lost of
LOST = 20      # a step, while it is bad: 2 %


def shipped():
    """As alert_rules.c prints them: each field on a line of its own."""
    rules = {}
    for text in RULES.read_text().split("- alert: ")[1:]:
        found = {name: re.search(pattern, text)[1] for name, pattern in {
            "severity": r"severity: (\w+)", "summary": r'summary: "(.*)"',
            "runbook": r"runbook: (\S+)"}.items()}
        assert (RULES.parents[2] / found["runbook"]).exists(), found
        rules[text.split()[0]] = {
            "labels": {"severity": found.pop("severity")}, "annotations": found}
    return rules


def series(name, labels):
    inside = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{inside}}}" if inside else name


def gauge_values(bad, good, bad_steps):
    """Good for long enough that there is something before it, bad, and good again."""
    return " ".join(f"{value}x{steps - 1}" for value, steps in
                    [(good, QUIET), (bad, bad_steps), (good, QUIET)])


def counter_values(bad_steps):
    end = LOST * bad_steps
    return f"0x{QUIET - 1} {LOST}+{LOST}x{bad_steps - 1} {end}x{QUIET - 1}"


def inputs_of(alert, bad_steps):
    if alert in GAUGES:
        labels, name, bad, good = GAUGES[alert]
        return [{"series": series(name, labels), "values": gauge_values(bad, good, bad_steps)}]
    labels, lost, beside, whole = RATIOS[alert]
    return [{"series": series(lost, {**labels, **beside}), "values": counter_values(bad_steps)},
            {"series": series(whole, labels), "values": f"0+{GROWTH}x{2 * QUIET + bad_steps}"}]


def expected(alert, rule):
    """What it says when it fires; series of gauges lose their name alone."""
    labels = {**(GAUGES.get(alert) or RATIOS[alert])[0], **rule["labels"]}
    return [{"exp_labels": labels, "exp_annotations": rule["annotations"]}]


def at(alert, step, alerts):
    return {"eval_time": f"{step * STEP_S}s", "alertname": alert, "exp_alerts": alerts}


def group_of(alerts, bad_steps, looks):
    """All of them at once: the rules are evaluated once for all."""
    inputs = {entry["series"]: entry for alert in alerts for entry in inputs_of(alert, bad_steps)}
    return {"interval": f"{STEP_S}s", "input_series": list(inputs.values()),
            "alert_rule_test": looks}


def looks_of(alert, rule):
    """Not at once, but while it lasts; long after it, no more."""
    # Shares of the long window: half of it is seven and a half minutes, a fifth three.
    begun = QUIET + {"WeirWorkerBusy": 40, "WeirUnusual": 24}.get(alert, 12)
    end = QUIET + LASTING
    firing = expected(alert, rule)
    return [at(alert, QUIET - 1, []), at(alert, QUIET, []), at(alert, begun, firing),
            at(alert, end - 1, firing), at(alert, end + 12, []), at(alert, end + QUIET - 1, [])]


def blip_looks_of(alert):
    return [at(alert, step, []) for step in range(QUIET, QUIET + 24, 2)]


def admitted():
    """What is left out on purpose is no loss."""
    inputs = [{"series": series("weir_group_dropped_messages_total",
                                {"stream": "s", "group": "g", "reason": reason}),
               "values": counter_values(LASTING)}
              for reason in ("sampled", "filtered", "elsewhere", "skipped")]
    whole = series("weir_group_received_messages_total", {"stream": "s", "group": "g"})
    inputs.append({"series": whole, "values": f"0+{GROWTH}x{2 * QUIET + LASTING}"})
    return {"interval": f"{STEP_S}s", "input_series": inputs,
            "alert_rule_test": [at("WeirGroupLosing", QUIET + LASTING - 1, [])]}


def judged(document):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rules_test.yml"
        path.write_text(json.dumps(document))
        return subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True,
                              text=True, check=False)


def document_of(tests):
    return {"rule_files": [str(RULES.resolve())], "evaluation_interval": f"{STEP_S}s",
            "tests": tests}


def main():
    rules = shipped()
    assert set(rules) == set(GAUGES) | set(RATIOS), set(rules) ^ (set(GAUGES) | set(RATIOS))
    lasting = [look for alert, rule in rules.items() for look in looks_of(alert, rule)]
    blips = [look for alert in rules for look in blip_looks_of(alert)]
    result = judged(document_of([group_of(rules, LASTING, lasting), group_of(rules, BLIP, blips),
                                 admitted()]))
    sys.stdout.write(result.stdout + result.stderr)
    assert result.returncode == 0, "a rule does not say what it should"
    # The judge can say no.
    wrong = group_of(["WeirDrift"], LASTING, [at("WeirDrift", QUIET + 12, [])])
    assert judged(document_of([wrong])).returncode != 0, "promtool says yes to everything"
    print(f"tests {len(rules)} {len(rules)} {len(rules)} 0")


main()
