"""The report in a real browser: harmless, usable by keyboard and without script, readable, whole on paper."""

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from casefiles import query
from casefiles.case import Case
from report.escape import visible
from report.html import render_html
from tests.report.conftest import HOSTILE_NAMES, hostile_nouns, ordinary_nouns
from tests.report.page import read_page

pytestmark = pytest.mark.browser

MADE_AT = datetime(2026, 9, 2, 12, 0, 0, tzinfo=UTC)
# Runs before anything of the page: records what a policy stopped, and every try to speak to the reader.
WATCH = """
window.watched = [];
addEventListener("securitypolicyviolation", (event) => watched.push("policy: " + event.violatedDirective));
for (const name of ["alert", "confirm", "prompt", "open"]) {
  window[name] = (text) => watched.push(name + ": " + text);
}
addEventListener("error", (event) => watched.push("error: " + event.message));
"""

Browser = webdriver.Chrome


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Iterator[Browser]:
    """Headless Chromium, watched."""
    options = webdriver.ChromeOptions()
    options.binary_location = tool("chromium")
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
        "--window-size=1440,1000",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(tool("chromedriver")))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(made_cases: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`pages(nouns)`: the report of such a case."""

    def page(nouns: Any = ordinary_nouns) -> Path:
        with Case.open(made_cases(nouns), write=False) as case:
            return render_html(case, tmp_path_factory.mktemp("page"), made_at=MADE_AT)

    return page


def visit(
    browser: Browser, path: Path, *, width: int = 1440, dark: bool = False, script: bool = True
) -> None:
    """Open a page as a reader with that screen, preference and browser setting does."""
    metrics = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    browser.get_log("browser")
    browser.get("about:blank")
    browser.get(path.as_uri())


def paper(browser: Browser, path: Path, tmp_path: Path, tool: Callable[[str], str]) -> list[str]:
    """The text of each printed A4 page, as another program reads the PDF."""
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    (tmp_path / "report.pdf").write_bytes(base64.b64decode(printed["data"]))
    command = [tool("pdftotext"), "-layout", str(tmp_path / "report.pdf"), "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert path.exists()
    return text.split("\f")[:-1]


def test_hostile_names_run_nothing(browser, pages):
    """No dialog, no changed title, no script, nothing that the policy had to stop, no message."""
    path = pages(hostile_nouns)
    visit(browser, path)
    assert browser.title == "Case 2026-014 – forensic disc report"
    assert browser.execute_script("return watched") == []
    assert browser.get_log("browser") == []
    with pytest.raises(NoAlertPresentException):
        _ = browser.switch_to.alert
    assert browser.execute_script("return document.scripts.length") == 1
    elements = sum(1 for _ in read_page(path.read_text(encoding="utf-8")).elements()) - 1
    assert browser.execute_script("return document.querySelectorAll('*').length") == elements


def test_the_policy_would_stop_what_escaping_missed(browser, pages, tmp_path):
    """Were a name to reach the page as markup, nothing of it would run, be fetched or be styled."""
    attack = (
        "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"
        "<img src='http://127.0.0.1:9/x.png'><div style='position:fixed'>x</div><base href='http://127.0.0.1:9/'>"
        "<iframe src='http://127.0.0.1:9/'></iframe><a id=e href=\"javascript:document.title='hacked'\">x</a>"
    )
    broken = tmp_path / "broken.html"
    text = pages(hostile_nouns).read_text(encoding="utf-8")
    broken.write_text(text.replace("<h2>Summary</h2>", f"<h2>Summary</h2>{attack}"), encoding="utf-8")
    visit(browser, broken)
    browser.execute_script("document.querySelector('#e').click()")
    assert browser.title == "Case 2026-014 – forensic disc report"
    stopped = browser.execute_script("return watched")
    directives = ["script-src-elem", "script-src-attr", "img-src", "style-src-attr", "base-uri", "frame-src"]
    assert set(stopped) == {f"policy: {directive}" for directive in directives}


def test_nothing_is_fetched(browser, pages):
    visit(browser, pages())
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_names_are_shown_as_their_escapes(browser, pages):
    """What a reader sees of the hostile names in the root, in the order of the view."""
    visit(browser, pages(hostile_nouns))
    rows = browser.execute_script(
        "return [...document.querySelector('section.tree table').tBodies[0].rows]"
        ".map((row) => row.cells[0].firstChild.parentNode.innerText)"
    )
    seen = {re.sub(r"\\x20", " ", row) for row in rows}
    assert seen == {visible(name) for name in HOSTILE_NAMES}


def test_the_search_finds_and_leads_to_a_folded_entry(browser, pages):
    """Typing part of a path lists the entry; following the link opens its directories and shows its row."""
    visit(browser, pages())
    field = browser.find_element(By.ID, "exhibit-1-search")
    field.send_keys("level 29/BOTTOM")
    hits = wait_for_hits(browser)
    deep = "/photos/" + "/".join(f"level {level}" for level in range(30)) + "/bottom.txt"
    assert hits == ["2 of 82 entries match", [f"{deep} ISO 9660 “HOLIDAY 04”", f"{deep} Joliet “HOLIDAY 04”"]]
    browser.find_element(By.CSS_SELECTOR, "ol.hits a").click()
    place = browser.execute_async_script(
        "const done = arguments[0]; setTimeout(() => { const row = document.querySelector(':target');"
        "const box = row.getBoundingClientRect();"
        "done([row.cells[0].innerText, box.top > 0 && box.bottom < innerHeight]) }, 200)"
    )
    assert place == ["bottom.txt", True]


def wait_for_hits(browser: Browser) -> list[Any]:
    """What the search says when it is done, and what it lists."""
    return browser.execute_async_script(
        "const done = arguments[0]; const said = document.querySelector('p.hits');"
        "const timer = setInterval(() => { if (!/match/.test(said.textContent)) return; clearInterval(timer);"
        "const hits = [...document.querySelectorAll('ol.hits li')].map((each) => each.innerText);"
        "done([said.textContent, hits]) }, 20)"
    )


def test_a_digest_finds_its_files(browser, pages, made_cases):
    with Case.open(made_cases(ordinary_nouns), write=False) as case:
        view = query.volumes(case, 1)[0]["id"]
        digest = next(row["sha256"] for row in query.entries(case, view) if row["path"] == "/README.TXT")
    visit(browser, pages())
    browser.find_element(By.ID, "exhibit-1-search").send_keys(digest)
    assert wait_for_hits(browser)[0] == "2 of 82 entries match"


def test_directories_open_and_close_together(browser, pages):
    visit(browser, pages())
    count = "return document.querySelectorAll('details.directory[open]').length"
    assert browser.execute_script(count) == 2
    browser.find_element(By.CSS_SELECTOR, "[data-open]").click()
    assert browser.execute_script(count) == 2 + 2 * 31
    browser.find_element(By.CSS_SELECTOR, "[data-close]").click()
    assert browser.execute_script(count) == 2


def test_without_script_everything_is_there_and_opens_by_keyboard(browser, pages):
    """Script switched off: no search is offered, and a directory opens with the Enter key."""
    visit(browser, pages(), script=False)
    assert not browser.find_element(By.CSS_SELECTOR, "form.search").is_displayed()
    assert browser.find_element(By.CSS_SELECTOR, ".verdict").text == "Every sector was read"
    row = browser.find_element(By.XPATH, "//th[text()='DSC_0003.JPG']")
    assert not row.is_displayed()
    browser.find_element(By.XPATH, "//summary[span[text()='photos']]").send_keys(Keys.ENTER)
    assert row.is_displayed()


def test_an_anomaly_leads_into_a_folded_directory_without_script(browser, pages):
    """Following a link to an entry opens the directories around it: the browser does that by itself."""
    visit(browser, pages(), script=False)
    target = browser.find_element(By.CSS_SELECTOR, "table.anomalies td a")
    assert target.text == "/photos"
    target.send_keys(Keys.ENTER)
    opened = browser.find_element(By.CSS_SELECTOR, ":target")
    assert opened.find_element(By.TAG_NAME, "summary").is_displayed()


def test_the_first_tab_leads_past_the_contents(browser, pages):
    visit(browser, pages())
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = browser.switch_to.active_element
    assert focused.text == "Skip to the report"
    assert focused.rect["x"] >= 0
    focused.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("#main")


@pytest.mark.parametrize("width", [320, 400, 768, 1440, 2560])
@pytest.mark.parametrize("nouns", [ordinary_nouns, hostile_nouns])
def test_nothing_sticks_out_of_the_page(browser, pages, width, nouns):
    """From a telephone to a wide screen, all directories open: no sideways scrolling (WCAG 2.2, 1.4.10)."""
    visit(browser, pages(nouns), width=width)
    browser.execute_script("document.querySelector('[data-open]').click()")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    cut = browser.execute_script(
        "return [...document.querySelectorAll('.digest, .h, .figures, caption')]"
        ".filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.className)"
    )
    assert cut == []
    narrowest = browser.execute_script(
        "const names = [...document.querySelectorAll('table.entries tbody th')];"
        "return Math.min(...names.map((name) => name.clientWidth))"
    )
    assert narrowest >= 100


CONTRAST = """
const parse = (colour) => [...colour.match(/[0-9.]+/g).map(Number), 1].slice(0, 4);
const part = (value) => {
  value /= 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
};
const light = ([red, green, blue]) => 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour[3] === 1) return colour;
  }
  return [255, 255, 255, 1];
};
const low = new Set();
let looked = 0;
for (const element of document.querySelectorAll("body *")) {
  if (element.matches("script, svg *") || !element.checkVisibility()) continue;
  if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
  const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  looked++;
  if (ratio < 4.5) low.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
}
return [looked, [...low]];
"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_has_enough_contrast_as_drawn(browser, pages, dark):
    """Each element with text, its colour against the ground that is really behind it: 4.5 or more."""
    visit(browser, pages(hostile_nouns), dark=dark)
    browser.execute_script("document.querySelectorAll('details').forEach((each) => each.open = true)")
    looked, low = browser.execute_script(CONTRAST)
    assert looked > 1000
    assert low == []
    ground = browser.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    assert ground == ("rgb(19, 23, 28)" if dark else "rgb(255, 255, 255)")


