"""Opens the pages of --report in headless Chromium and uses them as a reader would.

usage: report_page_test.py PROGRAM PROJECT_ROOT [FOLDER]

For every command: no message on the console, no request but for the file itself, every chart drawn,
every number with a unit and a source, nothing wider than a phone; sorting, filtering and walking a
chart by keyboard. Runs under .deps/browser/bin/python; exit code 77 where that or a browser is
absent. With FOLDER, screenshots (light, dark, phone) are left there to look at.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ABSENT = 77
try:
    from playwright.sync_api import sync_playwright
except ImportError:
    print("skip: run tools/setup --browser, and this under .deps/browser/bin/python")
    sys.exit(ABSENT)

PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
FOLDER = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
MODELS = ROOT / "examples" / "models"
RESNET, LANGUAGE = MODELS / "resnet20.onnx", MODELS / "novel-7m-int8.ewlm"
SHAPE = ["--shape", "input=1x3x32x32"]
SPLIT = ["--device", "sdm845", "--server", "50TFLOP/s", "--link", "4g"]

# Name of the page, the command, and how many charts it has at least.
PAGES = [
    ("inspect", ["inspect", RESNET], 0),
    ("convert", ["convert", RESNET, "-o", "optimised.onnx", *SHAPE], 0),
    ("bench", ["bench", RESNET, "--seconds", "0.2"], 0),
    ("profile", ["profile", RESNET, *SHAPE, "--seconds", "0.3", "--batches", "1,2,4"], 4),
    ("compare", ["profile", "--compare", "profile.json", "profile.json"], 0),
    ("verify", ["verify", RESNET, "optimised.onnx", "--pareto", RESNET], 2),
    ("show", ["device", "show", "sdm845"], 1),
    ("link", ["link", "show", "4g"], 0),
    ("plan", ["power", "plan", "llama-1.1b", "--device", "sdm845"], 1),
    ("simulate", ["power", "simulate", "llama-1.1b", "--device", "sdm845", "--policy", "highest",
                  "phase-aware", "--seconds", "120"], 3),
    ("energy", ["power", "energy", "trace.csv", "--window", "0.5:2.5"], 0),
    ("govern", ["power", "govern", "--device", "sm8250", "--seconds", "0.2"], 0),
    ("split", ["split", "plan", RESNET, *SHAPE, *SPLIT, "--map"], 1),
    ("codecs", ["split", "codecs", RESNET, "--cut", "input", *SHAPE], 1),
    ("privacy", ["split", "privacy"], 0),
    ("speculate", ["split", "speculate"], 0),
    ("targets", ["targets", "check", RESNET, *SHAPE, "--target", "tensorrt@8.6"], 1),
    ("generate", ["generate", LANGUAGE, "--prompt", "The sea", "--max-tokens", "8"], 0),
    ("language", ["bench", LANGUAGE], 0),
    ("deploy", ["deploy", RESNET, *SHAPE, *SPLIT, "-o", "bundle", "--goal", "latency-ms=50"], 0),
]  # fmt: skip

HOSTILE = {
    "schema": "edgewright.inspect/1", "version": "0", "passed": True,
    "warnings": ["<img src=x onerror=alert(1)>"], "nodes": 1, "parameters": 0, "macs": 0,
    "opset": 17, "producer": "<b>bold</b>", "operators": {"<i>Relu</i>": 1},
    "inputs": [{"name": "</script><script>alert(1)</script>", "dtype": "float32", "shape": [1]}],
}  # fmt: skip

EMPTY_CHARTS = """() => [...document.querySelectorAll('.canvas')]
  .filter((box) => box.querySelectorAll('svg path').length < 5).length"""
# Headings of numeric columns, and key figures that begin with a digit, without a unit or a source.
UNMARKED = """() => [...document.querySelectorAll('thead th.number')]
  .filter((th) => !th.querySelector('.unit')?.textContent
    || !th.querySelector('.source')?.textContent)
  .map((th) => th.textContent)
  .concat([...document.querySelectorAll('.tile')]
    .filter((tile) => /^[0-9]+([.,][0-9]+)?(\\s|$)/.test(tile.querySelector('dd').textContent)
      && /\\.|\\u00a0/.test(tile.querySelector('dd').textContent) && !tile.querySelector('.source'))
    .map((tile) => tile.textContent))"""
SORTED = """(index) => {
  const table = [...document.querySelectorAll('table')].filter((t) => t.tHead)[index];
  const column = [...table.tHead.rows[0].cells].findIndex((th) => th.classList.contains('number'));
  return [...table.tBodies[0].rows].map((row) => row.cells[column].textContent)
    .filter((text) => text !== '–')
    .map((text) => {
      const exponent = [...(text.split('·10')[1] ?? '⁰')]
        .map((c) => '-0123456789'['⁻⁰¹²³⁴⁵⁶⁷⁸⁹'.indexOf(c)]).join('');
      return Number(text.split('·')[0].replace(/\\u202f/g, '')) * 10 ** Number(exponent);
    });
}"""


class Checks:
    def __init__(self):
        self.failed = 0

    def that(self, holds, text):
        if not holds:
            print("FAILED " + text, flush=True)
        self.failed += not holds


def make_pages(folder, checks):
    made = []
    # With a gap, so that the page has one to show.
    (folder / "trace.csv").write_text("time_s,power_w\n0,1\n1,2\n2,3\n3,3\n10,4\n11,4\n")
    for name, words, charts in PAGES:
        outputs = ["--json", f"{name}.json", "--report", f"{name}.html"]
        done = subprocess.run(
            [PROGRAM, *map(str, words), *outputs], cwd=folder, capture_output=True, text=True,
            check=False, timeout=600,
        )  # fmt: skip
        page = folder / f"{name}.html"
        checks.that(done.returncode in (0, 1) and page.exists(), f"{name}: {done.stderr[-400:]}")
        if page.exists():
            made.append((name, page, charts))
    bundle = folder / "bundle" / "report.html"
    checks.that(bundle.exists(), "deploy leaves report.html in its bundle")
    if bundle.exists():
        made.append(("bundle", bundle, 2))
    return made


def open_page(browser, path, name, mode, checks):
    """The page, having said what it printed and asked for."""
    scheme, width = ("dark" if mode == "dark" else "light"), (390 if mode == "phone" else 1240)
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    where = f"{name}, {mode}: "
    page.on("console", lambda message: checks.that(False, f"{where}console: {message.text}"))
    page.on("pageerror", lambda error: checks.that(False, f"{where}error: {error.message}"))
    page.on(
        "request",
        lambda request: checks.that(request.url == path.as_uri(), f"{where}asks {request.url}"),
    )
    page.goto(path.as_uri())
    page.wait_for_selector(".verdict")
    page.wait_for_timeout(300)
    return page


def look(page, name, mode, charts, checks):
    where = f"{name}, {mode}: "
    drawn = page.locator(".canvas").count()
    checks.that(drawn >= charts, f"{where}{drawn} charts, expected {charts}")
    checks.that(page.evaluate(EMPTY_CHARTS) == 0, f"{where}a chart is empty")
    unmarked = page.evaluate(UNMARKED)
    checks.that(not unmarked, f"{where}without unit or source: {unmarked}")
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    checks.that(width <= 0, f"{where}{width} px too wide")
    if FOLDER:
        page.screenshot(path=FOLDER / f"{name}.{mode}.png", full_page=True)


def use_tables(page, name, checks):
    tables = page.locator("table:has(thead)")
    for index in range(min(4, tables.count())):
        heading = tables.nth(index).locator("thead th.number button").first
        if heading.count() == 0:
            continue
        heading.focus()
        page.keyboard.press("Enter")
        down = page.evaluate(SORTED, index)
        checks.that(down == sorted(down, reverse=True), f"{name}: table {index} sorts down")
        page.keyboard.press("Enter")
        up = page.evaluate(SORTED, index)
        checks.that(up == sorted(up), f"{name}: table {index} sorts up by keyboard")
    search = page.locator("input[type=search]").first
    if search.count() == 0:
        return
    box = page.locator(".tablebox:has(input[type=search])").first
    word = box.locator("tbody td").first.inner_text()[:12].lower()
    before = box.locator("tbody tr").count()
    search.fill(word)
    rows = box.locator("tbody tr").all_inner_texts()
    checks.that(0 < len(rows) <= before, f"{name}: filter leaves {len(rows)} of {before} rows")
    search.fill("no row has this")
    checks.that(box.locator("tbody tr").count() == 0, f"{name}: filter for nothing finds something")
    search.fill("")
    checks.that(box.locator("tbody tr").count() == before, f"{name}: filter is taken back")


def use_charts(page, name, checks):
    for frame in page.locator(".frame").all():
        title = frame.get_attribute("aria-label").split(".")[0]
        said = frame.locator("xpath=following-sibling::div[contains(@class,'said')]")
        frame.focus()
        page.keyboard.press("ArrowRight")
        first = said.inner_text()
        checks.that(first != "", f"{name}: {title} says nothing to the keyboard")
        page.keyboard.press("End")
        last = said.inner_text()
        checks.that(last != "", f"{name}: {title} loses the keyboard")
        if "zoom" in frame.get_attribute("aria-label"):
            before = frame.inner_html()
            page.keyboard.press("+")
            page.wait_for_timeout(100)
            checks.that(frame.inner_html() != before, f"{name}: {title} does not zoom by keyboard")
        page.keyboard.press("Escape")
        checks.that(said.inner_text() == "", f"{name}: {title} does not let go")


def hostile_document(browser, path, folder, checks):
    page = open_page(browser, path, "hostile", "light", checks)
    document = folder / "hostile.json"
    document.write_text(json.dumps(HOSTILE))
    page.locator("input[type=file]").set_input_files(document)
    page.wait_for_selector("text=<b>bold</b>")
    injected = page.locator("body img, body b:text-is('bold'), body i:text-is('Relu')").count()
    checks.that(injected == 0, "names of a document become markup")
    page.close()


def main():
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if chromium is None:
        print("skip: no chromium; run tools/setup --browser")
        return ABSENT
    checks = Checks()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = pathlib.Path(name)
        pages = make_pages(folder, checks)
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for title, path, charts in pages:
            for mode in ("light", "dark", "phone"):
                page = open_page(browser, path, title, mode, checks)
                look(page, title, mode, charts, checks)
                if mode == "light":
                    use_tables(page, title, checks)
                    use_charts(page, title, checks)
                page.close()
            print(f"ok    {title}: {path.stat().st_size / 1e3:.0f} kB", flush=True)
        hostile_document(browser, pages[0][1], folder, checks)
        browser.close()
    print(f"{len(pages)} pages, {checks.failed} checks failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
