"""The OpenAPI document: valid, complete, and true to what the API does."""

import json

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from django.core.management import call_command
from django.urls import URLPattern

from assistant.api import urls


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    file = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(file))
    return yaml.safe_load(file.read_text())


def test_it_is_valid_without_a_warning(document):
    assert document["openapi"].startswith("3.")


def test_every_address_is_in_it(document):
    documented = set(document["paths"])
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name in ("api-schema", "api-docs", None):  # the last catches every other address
            continue
        route = str(pattern.pattern).replace("<uuid:", "{").replace("<int:", "{").replace("<str:", "{")
        assert f"/api/v1/{route.replace('>', '}')}" in documented


def test_the_examples_of_both_outcomes_fit_their_schema(document):
    content = document["paths"]["/api/v1/questions/"]["post"]["responses"]["201"]["content"][
        "application/json"
    ]
    statuses = set()
    for example in content["examples"].values():
        validate(example["value"], content["schema"], document)
        statuses.add(example["value"]["status"])
    assert statuses == {"answered", "escalated"}


@pytest.mark.django_db
def test_real_responses_fit_it(client, document, make_article):
    make_article("Pause your subscription", "You can pause for one to three months.")
    asked = client.post("/api/v1/questions/", {"question": "How long can I pause?"}, "application/json")
    schema = document["paths"]["/api/v1/questions/"]["post"]["responses"]["201"]["content"][
        "application/json"
    ]["schema"]
    validate(asked.json(), schema, document)
    refused = client.post("/api/v1/questions/", {}, "application/json")
    validate(refused.json(), {"$ref": "#/components/schemas/ErrorOutput"}, document)
    listed = client.get("/api/v1/articles/")
    validate(listed.json(), {"$ref": "#/components/schemas/PaginatedArticleListOutputList"}, document)


def test_every_operation_tells_its_errors_in_the_one_shape(document):
    for operations in document["paths"].values():
        for operation in operations.values():
            refusals = {status: it for status, it in operation["responses"].items() if status >= "400"}
            assert refusals
            for response in refusals.values():
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorOutput"}


@pytest.mark.django_db
def test_it_is_served_with_a_page_that_loads_nothing_from_elsewhere(client):
    served = client.get("/api/v1/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert json.loads(served.content)["paths"]
    page = client.get("/api/v1/docs/").content.decode()
    assert "swagger-ui-bundle.js" in page
    assert "https://" not in page


def validate(value, schema, document) -> None:
    """OpenAPI 3.0 is JSON Schema but for `nullable`."""
    jsonschema.Draft7Validator(
        as_json_schema({**schema, "components": document["components"]}),
    ).validate(value)


def as_json_schema(node):
    if isinstance(node, list):
        return [as_json_schema(child) for child in node]
    if not isinstance(node, dict):
        return node
    translated = {key: as_json_schema(child) for key, child in node.items() if key != "nullable"}
    return {"anyOf": [translated, {"type": "null"}]} if node.get("nullable") else translated