def test_paper_has_everything_that_is_folded_on_screen(browser, pages, made_cases, tmp_path, tool):
    """Printed: every name and digest of every directory, headers again on each page, case and page number."""
    path = pages()
    visit(browser, path)
    sheets = paper(browser, path, tmp_path, tool)
    text = re.sub(r"\s", "", "".join(sheets))
    with Case.open(made_cases(ordinary_nouns), write=False) as case:
        for row in query.entries(case, query.volumes(case, 1)[0]["id"]):
            assert row["name"].replace(" ", "") in text
    for number, sheet in enumerate(sheets, 1):
        assert "Case 2026-014" in sheet
        assert f"{number} / {len(sheets)}" in sheet
    assert "Skip to the report" not in sheets[0]
    assert "Every sector was read" in sheets[0]
    assert "400 of 400 sectors read · 0 unread · 0 filled" in sheets[0]
    entries = [sheet for sheet in sheets if "DSC_000" in sheet]
    assert entries
    assert all("Times as recorded" in sheet for sheet in entries)


def test_whoever_prints_can_leave_out_the_entries_and_paper_says_so(browser, pages, tmp_path, tool):
    path = pages()
    visit(browser, path)
    browser.find_element(By.CSS_SELECTOR, ".print-entries").click()
    text = "".join(paper(browser, path, tmp_path, tool))
    assert "DSC_0003.JPG" not in text
    assert "The entries of this exhibit were left out of this printout by whoever printed it." in text
