"""The page of an explanation in a browser without a network."""

import base64
import json
import shutil

import pytest
import torch

import gatsparse
from gatsparse.data import stochastic_block_model
from gatsparse.explain import explain, write_report
from tests.explain.hostile import HOSTILE, Hostile
from tests.explain.test_report import ROWS

selenium = pytest.importorskip("selenium.webdriver", reason="needs selenium")
pytest.importorskip("selenium.webdriver.support.wait", reason="needs selenium")
axe = pytest.importorskip("axe_core_python.selenium", reason="needs axe-core-python")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium or chromedriver is not installed"
)

#: Width, and the scheme that the reader prefers.
VIEWS = {"light": (1280, "light"), "dark": (1280, "dark"), "narrow": (390, "light")}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with names that are harmful if they are not escaped."""
    torch.manual_seed(0)
    data = stochastic_block_model(80, 400, num_classes=3, num_features=6)
    model = gatsparse.GAT(6, 8, num_layers=2, out_channels=3, heads=2)
    path = tmp_path_factory.mktemp("report") / "report.html"
    explanation = explain(model, data, node_ids=Hostile(80), class_names=list(HOSTILE), removals=20)
    write_report(explanation, path, title=HOSTILE[0], curves=ROWS, config={HOSTILE[1]: 1})
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = selenium.Chrome(options, selenium.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(params=VIEWS)
def view(request, browser, page):
    """The page at a width and in a scheme."""
    width, scheme = VIEWS[request.param]
    opened(browser, page, width, scheme)
    return browser


def opened(browser, page, width=1280, scheme="light", media=""):
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [feature]})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(page)
    return browser


def requested(browser) -> list[str]:
    messages = [json.loads(row["message"])["message"] for row in browser.get_log("performance")]
    sent = [row["params"] for row in messages if row["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in sent]


def test_no_request_and_no_error(view, page):
    view.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert [url for url in requested(view) if url != page] == []
    assert view.get_log("browser") == []
    assert view.execute_script("return window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violation(scheme, browser, page):
    opened(browser, page, scheme=scheme)
    browser.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    found = axe.Axe().run(browser)["violations"]
    assert not [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]


def test_page_does_not_scroll_sideways(view):
    assert view.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def test_screenshot_has_the_background_of_the_scheme(view, tmp_path):
    color = view.execute_script("return getComputedStyle(document.body).backgroundColor")
    scheme = view.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert (color == "rgb(255, 255, 255)") != scheme
    path = tmp_path / "screenshot.png"
    assert view.save_screenshot(str(path))
    assert path.stat().st_size > 10_000


def test_policy_blocks_requests_and_scripts(browser, page):
    opened(browser, page)
    blocked = browser.execute_async_script(
        """
        const done = arguments[0], blocked = [];
        document.addEventListener("securitypolicyviolation", (event) => {
          blocked.push(event.effectiveDirective);
          if (blocked.length === 3) done(blocked.sort());
        });
        const image = document.createElement("img");
        image.src = "https://example.invalid/x.png";
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.body.append(image, script);
        fetch("https://example.invalid/").catch(() => {});
        """
    )
    assert blocked == ["connect-src", "img-src", "script-src-elem"]
    assert browser.execute_script("return window.hacked") is None


def press(browser, *keys):
    for key in keys:
        selenium.ActionChains(browser).send_keys(key).perform()


def test_keyboard(browser, page):
    opened(browser, page)
    keys = selenium.Keys
    press(browser, keys.TAB)
    focused = browser.switch_to.active_element
    assert focused.text == "Skip to the content"
    assert focused.location["x"] >= 0, "visible while it has the focus"
    assert focused.value_of_css_property("outline-style") == "solid"

    def shown():
        return [a.get_attribute("id") for a in find_all("article.node") if a.is_displayed()]

    def find_all(selector):
        return browser.find_elements("css selector", selector)

    assert shown() == ["node-0"]
    browser.execute_script("document.querySelector('#node').focus()")
    press(browser, keys.ARROW_DOWN, keys.ARROW_DOWN)
    assert shown() == ["node-2"]
    press(browser, keys.TAB, keys.ENTER)
    assert browser.switch_to.active_element.text == "Previous"
    assert shown() == ["node-1"]
    browser.execute_script("document.querySelector('#epoch').focus()")
    press(browser, keys.HOME, keys.ARROW_RIGHT)
    (text,) = find_all("#epoch-values")
    losses, scores = text.text.split("; ")
    assert losses == "loss: training 0.5000, validation 0.5500"
    assert scores == "score: validation 0.7500, test 0.7000"


def test_cursor_is_at_the_epoch(browser, page):
    """The line drawn by the script meets the point of the chart, drawn by Matplotlib."""
    opened(browser, page)
    ends = browser.execute_script(
        """
        const figure = document.querySelector("#curves figure"), slider = figure.ownerDocument
          .querySelector("#epoch"), cursor = figure.querySelector(".cursor");
        const line = [...figure.querySelectorAll("svg path")].find(
          (path) => path.getAttribute("style")?.includes("stroke: var(--accent)"));
        const box = line.getBoundingClientRect();
        const at = (value) => {
          slider.value = value;
          slider.dispatchEvent(new Event("input"));
          return cursor.getBoundingClientRect().left;
        };
        return [at(0) - box.left, at(slider.max) - box.right];
        """
    )
    assert max(map(abs, ends)) < 3, "pixels; the line is 1.5 wide"


def test_links_of_a_node_are_highlighted(browser, page):
    opened(browser, page)
    dot = browser.find_element("css selector", "#node-0 .dot circle")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", dot)
    selenium.ActionChains(browser).move_to_element(dot).perform()
    marked = browser.find_elements("css selector", "#node-0 .link.marked")
    assert marked
    assert {link.get_attribute("data-from") for link in marked} == {"0-0"}


def test_print_shows_all_nodes(browser, page):
    opened(browser, page, 720, "dark", "print")
    articles = browser.find_elements("css selector", "article.node")
    assert all(article.is_displayed() for article in articles)
    assert not browser.find_element("css selector", "nav").is_displayed()
    color = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(color) == "rgb(255, 255, 255)"
    pdf = browser.execute_cdp_cmd("Page.printToPDF", {})["data"]
    assert base64.b64decode(pdf).startswith(b"%PDF")


def test_page_without_scripts_shows_everything(browser, page):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(browser, page)
        # The driver cannot ask a page without scripts whether it is loaded.
        selenium.support.wait.WebDriverWait(browser, 60).until(
            lambda browser: len(browser.find_elements("css selector", "article.node")) == 12
        )
        articles = browser.find_elements("css selector", "article.node")
        assert all(article.is_displayed() for article in articles)
        assert not browser.find_element("css selector", ".choose").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
