"""CloudEvents and queue events over real sockets, in every mode."""

import json

import pytest

KINDS = pytest.mark.parametrize("kind", ["def", "async def"])
CODE = """
    import json
    {kind} handle(event, context):
        print(f"{{event['id']}} of {{event['type']}} with {{event.data!r}}")
        if event["type"] == "quiet":
            return None
        return type(event)({{"id": "re-" + event["id"], "type": "reply", "source": "here"}}, {{"got": event.data}})
"""
ATTRIBUTES = {"id": "1", "type": "asked", "source": "s", "specversion": "1.0"}
BINARY = {f"ce-{name}": value for name, value in ATTRIBUTES.items()} | {"Content-Type": "application/json"}


def structured(event):
    return json.dumps(event | {"datacontenttype": "application/json", "data": {"n": 1}})


@KINDS
def test_an_event_in_binary_mode_is_answered_with_one_in_binary_mode(start, variant, kind):
    answer = start(CODE.format(kind=kind), **variant).request("/", "POST", '{"n": 1}', BINARY)
    assert (answer.status, answer.headers["ce-id"], answer.headers["ce-type"]) == (200, "re-1", "reply")
    assert answer.json == {"got": {"n": 1}}


@KINDS
def test_an_event_in_structured_mode_is_answered_with_one_in_structured_mode(start, variant, kind):
    instance = start(CODE.format(kind=kind), **variant)
    kind_of = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    answer = instance.request("/", "POST", structured(ATTRIBUTES), kind_of)
    assert answer.headers["Content-Type"].startswith("application/cloudevents+json")
    assert (answer.json["id"], answer.json["specversion"], answer.json["data"]) == ("re-1", "1.0", {"got": {"n": 1}})


@KINDS
def test_each_event_of_a_batch_is_handled_and_the_replies_are_a_batch(start, variant, kind):
    instance = start(CODE.format(kind=kind), **variant)
    events = [ATTRIBUTES | {"id": str(n), "type": "quiet" if n == 1 else "asked"} for n in range(3)]
    batch = "[" + ",".join(map(structured, events)) + "]"
    answer = instance.request("/", "POST", batch, {"Content-Type": "application/cloudevents-batch+json"})
    assert answer.headers["Content-Type"].startswith("application/cloudevents-batch+json")
    assert [event["id"] for event in answer.json] == ["re-0", "re-2"]


STOPS = """
    {kind} handle(event, context):
        print("got", event["id"])
        if event["type"] == "stream":
            return pieces()
        return ("try again", 503) if event["type"] == "fails" else None

    {kind} pieces():
        print("streamed")
        yield "a"
"""


@KINDS
def test_the_first_failure_of_a_batch_ends_it_and_is_its_answer(start, kind, eventually):
    instance = start(STOPS.format(kind=kind))
    events = [ATTRIBUTES | {"id": str(n), "type": kind} for n, kind in enumerate(["a", "stream", "fails", "b"])]
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    answer = instance.request("/", "POST", json.dumps(events), batch)
    assert (answer.status, answer.text) == (503, "try again")
    assert instance.request("/", "POST", json.dumps(events[:2]), batch).status == 204
    seen = ["got 0", "got 1", "streamed", "got 2", "got 0", "got 1", "streamed"]
    eventually(lambda: [line["message"] for line in instance.lines if line["message"][:2] in ("go", "st")] == seen)


@KINDS
def test_an_empty_batch_is_204(start, kind):
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    assert start(STOPS.format(kind=kind)).request("/", "POST", "[]", batch).status == 204


TYPED = """
    {imports}
    {kind} handle(event: {annotation}, context):
        assert type(event) is {annotation}, type(event)
        attributes = event.get_attributes()
        print(repr(event.get_data()), attributes.get("time"))
        return {annotation}({{"id": "re-" + attributes["id"], "type": "reply", "source": "here"}}, event.get_data())
"""
SDKS = {
    "1.x": "from cloudevents.http import CloudEvent",
    "1.x, not evaluated": "from __future__ import annotations; from cloudevents.http import CloudEvent",
    "2.x": "from cloudevents.core.v1.event import CloudEvent",
    "2.x, what it keeps of 1.x": "from cloudevents.v1.http import CloudEvent",
}


