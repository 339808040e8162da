"""The recorded readings of tests/corpus/yaml are what the real kubectl and API server make of it today."""

import json

from corpus.yaml import record


def test_kubectl_and_the_api_server_accept_and_read_the_documents_as_recorded(kubeconfig):
    found, recorded = record.expected(kubeconfig), json.loads(record.EXPECTED.read_text())
    assert {name: objects for name, objects in found.items() if recorded.get(name, "none") != objects} == {}


def test_kubectl_reads_the_scalars_as_recorded(kubeconfig):
    assert [row for row in record.scalars(kubeconfig) if row not in json.loads(record.SCALARS.read_text())] == []
