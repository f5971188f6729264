#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The promises of the Python module, asked of a running gateway with the streams "orders" (producers
allowed) and "closed" (none), and the group "python" of "orders".

usage: libweir_python.py GATEWAY
"""

import errno
import os
import sys
import time

import weir

GATEWAY = sys.argv[1]
COUNT = 3000


def consumer(**options):
    return weir.Consumer(GATEWAY, "python", **options)


def take(source, count):
    """So many messages, which must come within 20 s."""
    messages = []
    until = time.monotonic() + 20
    while len(messages) < count:
        message = source.next(until - time.monotonic())
        assert message is not None, f"{len(messages)} of {count} messages"
        messages.append(message)
    return messages


def numbers(messages):
    return sorted(int(message.data.split()[0]) for message in messages)


def produced_messages_come_once_and_in_order_of_their_key():
    with consumer(name="first") as first, weir.Producer(GATEWAY, "orders") as producer:
        assert first.next(0.2) is None
        for number in range(COUNT):
            producer.send(b"%d %d" % (number, number % 7), key=b"key %d" % (number % 7),
                          more=number % 16 != 15)
        producer.flush(10)
        stats = producer.stats()
        assert stats["acknowledged"] == COUNT and stats["outstanding"] == 0, stats
        assert stats["state"] == weir.State.JOINED
        messages = take(first, COUNT)
        assert first.next(0) is None
        assert first.stats()["taken"] == COUNT and first.stats()["is_reliable"]
    assert numbers(messages) == list(range(COUNT))
    for key in range(7):
        own = [int(m.data.split()[0]) for m in messages if m.data.endswith(b" %d" % key)]
        assert own == list(range(key, COUNT, 7)), key
    assert {message.stream for message in messages} == {"orders"}
    assert not any(message.missed for message in messages)
    assert abs(time.time() - messages[-1].ingest_ns / 1e9) < 60


def a_message_in_hand_comes_again_only_after_an_exception():
    with weir.Producer(GATEWAY, "orders") as producer:
        for number in range(4):
            producer.send(b"%d" % number, key=b"one")
    try:
        with consumer(name="fails") as failing:
            for message in failing:
                if message.data == b"1":
                    raise InterruptedError
    except InterruptedError:
        pass
    with consumer(name="follows") as following:
        for message in following:
            assert message.data == b"1" and message.is_redelivered, message
            break
    with consumer(name="manual", manual=True) as manual:
        assert numbers(take(manual, 2)) == [2, 3]
        manual.consume(1)
    with consumer(name="last") as last:
        assert numbers(take(last, 1)) == [3]
        assert last.next(0.3) is None


def a_seek_goes_back_and_a_pause_holds():
    events = []
    with consumer(name="seeks", on_event=events.append) as seeking:
        while not any(event.kind == weir.EventKind.JOINED for event in events):
            assert seeking.next(1) is None
        seeking.seek(weir.From.EARLIEST, stream="orders")
        messages = take(seeking, COUNT + 4)
        assert numbers(messages)[-1] == COUNT - 1
        seeking.pause()
        with weir.Producer(GATEWAY, "orders") as producer:
            producer.send(b"5")
        assert seeking.next(0.3) is None
        seeking.pause(False)
        assert take(seeking, 1)[0].data == b"5"
        try:
            seeking.seek(weir.From.LATEST, stream="unknown")
        except weir.CallFailed as error:
            assert error.errno == errno.ENOENT, error
        else:
            raise AssertionError("a seek in a stream that there is not")


def a_pull_brings_what_was_granted():
    with weir.Producer(GATEWAY, "orders") as producer:
        for number in range(10):
            producer.send(b"%d" % number)
    with consumer(name="pulls", pull=True, want_source=True) as pulling:
        assert pulling.next(0.3) is None
        pulling.grant(3)
        assert len(take(pulling, 3)) == 3
        assert pulling.next(0.3) is None
        pulling.grant(7)
        assert len(take(pulling, 7)) == 7


def what_is_not_allowed_is_an_exception():
    for wrong in ({"window_bytes": 1}, {"name": "n" * 1000}):
        try:
            consumer(**wrong)
        except weir.CallFailed as error:
            assert error.errno == errno.EINVAL, error
        else:
            raise AssertionError(wrong)
    for wrong in ({"port": 65536}, {"name": "a\0b"}):
        try:
            consumer(**wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)
    with weir.Producer(GATEWAY, "closed") as producer:
        try:
            producer.send(b"", timeout=0.3)
        except weir.Held as held:
            assert held.reason == weir.HeldBy.CLOSED, held
        else:
            raise AssertionError("a message into a stream without producers")
        try:
            producer.send(bytes(9001))
        except weir.CallFailed as error:
            assert error.errno == errno.EMSGSIZE, error
        else:
            raise AssertionError("a message larger than any datagram")
    try:
        producer.send(b"")
    except ValueError:
        return
    raise AssertionError("a message to a producer that was closed")


def the_library_may_be_named():
    assert weir.library_version().count(".") == 2
    status = os.spawnve(os.P_WAIT, sys.executable, [
        sys.executable, "-c",
        "import weir\ntry: weir.Consumer('::1', 'g')\nexcept weir.LibraryMissing: raise SystemExit(3)",
    ], {**os.environ, "WEIR_LIBRARY": "/nowhere/libweir.so.0"})
    assert status == 3, status


for promise in (
    produced_messages_come_once_and_in_order_of_their_key,
    a_message_in_hand_comes_again_only_after_an_exception,
    a_seek_goes_back_and_a_pause_holds,
    a_pull_brings_what_was_granted,
    what_is_not_allowed_is_an_exception,
    the_library_may_be_named,
):
    promise()
    print("ok", promise.__name__, flush=True)
