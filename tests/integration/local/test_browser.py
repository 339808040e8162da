"""Applications in a real browser, by path, by their own host and by a route."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from cluster import debian
from cluster.tools import Missing
from cluster.waiting import PATIENCE

WAYS = {
    "path": ("127.0.0.1", "/function/default/{name}"),
    "host": ("{name}.default", ""),
    "route": ("{name}.shop.example", ""),
}


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, for which every host is this machine."""
    try:
        debian.ensure(debian.BROWSER)
    except Missing as missing:
        pytest.skip(f"NO BROWSER, because this machine lacks {missing}")
    options = ["--no-sandbox", "--host-resolver-rules=MAP * 127.0.0.1"]  # as root it has no sandbox
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        yield browser
        browser.close()


def answering(file):
    """A route's handler that answers with a file."""
    return lambda route: route.fulfill(path=file)


@pytest.fixture(params=WAYS)
def opened(request, chromium, applications, libraries):
    """`opened(function, path)`: a page of it, and the URL that the function is at."""
    statics = Path(libraries) / "swagger_ui" / "static"
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    context.route("https://**", lambda route: route.abort())
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        context.route(f"https://**/{name}", answering(statics / name))

    def go(name, path):
        host, root = (each.format(name=name) for each in WAYS[request.param])
        url = f"http://{host}:{applications.port}{root}"
        page = context.new_page()
        page.goto(url + path)
        return page, url

    yield go
    context.close()


def test_fastapi_s_docs_are_shown_and_their_button_calls_the_function(opened):
    page, url = opened("fastapi", "/docs")
    page.get_by_role("button", name=re.compile("items.")).first.click()
    page.locator(".try-out__btn").click()
    page.locator("button.execute").click()
    answer = page.locator(".live-responses-table")
    expect(answer.locator("tr.response td.response-col_status")).to_contain_text("200", timeout=PATIENCE * 1000)
    expect(answer).to_contain_text(f"{url}/items/?page=2")


def test_one_logs_in_to_django_s_admin_and_adds_a_group(opened, request):
    page, url = opened("django-wsgi", "/admin")
    page.get_by_label("Username:").fill("ada")
    page.get_by_label("Password:").fill("secret")
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Groups", exact=True).click()
    page.get_by_role("link", name="Add group").first.click()
    page.get_by_label("Name:").fill(request.node.name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(f"{url}/admin/auth/group/", timeout=PATIENCE * 1000)
    expect(page.get_by_role("link", name=request.node.name, exact=True).first).to_be_visible()


@pytest.mark.parametrize("name", ["fastapi", "flask"])
def test_a_login_leads_back_to_the_page_that_asked_for_it(opened, name):
    page, url = opened(name, "/secret")
    expect(page).to_have_url(f"{url}/secret")
    expect(page.locator("body")).to_contain_text("Ada")