def typed(packages, sdk, kind="def"):
    """Code of a handler, and the folder with the package it imports."""
    return TYPED.format(imports=SDKS[sdk], annotation="CloudEvent", kind=kind), packages[sdk[0]]


@pytest.fixture(scope="session")
def packages(libraries, install):
    """Folders with the two kinds of the `cloudevents` package."""
    return {"1": libraries, "2": install("cloudevents", ["cloudevents==2.2.0"])}


@pytest.mark.parametrize("sdk", SDKS)
@KINDS
def test_a_handler_annotated_with_the_sdks_class_gets_that(start, packages, kind, sdk):
    code, folder = typed(packages, sdk, kind)
    instance = start(code, PYTHONPATH=folder)
    headers = BINARY | {"ce-time": "2026-11-28T09:05:00Z"}
    answer = instance.request("/", "POST", '{"n": 1}', headers)
    assert (answer.status, answer.headers["ce-id"], answer.json) == (200, "re-1", {"n": 1})
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    answer = instance.request("/", "POST", f"[{structured(ATTRIBUTES)}]", batch)
    assert [event["id"] for event in answer.json] == ["re-1"]
    missing = {name: value for name, value in BINARY.items() if name != "ce-id"}
    assert instance.request("/", "POST", "{}", missing).status == 400


def test_what_only_the_sdk_refuses_is_the_senders_fault(start, packages):
    code, folder = typed(packages, "2.x")
    answer = start(code, PYTHONPATH=folder).request("/", "POST", "{}", BINARY | {"ce-time": "soon"})
    assert (answer.status, "soon" in answer.message) == (400, True)


@KINDS
def test_no_reply_is_204(start, kind):
    quiet = BINARY | {"ce-type": "quiet"}
    assert start(CODE.format(kind=kind)).request("/", "POST", "{}", quiet).status == 204


@KINDS
@pytest.mark.parametrize("missing", ["ce-id", "ce-source", "ce-type"])
def test_what_is_no_event_is_400_and_names_what_lacks(start, kind, missing):
    instance = start(CODE.format(kind=kind))
    answer = instance.request("/", "POST", "{}", {name: value for name, value in BINARY.items() if name != missing})
    assert answer.status == 400
    assert missing.removeprefix("ce-") in answer.message


QUEUE = """
    def lambda_handler(event, context):
        if event is None:
            return {"nothing": True}
        failed = [{"itemIdentifier": one["messageId"]} for one in event["Records"] if one["body"] == "bad"]
        return {"batchItemFailures": failed}
"""
RECORDS = {"Records": [{"messageId": "a", "body": "good"}, {"messageId": "b", "body": "bad"}]}


def test_a_lambda_handler_of_a_queue_gets_the_raw_event_and_its_failures_come_back_intact(start):
    instance = start(QUEUE, KUBEWICK_HANDLER="main:lambda_handler")
    raw = {"Kubewick-Lambda-Payload": "raw", "Content-Type": "application/json"}
    answer = instance.request("/", "POST", json.dumps(RECORDS), raw)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json == {"batchItemFailures": [{"itemIdentifier": "b"}]}
    assert instance.request("/", "POST", headers=raw).json == {"nothing": True}


def test_batch_item_failures_of_a_function_url_are_the_whole_body(start):
    code = (
        "def lambda_handler(event, context):\n    return {'batchItemFailures': [{'itemIdentifier': event['body']}]}\n"
    )
    answer = start(code, KUBEWICK_HANDLER="main:lambda_handler").request(
        "/", "POST", "b", {"Content-Type": "text/plain"}
    )
    assert answer.json == {"batchItemFailures": [{"itemIdentifier": "b"}]}
