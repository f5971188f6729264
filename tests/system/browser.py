#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Opens the status page in headless Chromium and looks at it by the DevTools protocol, over a pipe:
browser.py URL DIRECTORY. Says what is wrong and exits 1.
"""

import json
import os
import subprocess
import sys
import time

WAIT_S = 40


class Browser:
    """Chromium; messages are JSON that ends in a NUL, on descriptors 3 and 4 of its own."""

    def __init__(self, directory):
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()

        def place_pipes():
            read = os.dup(to_read)
            write = os.dup(from_write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking",
             f"--user-data-dir={directory}", "--remote-debugging-pipe", "about:blank"],
            preexec_fn=place_pipes, close_fds=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.out = os.fdopen(to_write, "wb", buffering=0)
        self.inward = os.fdopen(from_read, "rb")
        self.number = 0
        self.errors = []
        self.session = None

    def receive(self):
        message = bytearray()
        while True:
            byte = self.inward.read(1)
            if not byte:
                sys.exit("the browser ended")
            if byte == b"\0":
                return json.loads(message)
            message += byte

    def call(self, method, **params):
        """The result of one command; errors of the page are collected meanwhile."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        self.out.write(json.dumps(request).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"]["exceptionDetails"]["text"])
            if answer.get("method") == "Log.entryAdded":
                entry = answer["params"]["entry"]
                if entry["level"] == "error" and "favicon" not in entry.get("url", ""):
                    self.errors.append(entry["text"])

    def open(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    def value(self, expression):
        return self.call("Runtime.evaluate", expression=expression,
                         returnByValue=True)["result"].get("value")

    def until(self, expression, what):
        end = time.monotonic() + WAIT_S
        while not self.value(expression):
            if time.monotonic() > end:
                sys.exit(f"not in {WAIT_S} s: {what}; page: "
                         + str(self.value("document.body.innerText")))
            time.sleep(0.1)

    def press(self, key):
        codes = {"Tab": 9, "Enter": 13}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=codes[key], **(text if kind == "keyDown" else {}))


def brightness(colour):
    return sum(int(part) for part in colour[colour.index("(") + 1:-1].split(",")[:3])


def check_contents(page):
    page.until("document.querySelector('#streams td')?.textContent === 'flows'", "the stream")
    page.until("parseFloat(document.querySelector('#streams tbody tr').cells[2].textContent) > 0",
               "a rate of the stream")
    page.until("document.querySelector('#consumers').textContent.includes('healthy')", "a state")
    page.until("document.querySelector('#attention').textContent"
               ".includes('consumer absent cannot be reached')", "what is wrong")
    page.until("document.querySelector('#state').textContent !== 'waiting for figures'", "a state")
    first = page.value("document.querySelector('#when').textContent")
    page.until(f"document.querySelector('#when').textContent !== {json.dumps(first)}",
               "that it goes on by itself")


def check_phone(page):
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2,
              mobile=True)
    page.until("window.innerWidth === 360", "a phone's width")
    if page.value("document.documentElement.scrollWidth > window.innerWidth"):
        sys.exit("on a phone the page is wider than the screen")
    if page.value("parseFloat(getComputedStyle(document.body).fontSize)") < 12:
        sys.exit("on a phone the text is too small")


def check_colours(page):
    for scheme, is_dark in (("dark", True), ("light", False)):
        page.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])
        back = page.value("getComputedStyle(document.body).backgroundColor")
        ink = page.value("getComputedStyle(document.body).color")
        if (brightness(back) < brightness(ink)) != is_dark:
            sys.exit(f"in the {scheme}: {ink} on {back}")


def check_keyboard(page):
    """Everything that can be used comes into focus by Tab, and the button works by Enter."""
    reached = []
    for _ in range(12):
        page.press("Tab")
        reached.append(page.value("document.activeElement.id || document.activeElement.className "
                                  "|| document.activeElement.tagName"))
        if reached[-1] == "pause":
            page.press("Enter")
            page.until("document.querySelector('#pause').textContent === 'Go on'", "Pause by Enter")
            page.press("Enter")
            page.until("document.querySelector('#pause').textContent === 'Pause'", "Go on by Enter")
    if reached[0] != "skip" or "pause" not in reached or "scroll" not in reached:
        sys.exit(f"by Tab one reaches {reached}")


def main():
    url, directory = sys.argv[1:]
    browser = Browser(directory)
    try:
        browser.open(url)
        check_contents(browser)
        check_keyboard(browser)
        check_phone(browser)
        check_colours(browser)
        if browser.errors:
            sys.exit(f"the page has errors: {browser.errors}")
    finally:
        browser.process.kill()
        browser.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
