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
