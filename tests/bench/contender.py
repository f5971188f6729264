# SPDX-License-Identifier: BSD-3-Clause
"""
What is measured: the gateway, and testpmd as its peer. Each reads a capture over and over
(net_pcap, infinite_rx), forwards with one worker thread, and sends to net_null. A sample is
(seconds, packets sent by the device, seconds of CPU time of the worker thread).
"""

import glob
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import capture

START_S = 20
SETTLE_S = 0.3
TRIES = 5
PORT = "out"
BUFFERS = 32768


class Failed(Exception):
    """The contender did not start or did not forward."""


def buffers(shape):
    """Beside those that net_pcap keeps the capture in."""
    return BUFFERS + shape.keys


# What may be on at all times: traces of one message in so many, a checkpoint, metrics that are asked
# for each second (Scraper), workers parked and woken by load, faults that could be injected.
SCRAPED = 19464


def everything(directory):
    return {
        "telemetry": {"port": SCRAPED, "interval_ms": 1000},
        "trace": {"sample": 10000, "contexts_per_s": 100},
        "state": {"file": f"{directory}/state/positions", "interval_ms": 1000},
        "capture": {"directory": directory},
        "elastic": {"enabled": True},
        "chaos": {"allow": True},
        "log": {"format": "json"},
    }


class Scraper(threading.Thread):
    """Asks for the metrics each second, until it is stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.is_over = threading.Event()

    def run(self):
        # Another host's work, which is to give way to what is measured.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while not self.is_over.wait(1):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{SCRAPED}/metrics", timeout=5).read()
            except OSError:
                pass  # it starts, or ends


class Contender:
    """A process with one worker thread that is pinned to a CPU of its own."""

    def __init__(self, command, log, is_scraped=False):
        self.log = log
        self.scraper = Scraper() if is_scraped else None
        with open(log, "w", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=file, stderr=file)
        self.workers = []
        if self.scraper is not None:
            self.scraper.start()

    def __enter__(self):
        deadline = time.monotonic() + START_S
        try:
            while not self.is_forwarding():
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"{self.process.args[0]} does not forward: {self.last_words()}")
                time.sleep(0.05)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """In order, or else by force."""
        if self.scraper is not None:
            self.scraper.is_over.set()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return " ".join(file.read().split("\n")[-6:])

    def is_forwarding(self):
        """Whether the first packets were sent; finds the worker's thread."""
        tasks = f"/proc/{self.process.pid}/task"
        try:
            self.workers = []
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/comm", encoding="utf-8") as file:
                    if file.read().startswith("rte-worker"):
                        self.workers.append(f"{tasks}/{task}/schedstat")
            return self.workers != [] and self.sent() > 0
        except (Failed, KeyError, OSError, ValueError, subprocess.SubprocessError):
            return False

    def sample(self):
        sent = self.sent()
        return time.monotonic(), sent, self.cpu_ns() / 1e9

    def cpu_ns(self):
        """That all workers have taken together."""
        total = 0
        for worker in self.workers:
            with open(worker, encoding="utf-8") as file:
                total += int(file.read().split()[0])
        return total

    def sent(self):
        raise NotImplementedError


def group(name, stream, first, count):
    """A group of blind consumers with addresses of their own."""
    return {"name": name, "streams": [stream], "consumers": [
        {"name": f"{name}-{number}", "address": f"10.{1 + number // 65536}.{number // 256 % 256}."
         f"{number % 256}", "port": 9995, "source": "keep", "egress": PORT,
         "mac": "02:00:00:00:00:09"} for number in range(first, first + count)]}


