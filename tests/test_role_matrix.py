"""Every route as every role, by real requests, against tests/role_matrix.txt."""

import os
import re
from collections import defaultdict

import pytest
from django.conf import settings

from tests.role_matrix import (
    COLUMNS,
    METHODS,
    TABLE,
    Visitor,
    account_of,
    address,
    condensed,
    read_table,
    routes,
    write_table,
)
from tests.role_samples import make_samples

WRITES = os.environ.get("ROLE_MATRIX") == "write"
_DOCUMENT = settings.BASE_DIR / "docs" / "roles.md"
_BETWEEN = re.compile(r"(?<=<!-- matrix -->\n\n).*?(?=\n\n<!-- /matrix -->)", re.DOTALL)
pytestmark = pytest.mark.django_db

_found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))


@pytest.mark.parametrize("role", COLUMNS)
def test_each_role_is_served_what_the_table_says(role, settings):
    # What a page shows is other tests' business: whether it is served is decided before it is rendered.
    settings.TEMPLATES = [{"BACKEND": "tests.blank_templates.BlankTemplates", "DIRS": [], "OPTIONS": {}}]
    settings.STAFF_MFA = "required"
    settings.WIDGET_DEMO = True
    table = {} if WRITES else read_table()
    account = account_of(role)
    samples, visitor = make_samples(account), Visitor(account)
    wrong = []
    for route in routes():
        path = address(route, samples.values_for(route))
        for method in METHODS:
            is_served = visitor.is_served(method, path)
            if WRITES:
                _found[route.name][method].update({role} if is_served else ())
            elif is_served != (role in table.get(route.name, {}).get(method, ())):
                wrong.append(f"{method} {route.name} ({path}): {'served' if is_served else 'not served'}")
    assert not wrong, f"not as {TABLE.name} says, for {role}:\n" + "\n".join(wrong)


def _write() -> None:
    table = {
        name: {method: frozenset(roles) for method, roles in methods.items() if roles} or {"GET": frozenset()}
        for name, methods in _found.items()
    }
    write_table(table)
    text = _DOCUMENT.read_text()
    _DOCUMENT.write_text(_BETWEEN.sub(lambda _old: condensed(table), text))


def test_the_table_has_every_route_and_no_other():
    if WRITES:
        _write()
    known, listed = {route.name for route in routes()}, set(read_table())
    assert known - listed == set(), f"not in {TABLE.name}: say there who may open them"
    assert listed - known == set(), f"in {TABLE.name} and no route any more"


def test_the_documentation_has_the_table_of_today():
    found = _BETWEEN.search(_DOCUMENT.read_text())
    assert found is not None
    assert found[0] == condensed(read_table())