class Gateway(Contender):
    """Weir with one stream that comes in, for as many groups of one blind consumer as asked for."""

    program = "weir"

    def __init__(self, capture, shape, run):
        self.socket = f"{run.directory}/weir.sock"
        config = f"{run.directory}/weir.json"
        streams = [{"name": "flows", "match": {"udp_port": 4739}, "key": "ipfix",
                    "partitions": shape.partitions}]
        groups = [group(f"group{number}", "flows", number, 1) for number in range(shape.groups)]
        if shape.idle_consumers != 0:
            streams.append({"name": "idle", "match": {"udp_port": 514}, "key": "syslog"})
            groups.append(group("idle", "idle", 256, shape.idle_consumers))
        with open(config, "w", encoding="utf-8") as file:
            json.dump({
                "workers": {"cpus": sorted(os.sched_getaffinity(0))[-shape.workers:],
                            "idle": "spin"},
                "memory": {"buffers": buffers(shape), "hugepages": run.hugepages},
                "control": {"socket": self.socket},
                "native": {"udp_port": 0},
                "ports": [
                    {"name": "in", "driver": "pcap", "rx_file": capture, "loop": True},
                    {"name": PORT, "driver": "null"},
                ],
                "streams": streams,
                "groups": groups,
                **(everything(run.directory) if shape.everything else {"telemetry": {"port": 0}}),
            }, file)
        super().__init__([self.program, "--config", config], f"{run.directory}/weir.log",
                         is_scraped=shape.everything)

    def sent(self):
        command = ["weirctl", "--socket", self.socket, "-j", "port", "list"]
        for _ in range(TRIES):
            done = subprocess.run(command, capture_output=True, timeout=10, check=False)
            if done.returncode != 1:
                break
            # A worker that the machine keeps off its CPU did not count in time; ask again.
        if done.returncode != 0:
            raise Failed(f"weirctl: {done.stderr.decode().strip()}")
        ports = json.loads(done.stdout)["ports"]
        return next(port["sent"] for port in ports if port["name"] == PORT)


class Testpmd(Contender):
    """DPDK's own forwarder: it exchanges MACs, addresses and ports, and looks nothing up."""

    def __init__(self, capture, shape, run):
        cpu = run.cpu
        main = next(other for other in sorted(os.sched_getaffinity(0)) if other != cpu)
        memory = ["--in-memory"] if run.hugepages else ["--no-huge", "-m", "1024"]
        self.telemetry = None
        for stale in glob.glob("/var/run/dpdk/*/dpdk_telemetry.v2*"):
            os.unlink(stale)
        super().__init__(
            ["dpdk-testpmd", *memory, "--no-pci", "-l", f"{main},{cpu}", "--main-lcore", str(main),
             "--vdev", f"net_pcap0,rx_pcap={capture},infinite_rx=1",
             "--vdev", "net_null0,no-rx=1", "--",
             "--forward-mode=5tswap", f"--total-num-mbufs={buffers(shape)}", "--nb-cores=1"],
            f"{run.directory}/testpmd.log")

    def __exit__(self, *exception):
        if self.telemetry is not None:
            self.telemetry.close()
        super().__exit__(*exception)

    def sent(self):
        if self.telemetry is None:
            path = next(iter(glob.glob("/var/run/dpdk/*/dpdk_telemetry.v2*")), None)
            if path is None:
                return 0
            self.telemetry = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.telemetry.settimeout(5)
            self.telemetry.connect(path)
            self.telemetry.recv(65536)
        self.telemetry.send(b"/ethdev/stats,1")
        return json.loads(self.telemetry.recv(65536))["/ethdev/stats"]["opackets"]


def measure(kind, shape, arguments):
    """One run: packets per second of CPU time, and of the clock."""
    path = f"{arguments.directory}/{shape.size}-{shape.keys}.pcap"
    if not os.path.exists(path):
        capture.write(path, shape.size, shape.keys)
    with kind(path, shape, arguments) as contender:
        time.sleep(SETTLE_S)
        begin = contender.sample()
        time.sleep(arguments.seconds)
        end = contender.sample()
    clock, packets, cpu = (after - before for before, after in zip(begin, end))
    if packets <= 0 or cpu <= 0:
        raise Failed(f"{kind.__name__} sent {packets} packets in {clock:.1f} s")
    return packets / cpu, packets / clock
